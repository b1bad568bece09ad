// Kernels: indices, shared memory and barriers as they are meant, and the mistakes that can be made with them.
#include <cmath>
#include <thread>

#include "device.h"

using namespace cuda_emulation;
using namespace cuda_emulation::test;

namespace {

__global__ void indices(unsigned* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned at = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[at] = at;
}

template <class T, class F>
__global__ void apply(std::size_t n, const T* x, T* y, F f) {
  for (std::size_t i = blockIdx.x * std::size_t{blockDim.x} + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    y[i] = f(x[i]);
}

constexpr unsigned sum_threads = 64;

/// Sum over threads as every reduction does it; with the barriers of its steps or without.
template <class T>
__device__ __forceinline__ T sum_of_block(T value, bool barriers) {
  __shared__ T values[sum_threads];
  values[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = sum_threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
    if (barriers) __syncthreads();
  }
  const T sum = values[0];
  __syncthreads();
  return sum;
}

template <class T>
__global__ void row_sums(std::size_t cols, const T* x, T* sums, bool barriers) {
  T sum{0};
  for (std::size_t j = threadIdx.x; j < cols; j += sum_threads) sum += x[blockIdx.x * cols + j];
  sum = sum_of_block(sum, barriers);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void read_unwritten_shared(float* out) {
  __shared__ float values[32];
  if (threadIdx.x < 31) values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

__global__ void leave_before_the_barrier(float* out) {
  if (threadIdx.x == 3) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void shift(std::size_t n, const float* x, float* y, std::size_t by) {
  const std::size_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i + by];
}

__global__ void write_at(float* y, std::size_t at) { y[at] = 1; }

void launched() { succeed(cudaGetLastError()); }

}  // namespace

TEST("every thread of a grid of three dimensions runs once and knows where it is") {
  const Device on;
  const dim3 grid(3, 2, 2);
  const dim3 block(5, 3, 2);
  const Elements<unsigned> out(on, 3 * 2 * 2 * 5 * 3 * 2);
  LYAPLOCK_LAUNCH(indices, grid, block, on.stream, static_cast<unsigned*>(out));
  launched();
  const std::vector<unsigned> result = out.read();
  for (unsigned i = 0; i < result.size(); ++i) CHECK(result[i] == i);
}

TEST("templates, lambdas and loops over a grid") {
  const Device on;
  const std::vector<double> numbers = random_numbers<double>(1000, 3);
  const Elements<double> x(on, numbers);
  const Elements<double> y(on, 1000);
  const double scale = 3;
  const auto f = [scale] __device__(double value) { return scale * std::tanh(value); };
  LYAPLOCK_LAUNCH(apply, 7, 32, on.stream, std::size_t{1000}, static_cast<const double*>(x), static_cast<double*>(y),
                  f);
  launched();
  const std::vector<double> result = y.read();
  for (std::size_t i = 0; i < 1000; ++i) CHECK(result[i] == 3 * std::tanh(numbers[i]));
}

TEST("sums in shared memory, over more than one type") {
  const Device on;
  const auto sums_of = [&]<class T>(T) {
    const std::vector<T> numbers = random_numbers<T>(9 * 301, 4);
    const Elements<T> x(on, numbers);
    const Elements<T> sums(on, 9);
    LYAPLOCK_LAUNCH(row_sums, 9, sum_threads, on.stream, std::size_t{301}, static_cast<const T*>(x),
                    static_cast<T*>(sums), true);
    launched();
    const std::vector<T> result = sums.read();
    for (std::size_t i = 0; i < 9; ++i) {
      double expected = 0;
      for (std::size_t j = 0; j < 301; ++j) expected += static_cast<double>(numbers[i * 301 + j]);
      CHECK_NEAR(static_cast<double>(result[i]), expected, 1e-4);
    }
  };
  sums_of(0.0F);
  sums_of(0.0);
}

TEST("kernels run on any thread of the host") {
  std::thread([] {
    const Device on;
    const Elements<double> x(on, std::vector<double>(9 * 301, 1));
    const Elements<double> sums(on, 9);
    LYAPLOCK_LAUNCH(row_sums, 9, sum_threads, on.stream, std::size_t{301}, static_cast<const double*>(x),
                    static_cast<double*>(sums), true);
    launched();
    CHECK((sums.read() == std::vector<double>(9, 301)));
  }).join();
}

TEST("a launch fails when it is told to, and does nothing") {
  const Device on;
  const Elements<float> y(on, std::vector<float>{0});
  fail_call(1);
  LYAPLOCK_LAUNCH(write_at, 1, 1, on.stream, static_cast<float*>(y), std::size_t{0});
  CHECK(std::string(failed_call()) == "write_at");
  CHECK(cudaGetLastError() == cudaErrorLaunchOutOfResources);
  CHECK(y.read()[0] == 0);
  fail_call(0);
}

// --- mistakes -------------------------------------------------------------------------------------------------------

TEST("one element too far, read and written") {
  const std::vector<float> numbers(33, 1);
  CHECK_FAULT(({"shift(grid (2, 1, 1), block (32, 1, 1)), block (1, 0, 0), thread (0, 0, 0): reads 4 bytes of device "
                "memory, 0 bytes past the end of the 132 bytes"}),
              {
                const Device on;
                const Elements<float> x(on, numbers);
                const Elements<float> y(on, 33);
                LYAPLOCK_LAUNCH(shift, 2, 32, on.stream, std::size_t{33}, static_cast<const float*>(x),
                                static_cast<float*>(y), std::size_t{1});
                launched();
                on.wait();
              });
  CHECK_FAULT(({"write_at", "writes 4 bytes of device memory, 0 bytes past the end of the 12 bytes"}), {
    const Device on;
    const Elements<float> y(on, std::vector<float>(3, 0));
    LYAPLOCK_LAUNCH(write_at, 1, 1, on.stream, static_cast<float*>(y), std::size_t{3});
    launched();
    on.wait();
  });
}

TEST("a kernel reads what was never written") {
  CHECK_FAULT(({"shift", "thread (5, 0, 0)", "never written", "byte 20 of the 132 bytes"}), {
    const Device on;
    const Elements<float> x(on, 33);
    succeed(cudaMemsetAsync(x, 0, 20, on.stream));
    const Elements<float> y(on, 33);
    for (int i = 0; i < 2; ++i) {  // threads come in both orders
      LYAPLOCK_LAUNCH(shift, 1, 6, on.stream, std::size_t{6}, static_cast<const float*>(x), static_cast<float*>(y),
                      std::size_t{0});
      launched();
    }
    on.wait();
  });
}

TEST("a kernel is given host memory") {
  CHECK_FAULT(({"write_at", "writes 4 bytes of host memory"}), {
    const Device on;
    std::vector<float> here(3);
    LYAPLOCK_LAUNCH(write_at, 1, 1, on.stream, here.data(), std::size_t{0});
    launched();
    on.wait();
  });
}

TEST("a kernel's memory was freed") {
  CHECK_FAULT(({"write_at", "freed device memory"}), {
    const Device on;
    void* memory = nullptr;
    succeed(cudaMallocAsync(&memory, 4, on.stream));
    succeed(cudaFreeAsync(memory, on.stream));
    LYAPLOCK_LAUNCH(write_at, 1, 1, on.stream, static_cast<float*>(memory), std::size_t{0});
    launched();
    on.wait();
  });
}

TEST("a barrier is missing") {
  CHECK_FAULT(({"row_sums", "shared memory", "with no __syncthreads() between"}), {
    const Device on;
    const Elements<float> x(on, std::vector<float>(64, 1));
    const Elements<float> sums(on, 1);
    LYAPLOCK_LAUNCH(row_sums, 1, sum_threads, on.stream, std::size_t{64}, static_cast<const float*>(x),
                    static_cast<float*>(sums), false);
    launched();
    on.wait();
  });
}

TEST("shared memory is read before it is written") {
  CHECK_FAULT(({"read_unwritten_shared", "thread (31, 0, 0)", "that this block has not written"}), {
    const Device on;
    const Elements<float> out(on, 32);
    LYAPLOCK_LAUNCH(read_unwritten_shared, 1, 32, on.stream, static_cast<float*>(out));
    launched();
    on.wait();
  });
}

TEST("a thread leaves before the others' barrier") {
  CHECK_FAULT(({"leave_before_the_barrier", "1 threads of a block ended, and 31 wait"}), {
    const Device on;
    const Elements<float> out(on, 32);
    LYAPLOCK_LAUNCH(leave_before_the_barrier, 1, 32, on.stream, static_cast<float*>(out));
    launched();
    on.wait();
  });
}

TEST("nobody asks whether a launch went well") {
  CHECK_FAULT(({"nobody asked cudaGetLastError whether the launch of write_at went well"}), {
    const Device on;
    const Elements<float> y(on, 3);
    LYAPLOCK_LAUNCH(write_at, 1, 1, on.stream, static_cast<float*>(y), std::size_t{0});
    on.wait();
  });
}

TEST("grids that no device takes") {
  CHECK_FAULT(({"a grid of no threads"}), {
    const Device on;
    LYAPLOCK_LAUNCH(write_at, 0, 1, on.stream, static_cast<float*>(nullptr), std::size_t{0});
  });
  CHECK_FAULT(({"more threads than a block may have"}), {
    const Device on;
    LYAPLOCK_LAUNCH(write_at, 1, 1025, on.stream, static_cast<float*>(nullptr), std::size_t{0});
  });
}
