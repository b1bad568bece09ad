// Damaged safetensors and GGUF files through their readers: each is read to its last number or refused with a typed
// error. Built with sanitizers by scripts/fuzz.mjs, which says how to run it.
//
//   readers CORPUS --cases N [--from K]        cases K ... K + N - 1
//   readers CORPUS --seconds S [--from K]      as many as fit
//   readers CORPUS --plant over-read|allocation    a mistake that has to be found

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <vector>

#include "base/error.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "mutator.h"

// Of the sanitizer's runtime (sanitizer/allocator_interface.h, which not every GCC installs).
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, std::size_t),
                                                         void (*on_free)(const volatile void*));

using namespace lyaplock;
using namespace lyaplock::fuzz;

namespace {

std::size_t largest_allocation = 0;
std::size_t allocated = 0;

void count_allocation(const volatile void*, std::size_t size) {
  largest_allocation = std::max(largest_allocation, size);
  allocated += size;
}
void ignore_free(const volatile void*) {}

}  // namespace

// The linker puts these in the place of mmap and munmap (--wrap): a file is mapped to memory of exactly its size, so
// that the sanitizer sees the first byte that is read behind it, which a page would hide.
extern "C" {
void* __wrap_mmap(void*, std::size_t size, int, int, int descriptor, off_t) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 4096, size) != 0) return MAP_FAILED;
  if (pread(descriptor, memory, size, 0) != static_cast<ssize_t>(size)) std::abort();
  largest_allocation = allocated = 0;  // what follows is the reader's own
  return memory;
}
int __wrap_munmap(void* memory, std::size_t) {
  std::free(memory);
  return 0;
}
}

namespace {

/// Bytes of allocations for a byte of the file: a JSON text, and tables of small things, take several.
constexpr std::size_t allowed_per_byte = 64;
constexpr std::size_t allowed_at_least = 1 << 16;

volatile std::size_t sink = 0;

std::size_t read_tensors(const std::map<std::string, TensorInfo>& tensors) {
  std::size_t sum = 0;
  for (const auto& [name, tensor] : tensors) {
    for (const std::byte byte : tensor.bytes) sum += static_cast<std::size_t>(byte);
    std::vector<float> values(tensor.elements());
    try {
      read_floats(tensor, std::span(values));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::model_format) throw;
    }
    for (const float value : values) sum += value > 0 ? 1 : 0;
  }
  return sum;
}

void read_file(const std::string& path) {
  if (GgufFile::recognises(path)) {
    const auto file = GgufFile::open(path);
    sink = sink + header_json(*file).size() + read_tensors(file->tensors());
  } else {
    const auto file = SafetensorsFile::open(path);
    sink = sink + file->metadata().size() + read_tensors(file->tensors());
  }
}

/// A file in memory that is opened by name.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("case", MFD_CLOEXEC)) {
    if (descriptor_ < 0) throw std::runtime_error("memfd_create failed");
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void write(const std::string& bytes) {
    if (ftruncate(descriptor_, 0) != 0 ||
        pwrite(descriptor_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("a case cannot be written");
  }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// True where the case was read, false where it was refused as it should be. Everything else is a failure.
bool passes(MemoryFile& file, const std::string& bytes) {
  file.write(bytes);
  bool read = true;
  try {
    read_file(file.path());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::model_format) throw;
    read = false;
  }
  const std::size_t allowed = std::max(allowed_at_least, allowed_per_byte * bytes.size());
  if (allocated > allowed)
    throw std::runtime_error("allocated " + std::to_string(allocated) + " bytes for a file of " +
                             std::to_string(bytes.size()) + ", at most " + std::to_string(largest_allocation) +
                             " of them at once");
  return read;
}

std::vector<Seed> read_corpus(const std::string& folder) {
  std::vector<Seed> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream stream(entry.path(), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    std::size_t header = bytes.size();
    if (entry.path().extension() == ".gguf") {
      header = parse_gguf_header(std::as_bytes(std::span(bytes)), entry.path().string()).bytes;
    } else {
      std::memcpy(&header, bytes.data(), 8);
      header += 8;
    }
    seeds.push_back({entry.path().filename().string(), std::move(bytes), header});
  }
  std::sort(seeds.begin(), seeds.end(), [](const Seed& a, const Seed& b) { return a.name < b.name; });
  if (seeds.empty()) throw std::runtime_error(folder + " holds no seeds");
  return seeds;
}

void plant(const std::string& mistake, const std::string& bytes) {
  MemoryFile file;
  file.write(bytes);
  const MappedFile mapped(file.path());
  if (mistake == "over-read") {
    sink = static_cast<std::size_t>(*(mapped.bytes().data() + mapped.bytes().size()));
  } else if (mistake == "allocation") {
    const std::vector<char> large(allowed_at_least + allowed_per_byte * bytes.size() + 1);
    sink = large.size();
    if (allocated > std::max(allowed_at_least, allowed_per_byte * bytes.size())) throw std::runtime_error("allocated");
  }
}

int run(const std::vector<std::string>& arguments) {
  std::uint64_t from = 0, cases = ~std::uint64_t{0};
  double seconds = 1e9;
  std::vector<Seed> seeds = read_corpus(arguments.at(0));
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    const std::string& value = arguments.at(i + 1);
    if (arguments[i] == "--plant") return plant(value, seeds.front().bytes), 0;
    if (arguments[i] == "--cases") cases = std::stoull(value);
    if (arguments[i] == "--from") from = std::stoull(value);
    if (arguments[i] == "--seconds") seconds = std::stod(value);
  }

  MemoryFile file;
  for (const Seed& seed : seeds)
    if (!passes(file, seed.bytes)) throw std::runtime_error("the sound file " + seed.name + " is refused");
  Mutator mutator(seeds);
  std::uint64_t read = 0, done = 0;
  const auto begun = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); };
  for (; done < cases && (done % 256 != 0 || elapsed() < seconds); ++done) {
    const std::string bytes = mutator.make(from + done);
    try {
      read += passes(file, bytes) ? 1 : 0;
    } catch (const std::exception& error) {
      std::ofstream("failed-case", std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      throw std::runtime_error("case " + std::to_string(from + done) + " (written to failed-case): " + error.what());
    }
  }
  std::printf("%llu cases from %zu seeds in %.1f s: %llu read, %llu refused\n", static_cast<unsigned long long>(done),
              seeds.size(), elapsed(), static_cast<unsigned long long>(read),
              static_cast<unsigned long long>(done - read));
  if (read == 0 || read == done) throw std::runtime_error("all cases ended in the same way");
  return 0;
}

}  // namespace

int main(int count, char** values) {
  __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free);
  try {
    return run({values + 1, values + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fuzz: %s\n", error.what());
    return 1;
  }
}
