// JSON as far as file headers need it written.
#pragma once

#include <string>
#include <string_view>

namespace lyaplock {

/// `text`, which is UTF-8, as a JSON string, quotes included.
std::string json_string(std::string_view text);

}  // namespace lyaplock
