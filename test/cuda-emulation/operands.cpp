#include "operands.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "fault.h"
#include "memory.h"

namespace cuda_emulation {

namespace {

bool is_empty(const Operand& operand) { return operand.rows == 0 || operand.cols == 0; }

/// action(begin, bytes) for what an operand has of every column.
template <class Action>
void over_columns(const Operand& operand, const Action& action) {
  auto* const data = static_cast<std::byte*>(const_cast<void*>(operand.data));
  for (std::ptrdiff_t j = 0; j < operand.cols; ++j) {
    std::ptrdiff_t begin = 0;
    std::ptrdiff_t end = operand.rows;
    if (operand.part == Part::lower) begin = j;
    if (operand.part == Part::strictly_lower) begin = j + 1;
    if (operand.part == Part::upper) end = std::min<std::ptrdiff_t>(end, j + 1);
    if (operand.part == Part::strictly_upper) end = std::min<std::ptrdiff_t>(end, j);
    if (begin >= end) continue;
    const auto element = static_cast<std::ptrdiff_t>(operand.element);
    action(data + (j * operand.stride + begin) * element, static_cast<std::size_t>((end - begin) * element));
  }
}

}  // namespace

void check_operand(const Operand& operand) {
  const std::string name = operand.name;
  if (operand.rows < 0 || operand.cols < 0) fault(name + " has a negative size");
  if (operand.stride < std::max(1, operand.rows))
    fault("the leading dimension of " + name + " is " + std::to_string(operand.stride) + ", below its " +
          std::to_string(operand.rows) + " rows (1 at least)");
  if (is_empty(operand)) return;
  const std::size_t last_column = static_cast<std::size_t>(operand.cols - 1) * static_cast<std::size_t>(operand.stride);
  check_device(operand.name, operand.data, (last_column + static_cast<std::size_t>(operand.rows)) * operand.element);
  if (reinterpret_cast<std::uintptr_t>(operand.data) % operand.element != 0)
    fault(name + " is not aligned to its elements");
}

void check_apart(const Operand& written, const Operand& read) {
  if (is_empty(written) || is_empty(read)) return;
  struct Piece {
    const std::byte* begin;
    const std::byte* end;
  };
  std::vector<Piece> pieces;  // rising
  over_columns(written, [&](const std::byte* begin, std::size_t bytes) { pieces.push_back({begin, begin + bytes}); });
  over_columns(read, [&](const std::byte* begin, std::size_t bytes) {
    const auto first = std::ranges::upper_bound(pieces, begin, {}, &Piece::end);
    if (first != pieces.end() && first->begin < begin + bytes)
      fault(std::string(written.name) + " is written and overlaps " + read.name);
  });
}

void check_readable(const Operand& operand) {
  over_columns(operand,
               [&](const std::byte* begin, std::size_t bytes) { check_alive(operand.name, begin, bytes, true); });
}

void check_writable(const Operand& operand) {
  over_columns(operand,
               [&](const std::byte* begin, std::size_t bytes) { check_alive(operand.name, begin, bytes, false); });
}

void mark_written(const Operand& operand) {
  over_columns(operand, [](std::byte* begin, std::size_t bytes) { mark_initialised(begin, bytes); });
}

void mark_destroyed(const Operand& operand) {
  over_columns(operand, [](std::byte* begin, std::size_t bytes) { mark_uninitialised(begin, bytes); });
}

void check_flag(const char* name, int value, int first, int last) {
  if (value < first || value > last) fault(std::string(name) + " is none of its values");
}

}  // namespace cuda_emulation
