// What the emulation's own tests share: a stream with handles, arrays on the device, and mistakes that must end a
// program.
#pragma once

#include <cuda_emulation.h>
#include <cusolverDn.h>

#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "check.h"

namespace cuda_emulation::test {

/// Asks for success of any of the three libraries.
template <class Status>
void succeed(Status status) {
  CHECK(static_cast<int>(status) == 0);
}

/// A stream, and the libraries' handles on it.
struct Device {
  Device() {
    succeed(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    succeed(cublasCreate(&blas));
    succeed(cublasSetStream(blas, stream));
    succeed(cusolverDnCreate(&solver));
    succeed(cusolverDnSetStream(solver, stream));
  }
  ~Device() {
    (void)cusolverDnDestroy(solver);
    (void)cublasDestroy(blas);
    (void)cudaStreamDestroy(stream);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  void wait() const { succeed(cudaStreamSynchronize(stream)); }

  cudaStream_t stream = nullptr;
  cublasHandle_t blas = nullptr;
  cusolverDnHandle_t solver = nullptr;
};

/// Elements in device memory, uninitialised or copied from the host.
template <class T>
class Elements {
 public:
  Elements(const Device& on, std::size_t count) : on_(on), count_(count) {
    succeed(cudaMallocAsync(&data_, count * sizeof(T), on.stream));
  }
  Elements(const Device& on, const std::vector<T>& host) : Elements(on, host.size()) {
    succeed(cudaMemcpyAsync(data_, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice, on.stream));
    on.wait();
  }
  ~Elements() { (void)cudaFreeAsync(data_, on_.stream); }
  Elements(const Elements&) = delete;
  Elements& operator=(const Elements&) = delete;

  operator T*() const { return data_; }
  [[nodiscard]] std::vector<T> read() const {
    std::vector<T> host(count_);
    succeed(cudaMemcpyAsync(host.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost, on_.stream));
    on_.wait();
    return host;
  }

 private:
  const Device& on_;
  T* data_ = nullptr;
  std::size_t count_;
};

/// Numbers in [-1, 1) that float32 holds exactly.
template <class T>
std::vector<T> random_numbers(std::size_t count, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<T> numbers(count);
  for (T& number : numbers) number = static_cast<T>(static_cast<double>(engine() >> 8) * 0x1p-23 - 1);
  return numbers;
}

/// Column-major with a leading dimension.
template <class T>
struct Columns {
  std::span<const T> data;
  std::size_t stride;
  T operator()(std::size_t i, std::size_t j) const { return data[j * stride + i]; }
};

template <class T>
void check_close(const char* file, int line, T actual, T expected, double tolerance) {
  const double difference = std::abs(static_cast<double>(actual) - static_cast<double>(expected));
  if (!(difference <= tolerance))
    lyaplock::test::fail(file, line, std::to_string(actual) + " is not " + std::to_string(expected));
}
#define CHECK_NEAR(actual, expected, tolerance) \
  ::cuda_emulation::test::check_close(__FILE__, __LINE__, actual, expected, tolerance)

/// Runs `mistake` in a child process and asks that it ends with an error that says all of `words`.
void expect_fault(const char* file, int line, const std::vector<std::string>& words,
                  const std::function<void()>& mistake);
#define CHECK_FAULT(words, ...) \
  ::cuda_emulation::test::expect_fault(__FILE__, __LINE__, std::vector<std::string> words, [&] { __VA_ARGS__; })

}  // namespace cuda_emulation::test
