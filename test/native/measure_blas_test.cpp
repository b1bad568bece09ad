#include "backend/measure_blas.h"

#include "arrays.h"
#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

const std::vector<BlasProblem> problems = {
    {BlasOperation::gemm, Precision::float32, 30, 40, 50}, {BlasOperation::gemm, Precision::float64, 30, 40, 50},
    {BlasOperation::syrk, Precision::float32, 30, 0, 50},  {BlasOperation::syrk, Precision::float64, 30, 0, 50},
    {BlasOperation::potrf, Precision::float64, 300},       {BlasOperation::trsm, Precision::float64, 30, 40},
};

}  // namespace

BACKEND_TEST("measure_blas times both, and says how many operations") {
  if (!on.shares_host_memory()) {
    CHECK_ERROR(ErrorCode::invalid_argument, (void)measure_blas(on, problems[0], 2));
    return;
  }
  const std::vector<double> expected = {120000, 120000, 30.0 * 31 * 50, 30.0 * 31 * 50, 9e6, 30.0 * 40 * 40};
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const BlasSpeed speed = measure_blas(on, problems[i], 2);
    CHECK(speed.library_seconds > 0);
    CHECK(speed.our_seconds > 0);
    CHECK(speed.flops == expected[i]);
  }
}

BACKEND_TEST("measure_blas refuses sizes of zero and precisions that are not there") {
  for (BlasProblem problem : problems) {
    problem.rows = 0;
    CHECK_ERROR(ErrorCode::invalid_argument, (void)measure_blas(on, problem, 2));
  }
  CHECK_ERROR(ErrorCode::invalid_argument,
              (void)measure_blas(on, {BlasOperation::gemm, Precision::float32, 3, 0, 5}, 1));
  CHECK_ERROR(ErrorCode::invalid_argument,
              (void)measure_blas(on, {BlasOperation::syrk, Precision::float32, 3, 4, 0}, 1));
  CHECK_ERROR(ErrorCode::invalid_argument, (void)measure_blas(on, {BlasOperation::trsm, Precision::float64, 3}, 1));
  CHECK_ERROR(ErrorCode::invalid_argument, (void)measure_blas(on, {BlasOperation::potrf, Precision::float32, 3}, 1));
}
