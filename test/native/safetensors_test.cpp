#include "format/safetensors.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "check.h"
#include "files.h"
#include "format/safetensors_header.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

std::string file_with(const std::string& header, std::size_t data_bytes, std::uint64_t header_length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &header_length, 8);
  return bytes + header + std::string(data_bytes, '\1');
}

std::string file_with(const std::string& header, std::size_t data_bytes) {
  return file_with(header, data_bytes, header.size());
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

const std::vector<float> six = {1, -2, 3.5F, 4, 5, 1e-30F};
const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0x0001};
const std::vector<double> scalar = {2.25};
const std::vector<std::uint8_t> odd = {1, 2, 3};

/// Several types, a scalar, an empty tensor, names that need escapes, data at odd addresses.
std::vector<TensorToWrite> samples() {
  return {{"weights \"of\"\n\\ layer é", DataType::float32, {2, 3}, bytes_of(six)},
          {"odd", DataType::uint8, {3}, bytes_of(odd)},
          {"half", DataType::float16, {3}, bytes_of(halves)},
          {"brain", DataType::bfloat16, {1, 3, 1}, bytes_of(halves)},
          {"empty", DataType::float32, {4, 0, 7}, {}},
          {"scalar", DataType::float64, {}, bytes_of(scalar)}};
}

std::vector<float> floats(const TensorInfo& tensor) {
  std::vector<float> values(tensor.elements());
  read_floats(tensor, std::span(values));
  return values;
}

}  // namespace

TEST("what is written is read") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  write_safetensors(path, samples(), {{"format", "pt"}, {"a\tb", "\x01"}});
  const auto file = SafetensorsFile::open(path);
  CHECK(file->path() == path);
  CHECK(file->tensors().size() == samples().size());
  for (const TensorToWrite& written : samples()) {
    const TensorInfo& read = file->tensor(written.name);
    CHECK(read.type == written.type);
    CHECK(read.shape == written.shape);
    CHECK(read.bytes.size() == written.bytes.size());
    CHECK(read.bytes.empty() || std::memcmp(read.bytes.data(), written.bytes.data(), read.bytes.size()) == 0);
  }
  CHECK((file->metadata() == std::map<std::string, std::string>{{"format", "pt"}, {"a\tb", "\x01"}}));
  CHECK(floats(file->tensor("weights \"of\"\n\\ layer é")) == six);
  CHECK((floats(file->tensor("half")) == std::vector<float>{1, -2, 0x1p-24F}));
  CHECK((floats(file->tensor("brain")) == std::vector<float>{0.0078125F, -2, 0x1p-133F}));
  CHECK((floats(file->tensor("scalar")) == std::vector<float>{2.25F}));
  CHECK(floats(file->tensor("empty")).empty());
  std::vector<double> wide(3);
  read_floats(file->tensor("half"), std::span(wide));
  CHECK(wide[2] == 0x1p-24);
  CHECK(folder.files() == 1);
}

TEST("tensor data begins at a multiple of eight bytes, without holes") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  for (std::size_t length = 1; length <= 9; ++length) {
    write_safetensors(path, {{std::string(length, 'x'), DataType::float32, {2, 3}, bytes_of(six)}}, {});
    const std::string bytes = read_bytes(path);
    std::uint64_t header_length = 0;
    std::memcpy(&header_length, bytes.data(), 8);
    CHECK(header_length % 8 == 0);
    CHECK(bytes.size() == 8 + header_length + 24);
  }
}

TEST("a file without tensors, and one of another writer") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  write_safetensors(path, {}, {});
  CHECK(SafetensorsFile::open(path)->tensors().empty());
  const std::string header = R"( { "\u00e9\ud83d\ude00\/" : { "data_offsets" : [ 1 , 9 ] , "shape":[2],)"
                             "\n\t"
                             R"("dtype":"F32" }, "__metadata__" : {} }   )";
  write_bytes(path, file_with(header, 9));
  const auto file = SafetensorsFile::open(path);
  CHECK(file->tensor("é😀/").elements() == 2);  // at an odd address, after an unused byte
  CHECK(floats(file->tensor("é😀/")).size() == 2);
}

TEST("a file cut anywhere is a typed error") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  write_safetensors(path, samples(), {{"format", "pt"}});
  const std::string whole = read_bytes(path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_bytes(path, whole.substr(0, length));
    CHECK_ERROR(ErrorCode::model_format, SafetensorsFile::open(path));
  }
}

TEST("a header with any byte changed is read or a typed error, and tensors stay inside the file") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  write_safetensors(path, samples(), {{"format", "pt"}});
  const std::string whole = read_bytes(path);
  std::uint64_t header_length = 0;
  std::memcpy(&header_length, whole.data(), 8);
  int read = 0;
  int refused = 0;
  for (std::size_t i = 0; i < 8 + header_length; ++i)
    for (const int change : {0x01, 0x02, 0x04, 0x10, 0x20, 0x40, 0x80, 0xff}) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ change);
      write_bytes(path, changed);
      try {
        const auto file = SafetensorsFile::open(path);
        std::size_t sum = 0;
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
  CHECK(read > 0 && refused > read);
}

