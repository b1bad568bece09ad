// Damages files, the same way for the same number.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace lyaplock::fuzz {

/// A sound file, and where its header ends: that is where most damage is done.
struct Seed {
  std::string name;
  std::string bytes;
  std::size_t header;
};

class Mutator {
 public:
  explicit Mutator(std::vector<Seed> seeds) : seeds_(std::move(seeds)) {}

  /// Case `number`: one of the seeds, with one to four things wrong.
  std::string make(std::uint64_t number) {
    random_.seed(number);
    const Seed& seed = seeds_[below(seeds_.size())];
    std::string bytes = seed.bytes;
    header_ = seed.header;
    // Mostly one: the more is wrong, the sooner a reader stops.
    for (std::uint64_t i = 0, count = below(3) == 0 ? 1 + below(4) : 1; i < count; ++i) damage(bytes);
    return bytes;
  }

 private:
  std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : random_() % end; }

  /// A place in the file, in its header nine times of ten.
  std::size_t place(const std::string& bytes) {
    const std::size_t end = below(10) == 0 ? bytes.size() : std::min(bytes.size(), header_);
    return static_cast<std::size_t>(below(end));
  }

  /// Numbers at which arithmetic breaks, or that are close to the file's own.
  std::uint64_t number(std::size_t file_size) {
    static constexpr std::uint64_t kPowers[] = {0, 7, 8, 15, 16, 31, 32, 53, 61, 62, 63};
    switch (below(5)) {
      case 0: return (std::uint64_t{1} << kPowers[below(std::size(kPowers))]) + below(3) - 1;
      case 1: return ~std::uint64_t{0} - below(64);
      case 2: return file_size + below(65) - 32;
      case 3: return below(300);
      default: return random_();
    }
  }

  void damage(std::string& bytes) {
    if (bytes.empty()) return;
    const std::size_t at = place(bytes), size = bytes.size();
    switch (below(11)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); return;
      case 1: bytes[at] = static_cast<char>(below(256)); return;
      case 2: return overwrite(bytes, at, 8);
      case 3: return overwrite(bytes, at, 4);
      case 4: return replace_decimal(bytes, at);
      case 5: bytes.resize(below(2) == 0 ? at : size - below(std::min<std::size_t>(size, 64))); return;
      case 6: bytes.erase(at, 1 + below(24)); return;
      case 7: bytes.insert(at, std::string(1 + below(24), static_cast<char>(below(256)))); return;
      case 8: bytes.insert(place(bytes), bytes.substr(at, 1 + below(64))); return;
      case 9: return swap_words(bytes, at);
      default: return splice(bytes, at);
    }
  }

  void overwrite(std::string& bytes, std::size_t at, std::size_t width) {
    const std::uint64_t value = number(bytes.size());
    at = std::min(at, bytes.size() - std::min(width, bytes.size()));
    std::memcpy(bytes.data() + at, &value, std::min(width, bytes.size()));
  }

  /// The number in a JSON header at or after a place.
  void replace_decimal(std::string& bytes, std::size_t at) {
    const std::size_t begin = bytes.find_first_of("0123456789", at);
    if (begin == std::string::npos) return;
    const std::size_t end = bytes.find_first_not_of("0123456789", begin);
    const std::string text = below(8) == 0 ? "-1" : std::to_string(number(bytes.size()));
    bytes.replace(begin, (end == std::string::npos ? bytes.size() : end) - begin, text);
  }

  /// Eight bytes change places with eight others: offsets, lengths and counts of another thing.
  void swap_words(std::string& bytes, std::size_t at) {
    const std::size_t other = place(bytes);
    for (std::size_t i = 0; i < 8; ++i)
      if (at + i < bytes.size() && other + i < bytes.size()) std::swap(bytes[at + i], bytes[other + i]);
  }

  /// A piece of another file.
  void splice(std::string& bytes, std::size_t at) {
    const std::string& other = seeds_[below(seeds_.size())].bytes;
    const std::size_t from = static_cast<std::size_t>(below(other.size()));
    bytes.replace(at, below(32), other, from, 1 + below(64));
  }

  std::vector<Seed> seeds_;
  std::mt19937_64 random_;
  std::size_t header_ = 0;
};

}  // namespace lyaplock::fuzz
