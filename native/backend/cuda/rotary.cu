#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/loops.h"
#include "backend/matrix.h"

namespace lyaplock::cuda {

void CudaBackend::rotary(RotaryDirection direction, RotaryPairing pairing, std::size_t head_width,
                         ConstMatrixView<float> cosine, ConstMatrixView<float> sine,
                         std::span<const std::int32_t> positions, MatrixView<float> x) {
  if (x.empty() || cosine.cols == 0) return;
  const float sign = direction == RotaryDirection::forward ? 1.0F : -1.0F;
  const bool halves = pairing == RotaryPairing::halves;
  const std::size_t pairs = cosine.cols;
  const std::size_t pairs_of_row = x.cols / head_width * pairs;
  const Matrix<std::int32_t> on_device = lyaplock::upload(*this, positions, 1, positions.size());
  over_rows(*stream_, x.rows, [=, of_row = on_device.view()] __device__(std::size_t i) {
    const auto position = static_cast<std::size_t>(of_row(0, i));
    for (std::size_t pair = threadIdx.x; pair < pairs_of_row; pair += block_size) {
      const std::size_t angle = pair % pairs;
      float* head = x.row(i) + pair / pairs * head_width;
      float& first = halves ? head[angle] : head[2 * angle];
      float& second = halves ? head[angle + pairs] : head[2 * angle + 1];
      const float a = first;
      const float b = second;
      const float c = cosine(position, angle);
      const float s = sign * sine(position, angle);
      first = a * c - b * s;
      second = b * c + a * s;
    }
  });
  check_launch("rotary", x);
}

}  // namespace lyaplock::cuda
