// No status of CUDA, cuBLAS or cuSOLVER is lost: each call that an operation makes fails once, and each time the
// operation says so. What was allocated on the way is given back, or it is reported when the program ends.
#include <cuda_emulation.h>

#include <set>

#include "arrays.h"
#include "backend/cuda/create_cuda_backend.h"
#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

/// Calls that only clean up, and are told later or never; and an allocation, which is tried a second time.
const std::set<std::string> unheard = {"cudaMallocAsync",   "cudaFreeAsync",    "cudaFreeHost",     "cudaEventDestroy",
                                       "cudaStreamDestroy", "cublasDestroy_v2", "cusolverDnDestroy"};

/// Whether `action` threw an error of the device.
bool says_so(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::device || error.code() == ErrorCode::device_memory);
    CHECK(std::string(error.what()).size() > 20);
    return true;
  }
  return false;
}

/// Runs what `prepare` returns once for every call it makes, with that call failing. Calls in `also_unheard` may fail
/// in silence.
void expect_every_failure_said(const std::function<std::function<void()>()>& prepare,
                               const std::set<std::string>& also_unheard = {}) {
  std::size_t n = 0;
  std::string failed;
  do {
    ++n;
    {
      const std::function<void()> action = prepare();
      cuda_emulation::fail_call(n);
      const bool said = says_so(action);
      const char* call = cuda_emulation::failed_call();
      failed = call == nullptr ? "" : call;
      if (said != !failed.empty() && !unheard.contains(failed) && !also_unheard.contains(failed))
        fail(__FILE__, __LINE__, "nobody said that call " + std::to_string(n) + ", " + failed + ", failed");
    }
    cuda_emulation::fail_call(0);
    (void)cudaGetLastError();  // of a call that nobody could be told of
  } while (!failed.empty());
  CHECK(n > 1);
  CHECK(cuda_emulation::bytes_in_use() == 0);
}

/// For an operation on a square matrix of float64, the identity, and as large a one of float32.
void expect_every_failure_said(void (*operation)(Backend&, MatrixView<double>, MatrixView<float>)) {
  expect_every_failure_said([operation]() -> std::function<void()> {
    constexpr std::size_t n = 3;
    struct Given {
      std::shared_ptr<Backend> on = create_cuda_backend({});
      Matrix<double> a = upload<double>(*on, std::vector<double>{1, 0, 0, 0, 1, 0, 0, 0, 1}, n, n);
      Matrix<float> x = upload<float>(*on, std::vector<float>(n* n, 1), n, n);
    };
    auto given = std::make_shared<Given>();
    given->on->synchronize();
    return [given, operation] {
      operation(*given->on, given->a, given->x);
      given->on->synchronize();
    };
  });
}

}  // namespace

TEST("making and destroying the backend notices every status") {
  // Its end waits for the stream, and can tell nobody.
  expect_every_failure_said([] { return [] { (void)create_cuda_backend({}); }; }, {"cudaStreamSynchronize"});
}

TEST("memory that ends is told in numbers, and what was there before is still good") {
  const std::shared_ptr<Backend> on = create_cuda_backend({});
  const Matrix<float> there = upload<float>(*on, std::vector<float>{1, 2, 3}, 1, 3);
  const std::string message = CHECK_ERROR(ErrorCode::device_memory, Matrix<double>(*on, 1 << 20, 1 << 20));
  CHECK(message.find("no memory for 8 TiB") != std::string::npos);
  CHECK(message.find("16 GiB of 16 GiB are free") != std::string::npos);
  CHECK((download(*on, there.view()) == std::vector<float>{1, 2, 3}));
}

TEST("memory that cannot be given back is told to the next who waits, and blames no kernel") {
  const std::shared_ptr<Backend> on = create_cuda_backend({});
  Matrix<float> there = upload<float>(*on, std::vector<float>{1, 2, 3}, 1, 3);
  const auto release_in_vain = [&] {
    Matrix<float> scratch(*on, 1, 3);
    on->synchronize();
    cuda_emulation::fail_call(1);
    scratch = {};
    CHECK(cuda_emulation::failed_call() == std::string("cudaFreeAsync"));
    cuda_emulation::fail_call(0);
    on->add_scaled(1.0F, there, there);  // goes well
  };
  const ConstMatrixView<float> there_now = there;
  release_in_vain();
  const std::string message = CHECK_ERROR(ErrorCode::device, on->synchronize());
  CHECK(message.find("giving memory back") != std::string::npos);
  on->synchronize();  // told once

  release_in_vain();
  CHECK_ERROR(ErrorCode::device, (void)download(*on, there_now));
  CHECK((download(*on, there_now) == std::vector<float>{4, 8, 12}));
}

TEST("memory that is free stays for what comes next, however much is in use") {
  constexpr std::size_t total = 1 << 20;
  cuda_emulation::set_total_memory(total);
  {
    const std::shared_ptr<Backend> on = create_cuda_backend({});
    CHECK(cuda_emulation::release_threshold() == total / 4);
    {
      const Matrix<float> most(*on, 5, total / 32);  // five eighths of it
      CHECK(cuda_emulation::release_threshold() >= cuda_emulation::bytes_in_use() + total / 8);
      on->synchronize();
      CHECK(cuda_emulation::release_threshold() >= cuda_emulation::bytes_in_use() + total / 8);
    }
    on->synchronize();  // and others get what this process has no more use for
    CHECK(cuda_emulation::release_threshold() == total / 4);
  }
  cuda_emulation::set_total_memory(std::size_t{16} << 30);
}

TEST("memory and copies notice every status") {
  expect_every_failure_said([](Backend& on, MatrixView<double>, MatrixView<float>) {
    const Matrix<float> there = upload<float>(on, std::vector<float>(10000, 1), 100, 100);
    CHECK(download(on, there.view()).front() == 1);
  });
}

TEST("kernels notice every status") {
  expect_every_failure_said([](Backend& on, MatrixView<double> a, MatrixView<float> x) {
    on.fill(1.0F, x);
    on.add_scaled(2.0, a, a);
    (void)on.dot(a, a);
    (void)on.kth_smallest(a, 2);
    on.gelu_forward(Gelu::tanh, x, x);
    const std::vector<std::int32_t> indices = {2, 0, 1};
    Matrix<float> rows(on, 3, 3);
    on.gather_rows(x, indices, rows);
    on.log_softmax(rows, x);
  });
}

TEST("products and factorisations notice every status") {
  expect_every_failure_said([](Backend& on, MatrixView<double> a, MatrixView<float> x) {
    Matrix<double> b(on, 3, 3);
    on.gemm(Transpose::no, Transpose::yes, 1.0, a, a, 0.0, b);
    on.syrk(Transpose::no, 1.0, a, 0.0, b);
    if (on.potrf(b) != 0) fail(__FILE__, __LINE__, "the identity is positive definite");
    on.trsm(Side::left, Transpose::no, b, a);
    Matrix<float> y(on, 3, 3);
    on.gemm(Transpose::no, Transpose::no, 1.0F, x, x, 0.0F, y);
  });
}

TEST("eigenvalues and singular values notice every status") {
  expect_every_failure_said([](Backend& on, MatrixView<double> a, MatrixView<float>) {
    Matrix<double> values(on, 1, 3), u(on, 3, 3), vt(on, 3, 3);
    on.syevd(a, values);
    on.gesdd(a, u, values, vt);
  });
}
