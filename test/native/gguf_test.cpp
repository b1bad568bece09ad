#include "format/gguf.h"

#include <cstring>
#include <limits>

#include "check.h"
#include "files.h"
#include "format/safetensors.h"
#include "gguf_file.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

constexpr std::uint32_t f32 = 0, f16 = 1, q4_1 = 3, q2_k = 10, q4_k = 12, i8 = 24;

/// Every type of metadata, and tensors of several.
GgufBytes sample() {
  using enum GgufType;
  return {
      {
          entry("general.architecture", string, raw_string("llama")),
          entry("a.u8", uint8, raw<std::uint8_t>(255)),
          entry("a.i8", int8, raw<std::int8_t>(-1)),
          entry("a.u16", uint16, raw<std::uint16_t>(65535)),
          entry("a.i16", int16, raw<std::int16_t>(-2)),
          entry("a.u32", uint32, raw<std::uint32_t>(4294967295U)),
          entry("a.i32", int32, raw<std::int32_t>(-3)),
          entry("a.f32", float32, raw(1e-5F)),
          entry("a.true", boolean, raw<std::uint8_t>(1)),
          entry("a.u64", uint64, raw(~std::uint64_t{0})),
          entry("a.i64", int64, raw<std::int64_t>(-4)),
          entry("a.f64", float64, raw(0.1)),
          entry("a.nan", float32, raw(std::numeric_limits<float>::quiet_NaN())),
          entry("a.texts", array, test::array(string, 3, raw_string("é") + raw_string("") + raw_string("\"\n"))),
          entry("a.numbers", array, test::array(int32, 2, raw<std::int32_t>(7) + raw<std::int32_t>(-7))),
          entry("a.none", array, test::array(float32, 0, "")),
          entry("a.nested", array,
                test::array(array, 2, test::array(boolean, 1, raw<std::uint8_t>(0)) + test::array(string, 0, ""))),
      },
      {{"floats", {3, 2}, f32, 0}, {"blocks", {64, 2}, q4_1, 32}, {"halves", {5}, f16, 128}, {"bytes", {}, i8, 160}},
      161};
}

}  // namespace

TEST("gguf: what is in a file is read") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.gguf");
  for (const std::uint32_t version : {2U, 3U}) {
    GgufBytes bytes = sample();
    bytes.version = version;
    write_bytes(path, bytes.file());
    CHECK(GgufFile::recognises(path));
    const auto file = GgufFile::open(path);
    CHECK(file->path() == path);
    CHECK(file->architecture() == "llama");
    CHECK(gguf_count(file->metadata().find("a.u64")->second) == ~std::uint64_t{0});
    CHECK(!gguf_count(file->metadata().find("a.i64")->second));
    CHECK(!gguf_count(file->metadata().find("a.f32")->second));
    CHECK(file->tensors().size() == 4);
    CHECK((file->tensors().at("floats").shape == std::vector<std::size_t>{2, 3}));
    CHECK(file->tensors().at("floats").bytes.size() == 24);
    CHECK((file->tensors().at("blocks").shape == std::vector<std::size_t>{2, 64}));
    CHECK(file->tensors().at("blocks").bytes.size() == 80);
    CHECK(file->tensors().at("blocks").elements() == 128);
    CHECK(file->tensors().at("halves").type == DataType::float16);
    CHECK(file->tensors().at("bytes").elements() == 1);
    const std::size_t begin = bytes.file().size() - bytes.data_bytes;
    const std::byte* first = file->tensors().at("floats").bytes.data();
    CHECK(file->tensors().at("bytes").bytes.data() == first + 160);
    CHECK(begin % 32 == 0);
    CHECK(header_json(*file) ==
          R"({"metadata":{"a.f32":1e-05,"a.f64":0.1,"a.i16":-2,"a.i32":-3,"a.i64":-4,"a.i8":-1,"a.nan":null,)"
          R"("a.nested":[[false],[]],"a.none":[],"a.numbers":[7,-7],"a.texts":["é","","\"\u000a"],"a.true":true,)"
          R"("a.u16":65535,"a.u32":4294967295,"a.u64":18446744073709551615,"a.u8":255,)"
          R"("general.architecture":"llama"},"tensors":{"blocks":{"type":"Q4_1","shape":[2,64]},)"
          R"("bytes":{"type":"I8","shape":[]},"floats":{"type":"F32","shape":[2,3]},)"
          R"("halves":{"type":"F16","shape":[5]}}})");
  }
}

