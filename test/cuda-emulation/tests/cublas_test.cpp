// cuBLAS against loops: every flag, with leading dimensions above the sizes.
#include <array>

#include "device.h"

using namespace cuda_emulation;
using namespace cuda_emulation::test;

namespace {

template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 1e-5 : 1e-13;

cublasStatus_t gemm(cublasHandle_t blas, cublasOperation_t a_op, cublasOperation_t b_op, int m, int n, int k,
                    float alpha, const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  return cublasSgemm(blas, a_op, b_op, m, n, k, &alpha, a, lda, b, ldb, &beta, c, ldc);
}
cublasStatus_t gemm(cublasHandle_t blas, cublasOperation_t a_op, cublasOperation_t b_op, int m, int n, int k,
                    double alpha, const double* a, int lda, const double* b, int ldb, double beta, double* c, int ldc) {
  return cublasDgemm(blas, a_op, b_op, m, n, k, &alpha, a, lda, b, ldb, &beta, c, ldc);
}
cublasStatus_t syrk(cublasHandle_t blas, cublasFillMode_t uplo, cublasOperation_t op, int n, int k, float alpha,
                    const float* a, int lda, float beta, float* c, int ldc) {
  return cublasSsyrk(blas, uplo, op, n, k, &alpha, a, lda, &beta, c, ldc);
}
cublasStatus_t syrk(cublasHandle_t blas, cublasFillMode_t uplo, cublasOperation_t op, int n, int k, double alpha,
                    const double* a, int lda, double beta, double* c, int ldc) {
  return cublasDsyrk(blas, uplo, op, n, k, &alpha, a, lda, &beta, c, ldc);
}
cublasStatus_t trsm(cublasHandle_t blas, cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op,
                    cublasDiagType_t diag, int m, int n, float alpha, const float* a, int lda, float* b, int ldb) {
  return cublasStrsm(blas, side, uplo, op, diag, m, n, &alpha, a, lda, b, ldb);
}
cublasStatus_t trsm(cublasHandle_t blas, cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op,
                    cublasDiagType_t diag, int m, int n, double alpha, const double* a, int lda, double* b, int ldb) {
  return cublasDtrsm(blas, side, uplo, op, diag, m, n, &alpha, a, lda, b, ldb);
}

constexpr std::array operations = {CUBLAS_OP_N, CUBLAS_OP_T, CUBLAS_OP_C};
constexpr std::array triangles = {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER};

/// op(X)(i, j).
template <class T>
T at(const Columns<T>& x, cublasOperation_t op, int i, int j) {
  return op == CUBLAS_OP_N ? x(static_cast<std::size_t>(i), static_cast<std::size_t>(j))
                           : x(static_cast<std::size_t>(j), static_cast<std::size_t>(i));
}

template <class T>
std::vector<T> numbers(int stride, int cols, std::uint32_t seed) {
  return random_numbers<T>(static_cast<std::size_t>(stride) * static_cast<std::size_t>(cols), seed);
}

template <class T>
void test_gemm() {
  const Device on;
  const int m = 5;
  const int n = 4;
  const int k = 7;
  for (const cublasOperation_t a_op : operations)
    for (const cublasOperation_t b_op : operations)
      for (const T beta : {T{0}, T{0.5}}) {
        const int lda = (a_op == CUBLAS_OP_N ? m : k) + 1;
        const int ldb = (b_op == CUBLAS_OP_N ? k : n) + 2;
        const int ldc = m + 3;
        const std::vector<T> a = numbers<T>(lda, a_op == CUBLAS_OP_N ? k : m, 1);
        const std::vector<T> b = numbers<T>(ldb, b_op == CUBLAS_OP_N ? n : k, 2);
        std::vector<T> c = numbers<T>(ldc, n, 3);
        if (beta == 0)
          for (int j = 0; j < n; ++j)
            for (int i = 0; i < m; ++i) c[static_cast<std::size_t>(j * ldc + i)] = NAN;
        const Elements<T> a_there(on, a);
        const Elements<T> b_there(on, b);
        const Elements<T> c_there(on, c);
        succeed(gemm(on.blas, a_op, b_op, m, n, k, T{0.75}, a_there, lda, b_there, ldb, beta, c_there, ldc));
        const std::vector<T> result = c_there.read();
        for (int j = 0; j < n; ++j)
          for (int i = 0; i < ldc; ++i) {
            const auto place = static_cast<std::size_t>(j * ldc + i);
            T expected = c[place];
            if (i < m) {
              T sum{0};
              for (int l = 0; l < k; ++l)
                sum += at<T>({a, static_cast<std::size_t>(lda)}, a_op, i, l) *
                       at<T>({b, static_cast<std::size_t>(ldb)}, b_op, l, j);
              expected = T{0.75} * sum + (beta == 0 ? T{0} : beta * c[place]);
            }
            CHECK_NEAR(result[place], expected, tolerance<T>);
          }
      }
}

template <class T>
void test_syrk() {
  const Device on;
  const int n = 5;
  const int k = 3;
  for (const cublasFillMode_t uplo : triangles)
    for (const cublasOperation_t op : operations) {
      const int lda = (op == CUBLAS_OP_N ? n : k) + 1;
      const int ldc = n + 2;
      const std::vector<T> a = numbers<T>(lda, op == CUBLAS_OP_N ? k : n, 4);
      const std::vector<T> c = numbers<T>(ldc, n, 5);
      const Elements<T> a_there(on, a);
      const Elements<T> c_there(on, c);
      succeed(syrk(on.blas, uplo, op, n, k, T{2}, a_there, lda, T{0.5}, c_there, ldc));
      const std::vector<T> result = c_there.read();
      for (int j = 0; j < n; ++j)
        for (int i = 0; i < ldc; ++i) {
          const auto place = static_cast<std::size_t>(j * ldc + i);
          T expected = c[place];
          if (i < n && (uplo == CUBLAS_FILL_MODE_LOWER ? i >= j : i <= j)) {
            T sum{0};
            for (int l = 0; l < k; ++l)
              sum += at<T>({a, static_cast<std::size_t>(lda)}, op, i, l) *
                     at<T>({a, static_cast<std::size_t>(lda)}, op, j, l);
            expected = T{2} * sum + T{0.5} * c[place];
          }
          CHECK_NEAR(result[place], expected, tolerance<T>);
        }
    }
}

/// Solves, and multiplies back by loops.
template <class T>
void test_trsm() {
  const Device on;
  const int m = 4;
  const int n = 6;
  for (const cublasSideMode_t side : {CUBLAS_SIDE_LEFT, CUBLAS_SIDE_RIGHT})
    for (const cublasFillMode_t uplo : triangles)
      for (const cublasOperation_t op : operations)
        for (const cublasDiagType_t diag : {CUBLAS_DIAG_NON_UNIT, CUBLAS_DIAG_UNIT}) {
          const bool left = side == CUBLAS_SIDE_LEFT;
          const int order = left ? m : n;
          const int lda = order + 1;
          const int ldb = m + 2;
          std::vector<T> a = numbers<T>(lda, order, 6);
          for (int i = 0; i < order; ++i) a[static_cast<std::size_t>(i * lda + i)] += T{3};
          const std::vector<T> b = numbers<T>(ldb, n, 7);
          const Elements<T> a_there(on, a);
          const Elements<T> b_there(on, b);
          succeed(trsm(on.blas, side, uplo, op, diag, m, n, T{2}, a_there, lda, b_there, ldb));
          const std::vector<T> x = b_there.read();
          const auto triangle = [&](int i, int j) {
            if (op != CUBLAS_OP_N) std::swap(i, j);
            if (i == j && diag == CUBLAS_DIAG_UNIT) return T{1};
            const bool is_in = uplo == CUBLAS_FILL_MODE_LOWER ? i >= j : i <= j;
            return is_in ? a[static_cast<std::size_t>(j * lda + i)] : T{0};
          };
          for (int j = 0; j < n; ++j)
            for (int i = 0; i < m; ++i) {
              T product{0};
              for (int l = 0; l < order; ++l)
                product += left ? triangle(i, l) * x[static_cast<std::size_t>(j * ldb + l)]
                                : x[static_cast<std::size_t>(l * ldb + i)] * triangle(l, j);
              CHECK_NEAR(product, T{2} * b[static_cast<std::size_t>(j * ldb + i)], 10 * tolerance<T>);
            }
          for (int j = 0; j < n; ++j)
            for (int i = m; i < ldb; ++i)
              CHECK(x[static_cast<std::size_t>(j * ldb + i)] == b[static_cast<std::size_t>(j * ldb + i)]);
        }
}

/// The product of two numbers near 1 that TF32 and bfloat16 round.
float product_of(const Device& on, float a, float b) {
  const Elements<float> a_there(on, std::vector<float>{a});
  const Elements<float> b_there(on, std::vector<float>{b});
  const Elements<float> c_there(on, 1);
  succeed(gemm(on.blas, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, 1.0F, a_there, 1, b_there, 1, 0.0F, c_there, 1));
  return c_there.read()[0];
}

}  // namespace

