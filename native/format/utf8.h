// UTF-8 as far as file headers need it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lyaplock {

/// Whether the bytes are well-formed: no overlong forms, surrogates or code points beyond U+10FFFF (RFC 3629).
bool is_utf8(std::string_view text);

/// Appends a code point, which is not a surrogate and at most U+10FFFF.
void append_utf8(std::string& text, std::uint32_t code_point);

}  // namespace lyaplock