TEST("gguf: a file of nothing, and one of another alignment") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.gguf");
  write_bytes(path, GgufBytes{}.header());  // without even the padding
  const auto empty = GgufFile::open(path);
  CHECK(empty->tensors().empty());
  CHECK_ERROR(ErrorCode::model_format, static_cast<void>(empty->architecture()));

  GgufBytes bytes{{entry("general.alignment", GgufType::uint32, raw<std::uint32_t>(8))}, {{"x", {2}, f32, 8}}, 16};
  bytes.alignment = 8;
  write_bytes(path, bytes.file());
  CHECK(GgufFile::open(path)->tensors().at("x").elements() == 2);

  write_bytes(path, "GGU");
  CHECK(!GgufFile::recognises(path));
  write_bytes(path, "");
  CHECK(!GgufFile::recognises(path));
  CHECK_ERROR(ErrorCode::model_format, GgufFile::open(path));
  CHECK_ERROR(ErrorCode::file, GgufFile::open(folder.file("absent")));
}

TEST("gguf: a file cut anywhere is a typed error") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.gguf");
  const std::string whole = sample().file();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_bytes(path, whole.substr(0, length));
    const std::string message = CHECK_ERROR(ErrorCode::model_format, GgufFile::open(path));
    CHECK(message.find(path) == 0);
  }
}

TEST("gguf: a header with any byte changed is read or a typed error, and tensors stay inside the file") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.gguf");
  const std::string whole = sample().file();
  int read = 0, refused = 0;
  for (std::size_t i = 0; i < sample().header().size(); ++i)
    for (const int change : {0x01, 0x02, 0x04, 0x10, 0x20, 0x40, 0x80, 0xff}) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ change);
      write_bytes(path, changed);
      try {
        const auto file = GgufFile::open(path);
        std::size_t sum = header_json(*file).size();
        for (const auto& [name, tensor] : file->tensors())
          for (const std::byte byte : tensor.bytes) sum += static_cast<std::size_t>(byte);
        CHECK(sum < whole.size() * 256);
        ++read;
      } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::model_format);
        CHECK(std::string(error.what()).find(path) == 0);
        ++refused;
      }
    }
  CHECK(read > 0 && refused > 0);
}

TEST("gguf: tensors that claim what is not so are refused") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.gguf");
  const auto open = [&](std::vector<TensorInfoBytes> tensors) {
    write_bytes(path, GgufBytes{{}, std::move(tensors), 64}.file());
    return GgufFile::open(path);
  };
  const auto refused = [&](std::vector<TensorInfoBytes> tensors) {
    return CHECK_ERROR(ErrorCode::model_format, open(tensors));
  };
  // A sound one first, so that what follows is refused for its own sake.
  CHECK(open({{"x", {3, 2}, f32, 0}, {"y", {2}, f32, 32}})->tensors().size() == 2);
  CHECK(open({{"x", {0, 1ULL << 63, 1ULL << 63}, f32, 0}})->tensors().at("x").elements() == 0);

  constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  refused({{"x", {17}, f32, 0}});
  refused({{"x", {9}, f32, 32}});
  refused({{"x", {2}, f32, 8}});
  refused({{"x", {1}, f32, 96}});
  refused({{"x", {2}, f32, huge - 31}});
  refused({{"x", {2}, f32, huge}});
  refused({{"x", {huge}, f32, 0}});
  refused({{"x", {1ULL << 32, 1ULL << 32}, f32, 0}});
  refused({{"x", {1ULL << 62, 4}, f32, 0}});
  refused({{"x", {(1ULL << 62) + 1}, f32, 0}});
  refused({{"x", {1, 1, 1, 1, 1}, f32, 0}});
  refused({{"x", {33}, q4_1, 0}});
  refused({{"x", {32, 4}, q4_1, 0}});
  refused({{"x", {32}, q4_k, 0}});
  refused({{"x", {}, q4_1, 0}});
  refused({{"x", {2}, f32, 0}, {"x", {2}, f32, 32}});
  refused({{"\xff", {2}, f32, 0}});
  refused({{"x", {9}, f32, 0}, {"y", {2}, f32, 32}});
  refused({{"x", {2}, f32, 0}, {"y", {2}, f32, 0}});
  const std::string unread = refused({{"x", {256}, q2_k, 0}});
  CHECK(unread.find("Q2_K") != std::string::npos && unread.find("\"x\"") != std::string::npos);
  CHECK(refused({{"x", {256}, 4, 0}}).find("number 4") != std::string::npos);

  std::string many = GgufBytes{}.header();
  for (const std::uint64_t count : {std::uint64_t{1}, std::uint64_t{1} << 40, huge}) {
    std::memcpy(many.data() + 8, &count, 8);
    write_bytes(path, many);
    CHECK_ERROR(ErrorCode::model_format, GgufFile::open(path));
  }
}