TEST("headers that claim what is not so are refused") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  const auto tensor = [](const std::string& shape, const std::string& offsets) {
    return R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto one = [&](const std::string& shape, const std::string& offsets) {
    return R"({"x":)" + tensor(shape, offsets) + "}";
  };
  const auto two = [&](const std::string& first, const std::string& second) {
    return R"({"x":)" + tensor("[2]", first) + R"(,"y":)" + tensor("[2]", second) + "}";
  };
  const auto refused = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    return CHECK_ERROR(ErrorCode::model_format, SafetensorsFile::open(path));
  };
  // A sound one first, so that what follows is refused for its own sake.
  write_bytes(path, file_with(one("[2,3]", "[0,24]"), 24));
  CHECK(SafetensorsFile::open(path)->tensor("x").elements() == 6);

  for (const auto& [shape, offsets] : std::vector<std::pair<std::string, std::string>>{
           {"[2,3]", "[0,25]"},
           {"[2,3]", "[0,20]"},
           {"[2,3]", "[24,0]"},
           {"[2,3]", "[8,32]"},
           {"[2,3]", "[0,24,0]"},
           {"[2,3]", "[0]"},
           {"[2,3]", "[]"},
           {"[2,3]", "[-1,23]"},
           {"[2,3]", "[0.0,24]"},
           {"[2,3]", "[0,2.4e1]"},
           {"[2,3]", "[00,24]"},
           {"[2,3]", "[0,99999999999999999999]"},
           {"[2,3]", "[18446744073709551592,18446744073709551615]"},
           {"[4294967296,4294967296]", "[0,0]"},
           {"[4294967296,4294967296,6]", "[0,24]"},
           {"[9223372036854775808,2,3]", "[0,24]"},
           {"[4611686018427387910]", "[0,24]"},
           {"[2,-3]", "[0,24]"},
           {"[2,null]", "[0,24]"},
           {"[2,3", "[0,24]"},
           {"6", "[0,24]"},
           {"\"6\"", "[0,24]"},
           {"[[2,3]]", "[0,24]"},
           {"[" + std::string(200, '1').replace(1, 0, ",") + "]", "[0,24]"},
       })
    refused(file_with(one(shape, offsets), 24));
  std::string many = "[1";
  for (int i = 0; i < 64; ++i) many += ",1";
  refused(file_with(one(many + "]", "[0,4]"), 4));

  refused(file_with(two("[0,8]", "[4,12]"), 16));
  refused(file_with(two("[0,8]", "[0,8]"), 16));
  refused(file_with(two("[8,16]", "[7,15]"), 16));
  write_bytes(path, file_with(two("[8,16]", "[0,8]"), 16));
  CHECK(SafetensorsFile::open(path)->tensors().size() == 2);

  const std::string x = one("[2,3]", "[0,24]");
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{1}, x.size() - 1, x.size() + 1, x.size() + 25,
                                     std::uint64_t{100'000'001}, ~std::uint64_t{0}, ~std::uint64_t{0} - 7})
    refused(file_with(x, 24, length));
  const std::string member = R"("x":)" + tensor("[2,3]", "[0,24]");
  const std::string pair = tensor("[2,3]", "[0,24]");
  for (const std::string& header : {
           std::string(""),
           std::string("[]"),
           std::string("{"),
           std::string("null"),
           "{" + member,
           "{" + member + ",}",
           "{" + member + "," + member + "}",
           "{" + member + "} {}",
           "{" + member + "}x",
           "{" + member + "}" + std::string(1, '\0'),
           "{x:" + pair + "}",
           "{'x':" + pair + "}",
           "{\"x\n\":" + pair + "}",
           "{\"x\\q\":" + pair + "}",
           "{\"x\\u12g4\":" + pair + "}",
           "{\"x\\u12\":" + pair + "}",
           "{\"\\ud83d\":" + pair + "}",
           "{\"\\ude00\":" + pair + "}",
           "{\"\\ud83d\\u0041\":" + pair + "}",
           "{\"\xff\":" + pair + "}",
           "{\"\xc0\xaf\":" + pair + "}",
           "{\"\xed\xa0\x80\":" + pair + "}",
           "{\"x\":[" + pair + "]}",
           std::string("{\"x\":{}}"),
           std::string("{\"x\":null}"),
           std::string(R"({"x":{"dtype":"F32","shape":[2,3]}})"),
           std::string(R"({"x":{"dtype":"F32","dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})"),
           std::string(R"({"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24],"strides":[3,1]}})"),
           std::string(R"({"x":{"dtype":7,"shape":[2,3],"data_offsets":[0,24]}})"),
           std::string(R"({"__metadata__":{"a":1}})"),
           std::string(R"({"__metadata__":{"a":"b","a":"c"}})"),
           std::string(R"({"__metadata__":{"a":{"b":"c"}}})"),
           std::string(R"({"__metadata__":{},"__metadata__":{}})"),
           std::string(100000, '['),
           std::string(100000, '{'),
       })
    refused(file_with(header, 24));

  const std::string unknown = refused(file_with(R"({"x":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]}})", 3));
  CHECK(unknown.find("F8_E4M3") != std::string::npos && unknown.find("\"x\"") != std::string::npos);
}

