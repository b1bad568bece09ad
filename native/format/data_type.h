// The element types of safetensors files, by name.
#pragma once

#include <optional>
#include <string_view>

#include "format/safetensors.h"

namespace lyaplock {

/// The type of that name in a file ("F32"), or nothing for one this project does not read ("F8_E4M3").
std::optional<DataType> data_type_named(std::string_view name);

}  // namespace lyaplock