TEST("gguf: metadata that claims what is not so is refused") {
  using enum GgufType;
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.gguf");
  const auto refused = [&](const GgufBytes& bytes) {
    write_bytes(path, bytes.file());
    return CHECK_ERROR(ErrorCode::model_format, GgufFile::open(path));
  };
  constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t count : {std::uint64_t{100}, std::uint64_t{1} << 33, std::uint64_t{1} << 62, huge}) {
    refused({{entry("a", string, raw(count) + "text")}, {}});
    refused({{raw(count) + "key"}, {}});
    for (const GgufType type : {uint8, uint64, boolean, string, array})
      refused({{entry("a", array, test::array(type, count, std::string(8, '\0')))}, {}});
    std::string bytes = GgufBytes{}.header();
    std::memcpy(bytes.data() + 16, &count, 8);
    write_bytes(path, bytes);
    CHECK_ERROR(ErrorCode::model_format, GgufFile::open(path));
  }
  const std::string number = entry("a", uint32, raw<std::uint32_t>(1));
  refused({{number, number}, {}});
  refused({{entry("a", string, raw_string("\xc0\xaf"))}, {}});
  refused({{entry("\xed\xa0\x80", uint8, "1")}, {}});
  refused({{entry("a", static_cast<GgufType>(13), raw<std::uint64_t>(1))}, {}});
  refused({{entry("a", array, test::array(static_cast<GgufType>(99), 1, raw<std::uint64_t>(1)))}, {}});
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += raw_type(array) + raw<std::uint64_t>(1);
  refused({{entry("a", array, deep + test::array(uint8, 1, "1"))}, {}});

  for (const std::uint32_t alignment : {0U, 3U, 48U, 1U << 31, ~0U})
    refused({{entry("general.alignment", uint32, raw(alignment))}, {}});
  refused({{entry("general.alignment", string, raw_string("32"))}, {}});
  refused({{entry("general.alignment", int32, raw<std::int32_t>(-32))}, {}});

  for (const std::uint32_t version : {0U, 1U, 4U, 0x03000000U}) {
    GgufBytes bytes;
    bytes.version = version;
    const std::string message = refused(bytes);
    CHECK((message.find("big-endian") != std::string::npos) == (version == 0x03000000U));
  }
  write_bytes(path, "GGML" + GgufBytes{}.header().substr(4));
  CHECK_ERROR(ErrorCode::model_format, GgufFile::open(path));
}

// blocks.safetensors comes from make.py beside it: blocks of random bytes, and what the Python package gguf makes of
// them.
TEST("quantised blocks are what ggml makes of them, to the bit") {
  const auto golden = SafetensorsFile::open("test/fixtures/gguf/blocks.safetensors");
  int types = 0;
  for (const DataType type : {DataType::q4_0, DataType::q4_1, DataType::q5_0, DataType::q5_1, DataType::q8_0,
                              DataType::q4_k, DataType::q5_k, DataType::q6_k}) {
    const TensorInfo& blocks = golden->tensor(name_of(type) + ".blocks");
    const TensorInfo& values = golden->tensor(name_of(type) + ".values");
    const TensorInfo tensor{type, values.shape, blocks.bytes};
    CHECK(tensor.elements() == values.elements());
    CHECK(tensor.elements() >= 2 * unit_of(type).elements);
    std::vector<float> read(tensor.elements());
    read_floats(tensor, std::span(read));
    CHECK(std::memcmp(read.data(), values.bytes.data(), values.bytes.size()) == 0);
    std::vector<double> wide(tensor.elements());
    read_floats(tensor, std::span(wide));
    for (std::size_t i = 0; i < wide.size(); ++i) CHECK(wide[i] == static_cast<double>(read[i]));
    ++types;
  }
  CHECK(types == 8);
}
