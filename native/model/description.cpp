#include "model/description.h"

#include "base/error.h"

namespace lyaplock {

void ModelDescription::validate() const {
  const auto fail = [](const std::string& message) { throw Error(ErrorCode::model_format, message); };
  // Far above every published model, far below where a product of two could overflow.
  constexpr std::size_t kLargest = std::size_t{1} << 28;
  const auto size = [&](std::size_t value, const char* name) {
    if (value == 0 || value > kLargest)
      fail(std::string("The model's ") + name + " is " + std::to_string(value) + "; it must be 1 to " +
           std::to_string(kLargest));
  };
  size(layers, "number of layers");
  size(width, "width");
  size(heads, "number of heads");
  size(key_value_heads, "number of key/value heads");
  size(head_width, "head width");
  size(feed_forward_width, "feed-forward width");
  size(vocabulary, "vocabulary");
  size(positions, "number of positions");
  if (heads % key_value_heads != 0)
    fail(std::to_string(key_value_heads) + " key/value heads do not divide " + std::to_string(heads) + " heads");
  if (rotary.width % 2 != 0 || rotary.width > head_width)
    fail("Of a head of width " + std::to_string(head_width) + ", " + std::to_string(rotary.width) +
         " entries cannot be rotated in pairs");
  if (!(norm_epsilon > 0)) fail("The epsilon of the norms must be positive");
}

}  // namespace lyaplock
