// cuSOLVER by what its results must satisfy.
#include <array>

#include "device.h"

using namespace cuda_emulation;
using namespace cuda_emulation::test;

namespace {

constexpr std::array triangles = {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER};

std::size_t index(int i, int j, int stride) { return static_cast<std::size_t>(j * stride + i); }

/// Symmetric, with a leading dimension; positive definite with `diagonal` above its order.
template <class T>
std::vector<T> symmetric(int n, int stride, T diagonal) {
  std::vector<T> a = random_numbers<T>(static_cast<std::size_t>(n * stride), 8);
  for (int j = 0; j < n; ++j) {
    for (int i = j + 1; i < n; ++i) a[index(j, i, stride)] = a[index(i, j, stride)];
    a[index(j, j, stride)] += diagonal;
  }
  return a;
}

cusolverStatus_t potrf(const Device& on, cublasFillMode_t uplo, int n, double* a, int lda, int* info) {
  int length = 0;
  succeed(cusolverDnDpotrf_bufferSize(on.solver, uplo, n, a, lda, &length));
  const Elements<double> work(on, static_cast<std::size_t>(length));
  return cusolverDnDpotrf(on.solver, uplo, n, a, lda, work, length, info);
}
cusolverStatus_t potrf(const Device& on, cublasFillMode_t uplo, int n, float* a, int lda, int* info) {
  int length = 0;
  succeed(cusolverDnSpotrf_bufferSize(on.solver, uplo, n, a, lda, &length));
  const Elements<float> work(on, static_cast<std::size_t>(length));
  return cusolverDnSpotrf(on.solver, uplo, n, a, lda, work, length, info);
}

template <class T>
void test_potrf(double tolerance) {
  const Device on;
  for (const int n : {0, 1, 2, 5, 33})
    for (const cublasFillMode_t uplo : triangles) {
      const int stride = n + 2;
      const std::vector<T> a = symmetric<T>(n, stride, static_cast<T>(n + 1));
      const Elements<T> there(on, n == 0 ? std::vector<T>(1, 0) : a);
      const Elements<int> info(on, 1);
      succeed(potrf(on, uplo, n, there, stride, info));
      CHECK(info.read()[0] == 0);
      const std::vector<T> factor = there.read();
      const bool lower = uplo == CUBLAS_FILL_MODE_LOWER;
      for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i) {
          T sum{0};  // L L^T, or U^T U
          for (int l = 0; l <= std::min(i, j); ++l)
            sum += lower ? factor[index(i, l, stride)] * factor[index(j, l, stride)]
                         : factor[index(l, i, stride)] * factor[index(l, j, stride)];
          CHECK_NEAR(sum, a[index(i, j, stride)], tolerance);
          if (lower ? i < j : i > j) CHECK(factor[index(i, j, stride)] == a[index(i, j, stride)]);
        }
    }
}

}  // namespace

TEST("potrf of either triangle, float32") { test_potrf<float>(1e-4); }
TEST("potrf of either triangle, float64") { test_potrf<double>(1e-12); }

TEST("potrf says which leading minor is not positive") {
  const Device on;
  const Elements<double> a(on, std::vector<double>{1, 0, 0, 0, -1, 0, 0, 0, 1});
  const Elements<int> info(on, 1);
  succeed(potrf(on, CUBLAS_FILL_MODE_LOWER, 3, static_cast<double*>(a), 3, info));
  CHECK(info.read()[0] == 2);
}

TEST("syevd gives rising values and orthonormal vectors in columns") {
  const Device on;
  for (const int n : {1, 2, 7, 40})
    for (const cublasFillMode_t uplo : triangles) {
      const int stride = n + 1;
      std::vector<double> a = symmetric<double>(n, stride, 0);
      const std::vector<double> whole = a;
      // What the other triangle holds must not matter.
      for (int j = 0; j < n; ++j)
        for (int i = 0; i < n; ++i)
          if (uplo == CUBLAS_FILL_MODE_LOWER ? i < j : i > j) a[index(i, j, stride)] = NAN;
      const Elements<double> there(on, a);
      const Elements<double> values(on, static_cast<std::size_t>(n));
      const Elements<int> info(on, 1);
      int length = 0;
      succeed(
          cusolverDnDsyevd_bufferSize(on.solver, CUSOLVER_EIG_MODE_VECTOR, uplo, n, there, stride, values, &length));
      const Elements<double> work(on, static_cast<std::size_t>(length));
      succeed(
          cusolverDnDsyevd(on.solver, CUSOLVER_EIG_MODE_VECTOR, uplo, n, there, stride, values, work, length, info));
      CHECK(info.read()[0] == 0);
      const std::vector<double> vectors = there.read();
      const std::vector<double> found = values.read();
      for (int j = 0; j < n; ++j) {
        if (j > 0) CHECK(found[static_cast<std::size_t>(j)] >= found[static_cast<std::size_t>(j - 1)]);
        for (int i = 0; i < n; ++i) {
          double product = 0;
          double inner = 0;
          for (int l = 0; l < n; ++l) {
            product += whole[index(i, l, stride)] * vectors[index(l, j, stride)];
            inner += vectors[index(l, i, stride)] * vectors[index(l, j, stride)];
          }
          CHECK_NEAR(product, found[static_cast<std::size_t>(j)] * vectors[index(i, j, stride)], 1e-12);
          CHECK_NEAR(inner, i == j ? 1.0 : 0.0, 1e-12);
        }
      }
    }
}

