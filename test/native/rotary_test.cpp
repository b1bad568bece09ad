#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

struct Case {
  std::size_t heads, head_width, pairs;
};
const std::vector<Case> cases = {{1, 2, 1}, {3, 8, 4}, {2, 10, 3}, {4, 64, 32}, {5, 80, 16}, {2, 6, 0}};

}  // namespace

BACKEND_TEST("rotary turns pairs by the angle of their position, and back") {
  Random random(41);
  for (const auto [heads, head_width, pairs] : cases)
    for (const RotaryPairing pairing : {RotaryPairing::halves, RotaryPairing::neighbours})
      for (const std::size_t rows : {0, 1, 9, 200}) {
        const std::size_t known_positions = 12;
        Array cosine(known_positions, pairs);
        Array sine(known_positions, pairs);
        for (std::size_t i = 0; i < cosine.values.size(); ++i) {
          const double angle = random.uniform(-3, 3);
          cosine.values[i] = static_cast<double>(static_cast<float>(std::cos(angle)));
          sine.values[i] = static_cast<double>(static_cast<float>(std::sin(angle)));
        }
        std::vector<std::int32_t> positions(rows);
        for (std::int32_t& position : positions) position = static_cast<std::int32_t>(random.below(known_positions));
        const Array x = random.array(rows, heads * head_width);
        Array expected = x;
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t head = 0; head < heads; ++head)
            for (std::size_t pair = 0; pair < pairs; ++pair) {
              const bool halves = pairing == RotaryPairing::halves;
              const std::size_t first = head * head_width + (halves ? pair : 2 * pair);
              const std::size_t second = halves ? first + pairs : first + 1;
              const double c = cosine(static_cast<std::size_t>(positions[i]), pair);
              const double s = sine(static_cast<std::size_t>(positions[i]), pair);
              expected(i, first) = x(i, first) * c - x(i, second) * s;
              expected(i, second) = x(i, first) * s + x(i, second) * c;
            }
        Placed<float> placed(on, x, 1);
        Placed<float> placed_cosine(on, cosine, 1);
        Placed<float> placed_sine(on, sine, 2);
        on.rotary(RotaryDirection::forward, pairing, head_width, placed_cosine, placed_sine, positions, placed);
        CHECK_CLOSE(placed.read(), expected, 1e-6, 1e-6);
        on.rotary(RotaryDirection::backward, pairing, head_width, placed_cosine, placed_sine, positions, placed);
        CHECK_CLOSE(placed.read(), x, 1e-6, 1e-6);
      }
}
