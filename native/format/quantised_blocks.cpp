#include "format/quantised_blocks.h"

#include <cstring>

#include "base/error.h"
#include "base/half.h"

// Layouts are those of ggml (ggml-common.h). Scales are float16 (11 bits of significand) times integers of at most 7
// bits times numbers of at most 6, so that every product below is exact in float32 and only sums round: the bits do not
// depend on whether a compiler fuses products and sums.

namespace lyaplock {

namespace {

using Byte = unsigned char;

float half_at(const Byte* bytes) {
  std::uint16_t half = 0;
  std::memcpy(&half, bytes, sizeof half);
  return float16_to_float32(half);
}

int signed_at(const Byte* bytes) { return static_cast<signed char>(*bytes); }

int low(Byte byte) { return byte & 15; }
int high(Byte byte) { return byte >> 4; }

// Of 32 numbers, the first half are the low four bits of 16 bytes, the second half the high ones.

/// scale, 16 bytes
template <class T>
void read_q4_0(const Byte* block, T* out) {
  const float scale = half_at(block);
  const Byte* quants = block + 2;
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(low(quants[i]) - 8);
    out[i + 16] = scale * static_cast<float>(high(quants[i]) - 8);
  }
}

/// scale, minimum, 16 bytes
template <class T>
void read_q4_1(const Byte* block, T* out) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  const Byte* quants = block + 4;
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(low(quants[i])) + minimum;
    out[i + 16] = scale * static_cast<float>(high(quants[i])) + minimum;
  }
}

/// The fifth bits of 32 numbers, in order.
std::uint32_t fifth_bits(const Byte* bytes) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, bytes, sizeof bits);
  return bits;
}

int fifth_bit(std::uint32_t bits, int i) { return static_cast<int>(bits >> i & 1U) << 4; }

/// scale, 4 bytes of fifth bits, 16 bytes
template <class T>
void read_q5_0(const Byte* block, T* out) {
  const float scale = half_at(block);
  const std::uint32_t fifth = fifth_bits(block + 2);
  const Byte* quants = block + 6;
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>((low(quants[i]) | fifth_bit(fifth, i)) - 16);
    out[i + 16] = scale * static_cast<float>((high(quants[i]) | fifth_bit(fifth, i + 16)) - 16);
  }
}

/// scale, minimum, 4 bytes of fifth bits, 16 bytes
template <class T>
void read_q5_1(const Byte* block, T* out) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  const std::uint32_t fifth = fifth_bits(block + 4);
  const Byte* quants = block + 8;
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(low(quants[i]) | fifth_bit(fifth, i)) + minimum;
    out[i + 16] = scale * static_cast<float>(high(quants[i]) | fifth_bit(fifth, i + 16)) + minimum;
  }
}

/// scale, 32 signed bytes
template <class T>
void read_q8_0(const Byte* block, T* out) {
  const float scale = half_at(block);
  for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(signed_at(block + 2 + i));
}

// Of 256 numbers, groups of 32 have a scale and a minimum of six bits each, packed into twelve bytes: four bytes with
// the scales of the first four groups, four with their minima, and four with the low bits of the other groups' scales
// and minima, whose high bits are the high bits of the first eight bytes.

struct GroupScale {
  int scale;
  int minimum;
};

GroupScale group_scale(const Byte* packed, int group) {
  if (group < 4) return {packed[group] & 63, packed[group + 4] & 63};
  const Byte both = packed[group + 4];
  return {low(both) | packed[group - 4] >> 6 << 4, high(both) | packed[group] >> 6 << 4};
}

/// scale, scale of minima, 12 bytes of group scales, 128 bytes: of each 32, low halves are a group, high halves the
/// next
template <class T>
void read_q4_k(const Byte* block, T* out) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  const Byte* quants = block + 16;
  for (int group = 0; group < 8; ++group) {
    const GroupScale own = group_scale(block + 4, group);
    const float group_scale = scale * static_cast<float>(own.scale);
    const float group_minimum = minimum * static_cast<float>(own.minimum);
    const Byte* of_group = quants + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int i = 0; i < 32; ++i)
      out[32 * group + i] = group_scale * static_cast<float>(of_group[i] >> shift & 15) - group_minimum;
  }
}