TEST("gemm with every pair of operations, float32") { test_gemm<float>(); }
TEST("gemm with every pair of operations, float64") { test_gemm<double>(); }
TEST("syrk writes its triangle alone, float32") { test_syrk<float>(); }
TEST("syrk writes its triangle alone, float64") { test_syrk<double>(); }
TEST("trsm on every side of every triangle, float32") { test_trsm<float>(); }
TEST("trsm on every side of every triangle, float64") { test_trsm<double>(); }

TEST("TF32 rounds the inputs of products, where it was asked for") {
  const Device on;
  const float fine = 1 + 0x1p-12F;
  CHECK(product_of(on, fine, 1) == fine);
  succeed(cublasSetMathMode(on.blas, CUBLAS_TF32_TENSOR_OP_MATH));
  CHECK(product_of(on, fine, 1) == 1);
  CHECK(product_of(on, 1 + 0x1p-10F, 1) == 1 + 0x1p-10F);
  succeed(cublasSetMathMode(on.blas, CUBLAS_DEFAULT_MATH));
  CHECK(product_of(on, fine, 1) == fine);
}

TEST("bfloat16 inputs make float32 sums") {
  const Device on;
  const Elements<std::uint16_t> a(on, std::vector<std::uint16_t>{0x3f80, 0x4000});  // 1 2, one row
  const Elements<std::uint16_t> b(on, std::vector<std::uint16_t>{0x4040, 0x3f81});  // 3, 1 + 2^-7
  const Elements<float> c(on, 1);
  const float one = 1;
  const float none = 0;
  succeed(cublasGemmEx(on.blas, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 2, &one, a, CUDA_R_16BF, 1, b, CUDA_R_16BF, 2, &none, c,
                       CUDA_R_32F, 1, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  CHECK(c.read()[0] == 3 + 2 * (1 + 0x1p-7F));
}

// --- mistakes -------------------------------------------------------------------------------------------------------

TEST("a leading dimension below the rows, and one that leads beyond the end") {
  const auto with_stride = [](int stride) {
    const Device on;
    const Elements<float> a(on, std::vector<float>(6, 1));
    const Elements<float> c(on, 9);
    (void)syrk(on.blas, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, 3, 2, 1.0F, a, stride, 0.0F, c, 3);
  };
  CHECK_FAULT(({"cublasSsyrk_v2(handle = 0x", "n = 3, k = 2", "the leading dimension of A is 2, below its 3 rows"}),
              with_stride(2));
  CHECK_FAULT(({"cublasSsyrk_v2", "A takes 28 bytes", "beyond its end"}), with_stride(4));
}

TEST("the other triangle was never written") {
  CHECK_FAULT(({"cublasDtrsm_v2", "uplo = 1", "A was never written"}), {
    const Device on;
    const Elements<double> a(on, 4);
    succeed(cudaMemsetAsync(a, 1, 16, on.stream));  // the first column
    succeed(cudaMemsetAsync(a + 3, 1, 8, on.stream));
    const Elements<double> b(on, std::vector<double>{1, 1});
    succeed(trsm(on.blas, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, CUBLAS_DIAG_NON_UNIT, 2, 1, 1.0, a, 2,
                 b, 2));
    on.wait();
    succeed(trsm(on.blas, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_N, CUBLAS_DIAG_NON_UNIT, 2, 1, 1.0, a, 2,
                 b, 2));
    on.wait();
  });
}

TEST("scalars on the device, matrices on the host, no stream, outputs that are inputs") {
  CHECK_FAULT(({"cublasSgemm_v2", "must be host memory of 4 bytes, and is device memory"}), {
    const Device on;
    const Elements<float> x(on, std::vector<float>{1});
    (void)cublasSgemm(on.blas, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, x, x, 1, x, 1, x, x, 1);
  });
  CHECK_FAULT(({"cublasSgemm_v2", "B must be device memory of 4 bytes, and is host memory"}), {
    const Device on;
    const Elements<float> x(on, std::vector<float>{1, 2});
    const float b = 1;
    (void)gemm(on.blas, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, 1.0F, x, 1, &b, 1, 0.0F, x + 1, 1);
  });
  CHECK_FAULT(({"cublasSgemm_v2", "the default stream"}), {
    cublasHandle_t blas = nullptr;
    succeed(cublasCreate(&blas));
    (void)gemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, 1.0F, nullptr, 1, nullptr, 1, 0.0F, nullptr, 1);
  });
  CHECK_FAULT(({"C is written and overlaps B"}), {
    const Device on;
    const Elements<float> x(on, std::vector<float>(9, 1));
    const Elements<float> y(on, std::vector<float>(9, 1));
    (void)gemm(on.blas, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, 1.0F, x, 2, y, 3, 0.0F, y + 4, 3);
  });
}

TEST("two parts of one matrix that have no element in common") {
  const Device on;
  const Elements<float> x(on, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});  // rows 0 and 1 to rows 2 and 3 of 4 x 2
  const Elements<float> identity(on, std::vector<float>{1, 0, 0, 1});
  succeed(gemm(on.blas, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, 1.0F, x, 4, identity, 2, 0.0F, x + 2, 4));
  CHECK((x.read() == std::vector<float>{1, 2, 1, 2, 5, 6, 5, 6}));
}
