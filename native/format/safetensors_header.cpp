#include "format/safetensors_header.h"

#include <charconv>
#include <set>

#include "base/error.h"
#include "format/utf8.h"

namespace lyaplock {

namespace {

/// A cursor over the text. Depth is fixed by the grammar, so the parser does not recurse.
class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  SafetensorsHeader header() {
    SafetensorsHeader header;
    std::set<std::string, std::less<>> names;
    object([&](std::string name) {
      if (!names.insert(name).second) fail("\"" + name + "\" stands in the header twice");
      if (name == "__metadata__")
        metadata(header.metadata);
      else
        header.tensors.push_back(tensor(std::move(name)));
    });
    skip_space();
    if (at_ != text_.size()) fail("expected nothing but spaces after the header's object");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::model_format, path_ + ": " + what + ", at byte " + std::to_string(at_) +
                                             " of the header; the file is damaged or not a safetensors file");
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  bool accept(char character) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != character) return false;
    ++at_;
    return true;
  }

  void expect(char character) {
    if (!accept(character)) fail(std::string("expected '") + character + "'");
  }

  /// Calls member(name) with the cursor at each member's value.
  template <class Member>
  void object(const Member& member) {
    expect('{');
    if (accept('}')) return;
    do {
      std::string name = string();
      expect(':');
      member(std::move(name));
    } while (accept(','));
    expect('}');
  }

  void metadata(std::map<std::string, std::string>& out) {
    object([&](std::string name) {
      if (out.contains(name)) fail("\"" + name + "\" stands in __metadata__ twice");
      std::string value = string();
      out.emplace(std::move(name), std::move(value));
    });
  }

  TensorClaim tensor(std::string name) {
    TensorClaim claim{std::move(name), {}, {}, 0, 0};
    bool has_type = false;
    bool has_shape = false;
    bool has_offsets = false;
    const auto once = [this](bool& seen, const std::string& field) {
      if (seen) fail("\"" + field + "\" stands in one tensor twice");
      seen = true;
    };
    object([&](const std::string& field) {
      if (field == "dtype") {
        once(has_type, field);
        claim.type = string();
      } else if (field == "shape") {
        once(has_shape, field);
        claim.shape = numbers(max_dimensions);
      } else if (field == "data_offsets") {
        once(has_offsets, field);
        const std::vector<std::uint64_t> offsets = numbers(2);
        if (offsets.size() != 2) fail("data_offsets of \"" + claim.name + "\" must be two numbers");
        claim.begin = offsets[0];
        claim.end = offsets[1];
      } else {
        fail("\"" + field + "\" is not a member of a tensor (dtype, shape, data_offsets)");
      }
    });
    if (!has_type || !has_shape || !has_offsets)
      fail("tensor \"" + claim.name + "\" lacks one of dtype, shape and data_offsets");
    return claim;
  }

  std::vector<std::uint64_t> numbers(std::size_t limit) {
    std::vector<std::uint64_t> values;
    expect('[');
    if (accept(']')) return values;
    do {
      if (values.size() == limit) fail("expected at most " + std::to_string(limit) + " numbers");
      values.push_back(number());
    } while (accept(','));
    expect(']');
    return values;
  }

  std::uint64_t number() {
    skip_space();
    std::uint64_t value = 0;
    const char* first = text_.data() + at_;
    const char* last = text_.data() + text_.size();
    const auto [end, error] = std::from_chars(first, last, value);
    if (error == std::errc::result_out_of_range) fail("a number exceeds 64 bits");
    const bool has_leading_zero = error == std::errc{} && end - first > 1 && *first == '0';
    if (error != std::errc{} || has_leading_zero) fail("expected a whole number, 0 or more");
    at_ += static_cast<std::size_t>(end - first);
    return value;
  }

  std::string string() {
    expect('"');
    std::string value;
    while (true) {
      if (at_ == text_.size()) fail("a string does not end");
      const char character = text_[at_];
      if (static_cast<unsigned char>(character) < 0x20) fail("a control character stands in a string");
      ++at_;
      if (character == '"') return value;
      if (character == '\\')
        escape(value);
      else
        value += character;
    }
  }

  /// After a backslash.
  void escape(std::string& value) {
    if (at_ == text_.size()) fail("a string does not end");
    switch (text_[at_++]) {
      case '"': value += '"'; return;
      case '\\': value += '\\'; return;
      case '/': value += '/'; return;
      case 'b': value += '\b'; return;
      case 'f': value += '\f'; return;
      case 'n': value += '\n'; return;
      case 'r': value += '\r'; return;
      case 't': value += '\t'; return;
      case 'u': append_utf8(value, code_point()); return;
      default: fail("an unknown escape stands in a string");
    }
  }

  /// After "\u": four hexadecimal digits, or two such groups that make a surrogate pair.
  std::uint32_t code_point() {
    const std::uint32_t first = hexadecimal();
    if (first >= 0xdc00 && first < 0xe000) fail("half of a surrogate pair stands alone");
    if (first < 0xd800 || first >= 0xdc00) return first;
    if (text_.substr(at_, 2) != "\\u") fail("half of a surrogate pair stands alone");
    at_ += 2;
    const std::uint32_t second = hexadecimal();
    if (second < 0xdc00 || second >= 0xe000) fail("half of a surrogate pair stands alone");
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
  }

  std::uint32_t hexadecimal() {
    std::uint32_t value = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || end != digits.data() + 4) fail("expected four hexadecimal digits");
    at_ += 4;
    return value;
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& path) {
  if (!is_utf8(json))
    throw Error(ErrorCode::model_format,
                path + ": the header is not UTF-8; the file is damaged or not a safetensors file");
  return Parser(json, path).header();
}

}  // namespace lyaplock