/// As q4_k, with 32 bytes before the last 128 whose bit g is the fifth bit of the group g
template <class T>
void read_q5_k(const Byte* block, T* out) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  const Byte* fifth = block + 16;
  const Byte* quants = block + 48;
  for (int group = 0; group < 8; ++group) {
    const GroupScale own = group_scale(block + 4, group);
    const float group_scale = scale * static_cast<float>(own.scale);
    const float group_minimum = minimum * static_cast<float>(own.minimum);
    const Byte* of_group = quants + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int i = 0; i < 32; ++i) {
      const int quant = (of_group[i] >> shift & 15) | (fifth[i] >> group & 1) << 4;
      out[32 * group + i] = group_scale * static_cast<float>(quant) - group_minimum;
    }
  }
}

/// 128 bytes of low four bits, 64 of high two, 16 signed group scales (of 16 numbers each), scale. Each half of the
/// numbers is four runs of 32: low, low, high, high halves of 64 bytes, with two bits each of the same 32 bytes.
template <class T>
void read_q6_k(const Byte* block, T* out) {
  const float scale = half_at(block + 208);
  for (int run = 0; run < 8; ++run) {
    const int half = run / 4, quarter = run % 4;
    const Byte* low_bits = block + 64 * half + quarter % 2 * 32;
    const Byte* high_bits = block + 128 + 32 * half;
    const int low_shift = quarter / 2 * 4, high_shift = 2 * quarter;
    for (int part = 0; part < 2; ++part) {
      const float group_scale = scale * static_cast<float>(signed_at(block + 192 + 2 * run + part));
      for (int i = 16 * part; i < 16 * part + 16; ++i) {
        const int quant = (low_bits[i] >> low_shift & 15) | (high_bits[i] >> high_shift & 3) << 4;
        out[32 * run + i] = group_scale * static_cast<float>(quant - 32);
      }
    }
  }
}

template <class T, class Read>
void read_all(StorageUnit unit, std::span<const std::byte> blocks, std::span<T> out, const Read& read_one) {
  const Byte* block = reinterpret_cast<const Byte*>(blocks.data());
  for (std::size_t i = 0; i < out.size(); i += unit.elements, block += unit.bytes) read_one(block, out.data() + i);
}

template <class T>
void read(DataType type, std::span<const std::byte> blocks, std::span<T> out) {
  const StorageUnit unit = unit_of(type);
  if (blocks.size() % unit.bytes != 0 || out.size() != blocks.size() / unit.bytes * unit.elements)
    throw Error(ErrorCode::internal, "read_blocks: " + std::to_string(blocks.size()) + " bytes of type " +
                                         name_of(type) + " are not " + std::to_string(out.size()) +
                                         " numbers; please report this");
  switch (type) {
    case DataType::q4_0: return read_all(unit, blocks, out, read_q4_0<T>);
    case DataType::q4_1: return read_all(unit, blocks, out, read_q4_1<T>);
    case DataType::q5_0: return read_all(unit, blocks, out, read_q5_0<T>);
    case DataType::q5_1: return read_all(unit, blocks, out, read_q5_1<T>);
    case DataType::q8_0: return read_all(unit, blocks, out, read_q8_0<T>);
    case DataType::q4_k: return read_all(unit, blocks, out, read_q4_k<T>);
    case DataType::q5_k: return read_all(unit, blocks, out, read_q5_k<T>);
    case DataType::q6_k: return read_all(unit, blocks, out, read_q6_k<T>);
    default: throw Error(ErrorCode::internal, "read_blocks: " + name_of(type) + " has no blocks; please report this");
  }
}

}  // namespace

void read_blocks(DataType type, std::span<const std::byte> blocks, std::span<float> out) { read(type, blocks, out); }
void read_blocks(DataType type, std::span<const std::byte> blocks, std::span<double> out) { read(type, blocks, out); }

}  // namespace lyaplock
