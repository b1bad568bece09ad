#include "format/utf8.h"

namespace lyaplock {

namespace {

std::uint32_t byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

/// Length of the well-formed sequence at `i`, 0 if there is none.
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const std::uint32_t lead = byte_at(text, i);
  if (lead < 0x80) return 1;
  const std::size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length == 0 || length > text.size() - i) return 0;
  std::uint32_t code = lead & (0xffU >> (length + 1));
  for (std::size_t j = 1; j < length; ++j) {
    const std::uint32_t next = byte_at(text, i + j);
    if ((next & 0xc0) != 0x80) return 0;
    code = code << 6 | (next & 0x3f);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < smallest[length] || code > 0x10ffff || surrogate ? 0 : length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

void append_utf8(std::string& text, std::uint32_t code_point) {
  const auto add = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto continuation = [code_point](int shift) { return 0x80 | (code_point >> shift & 0x3f); };
  if (code_point < 0x80) {
    add(code_point);
  } else if (code_point < 0x800) {
    add(0xc0 | code_point >> 6);
    add(continuation(0));
  } else if (code_point < 0x10000) {
    add(0xe0 | code_point >> 12);
    add(continuation(6));
    add(continuation(0));
  } else {
    add(0xf0 | code_point >> 18);
    add(continuation(12));
    add(continuation(6));
    add(continuation(0));
  }
}

}  // namespace lyaplock