TEST("gesvd gives A = U diag(S) V^T, V transposed, values falling") {
  const Device on;
  for (const auto& [m, n] : {std::pair{1, 1}, {5, 3}, {9, 9}, {40, 17}}) {
    const int lda = m + 1;
    const int ldu = m + 2;
    const int ldvt = n + 3;
    const std::vector<double> a = random_numbers<double>(static_cast<std::size_t>(lda * n), 9);
    const Elements<double> there(on, a);
    const Elements<double> values(on, static_cast<std::size_t>(n));
    const Elements<double> u(on, std::vector<double>(static_cast<std::size_t>(ldu * n), 7));
    const Elements<double> vt(on, std::vector<double>(static_cast<std::size_t>(ldvt * n), 7));
    const Elements<int> info(on, 1);
    int length = 0;
    succeed(cusolverDnDgesvd_bufferSize(on.solver, m, n, &length));
    const Elements<double> work(on, static_cast<std::size_t>(length));
    succeed(
        cusolverDnDgesvd(on.solver, 'S', 'S', m, n, there, lda, values, u, ldu, vt, ldvt, work, length, nullptr, info));
    CHECK(info.read()[0] == 0);
    const std::vector<double> s = values.read();
    const std::vector<double> left = u.read();
    const std::vector<double> right = vt.read();
    for (int j = 0; j < n; ++j) {
      if (j > 0) CHECK(s[static_cast<std::size_t>(j)] <= s[static_cast<std::size_t>(j - 1)]);
      CHECK(right[index(n, j, ldvt)] == 7);
      for (int i = 0; i < m; ++i) {
        double sum = 0;
        for (int l = 0; l < n; ++l)
          sum += left[index(i, l, ldu)] * s[static_cast<std::size_t>(l)] * right[index(l, j, ldvt)];
        CHECK_NEAR(sum, a[index(i, j, lda)], 1e-12);
      }
    }
  }
}

// --- mistakes -------------------------------------------------------------------------------------------------------

TEST("work memory that is too short, on the host, or read afterwards") {
  CHECK_FAULT(({"cusolverDnDpotrf", "the work memory has 9 elements; bufferSize gives 26"}), {
    const Device on;
    const Elements<double> a(on, symmetric<double>(3, 3, 4));
    const Elements<double> work(on, 26);
    const Elements<int> info(on, 1);
    (void)cusolverDnDpotrf(on.solver, CUBLAS_FILL_MODE_LOWER, 3, a, 3, work, 9, info);
  });
  CHECK_FAULT(({"cusolverDnDpotrf", "the work memory must be device memory of 208 bytes, and is host memory"}), {
    const Device on;
    const Elements<double> a(on, symmetric<double>(3, 3, 4));
    std::vector<double> work(26);
    const Elements<int> info(on, 1);
    (void)cusolverDnDpotrf(on.solver, CUBLAS_FILL_MODE_LOWER, 3, a, 3, work.data(), 26, info);
  });
  CHECK_FAULT(({"source was never written"}), {
    const Device on;
    const Elements<double> a(on, symmetric<double>(3, 3, 4));
    const Elements<double> work(on, std::vector<double>(26, 1));
    const Elements<int> info(on, 1);
    succeed(cusolverDnDpotrf(on.solver, CUBLAS_FILL_MODE_LOWER, 3, a, 3, work, 26, info));
    (void)work.read();
  });
}

TEST("info on the host, and fewer rows than columns") {
  CHECK_FAULT(({"cusolverDnDpotrf", "info must be device memory of 4 bytes, and is host memory"}), {
    const Device on;
    const Elements<double> a(on, symmetric<double>(3, 3, 4));
    int info = 0;
    (void)potrf(on, CUBLAS_FILL_MODE_LOWER, 3, static_cast<double*>(a), 3, &info);
  });
  CHECK_FAULT(({"cusolverDnDgesvd_bufferSize(handle = 0x", "m = 2, n = 3", "at least as many rows as columns"}), {
    const Device on;
    int length = 0;
    (void)cusolverDnDgesvd_bufferSize(on.solver, 2, 3, &length);
  });
}