TEST("files that cannot be read are a typed error") {
  const TemporaryFolder folder;
  CHECK_ERROR(ErrorCode::file, SafetensorsFile::open(folder.file("absent")));
  CHECK_ERROR(ErrorCode::file, SafetensorsFile::open(folder.file("")));
  CHECK_ERROR(ErrorCode::file, SafetensorsFile::open("/dev/null"));
  const std::string path = folder.file("sample.safetensors");
  write_safetensors(path, samples(), {});
  const auto file = SafetensorsFile::open(path);
  const std::string message = CHECK_ERROR(ErrorCode::model_format, static_cast<void>(file->tensor("absent")));
  CHECK(message.find("\"absent\"") != std::string::npos);
  CHECK_ERROR(ErrorCode::model_format, floats(file->tensor("odd")));
}

TEST("a write that fails leaves what was there, and nothing else") {
  const TemporaryFolder folder;
  CHECK_ERROR(ErrorCode::file, write_safetensors(folder.file("absent/sample"), samples(), {}));
  CHECK(folder.files() == 0);

  std::filesystem::create_directory(folder.file("taken"));
  CHECK_ERROR(ErrorCode::file, write_safetensors(folder.file("taken"), samples(), {}));
  CHECK(folder.files() == 1);

  // A limit on the size of files stands for a full disk: the write itself fails, halfway.
  const std::string path = folder.file("sample.safetensors");
  write_safetensors(path, samples(), {});
  const std::string before = read_bytes(path);
  const std::vector<float> large(100000);
  rlimit limit = {};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small = {65536, limit.rlim_max};
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    write_safetensors(path, {{"large", DataType::float32, {large.size()}, bytes_of(large)}}, {});
  } catch (const Error& error) {
    message = error.code() == ErrorCode::file ? error.what() : "";
  }
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, previous);
  CHECK(message.find(path) == 0);
  CHECK(read_bytes(path) == before);
  CHECK(folder.files() == 2);
}

TEST("bytes may be made when it is their turn") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  std::string order;
  const auto make = [&order](char name, std::size_t size) {
    return [&order, name, size] {
      order += name;
      return std::vector<std::byte>(size, static_cast<std::byte>(name));
    };
  };
  const TensorToWrite first{"first", DataType::uint8, {3}, {}, make('a', 3)};
  const TensorToWrite second{"second", DataType::float32, {2, 1}, {}, make('b', 8)};
  write_safetensors(path, {first, {"between", DataType::uint8, {3}, bytes_of(odd)}, second}, {});
  CHECK(order == "ab");
  const auto file = SafetensorsFile::open(path);
  CHECK(std::to_integer<char>(file->tensor("first").bytes[2]) == 'a');
  CHECK(std::to_integer<int>(file->tensor("between").bytes[2]) == 3);
  CHECK(std::to_integer<char>(file->tensor("second").bytes[7]) == 'b');

  const std::string before = read_bytes(path);
  const TensorToWrite short_one{"second", DataType::float32, {2, 1}, {}, make('c', 7)};
  CHECK_ERROR(ErrorCode::shape, write_safetensors(path, {first, short_one}, {}));
  CHECK(read_bytes(path) == before);
  CHECK(folder.files() == 1);
}

TEST("tensors that do not fit their claims are not written") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  const auto write = [&](std::vector<TensorToWrite> tensors) { write_safetensors(path, tensors, {}); };
  CHECK_ERROR(ErrorCode::shape, write({{"x", DataType::float32, {2, 2}, bytes_of(six)}}));
  CHECK_ERROR(ErrorCode::shape, write({{"x", DataType::float32, {std::size_t{1} << 62, 4}, {}}}));
  CHECK_ERROR(ErrorCode::invalid_argument,
              write({{"x", DataType::float32, {6}, bytes_of(six)}, {"x", DataType::float32, {6}, bytes_of(six)}}));
  CHECK_ERROR(ErrorCode::invalid_argument, write({{"x", DataType::q8_0, {32}, bytes_of(std::vector<char>(34))}}));
  CHECK_ERROR(ErrorCode::invalid_argument, write({{"__metadata__", DataType::float32, {6}, bytes_of(six)}}));
  CHECK(folder.files() == 0);
}

TEST("a file that is open stays readable when it is replaced") {
  const TemporaryFolder folder;
  const std::string path = folder.file("sample.safetensors");
  write_safetensors(path, {{"x", DataType::float32, {6}, bytes_of(six)}}, {});
  const auto file = SafetensorsFile::open(path);
  write_safetensors(path, {{"y", DataType::float64, {}, bytes_of(scalar)}}, {});
  CHECK(floats(file->tensor("x")) == six);
  CHECK(SafetensorsFile::open(path)->tensors().size() == 1);
}
