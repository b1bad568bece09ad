// The quantised types of GGUF files: blocks of 32 or 256 numbers of a few bits each, with scales in common.
#pragma once

#include <span>

#include "format/tensor.h"

namespace lyaplock {

/// The numbers of whole blocks of a quantised type; `out` has one element for each. The same bits as ggml's reference
/// and the dequantize of its Python package gguf.
void read_blocks(DataType type, std::span<const std::byte> blocks, std::span<float> out);
void read_blocks(DataType type, std::span<const std::byte> blocks, std::span<double> out);

}  // namespace lyaplock
