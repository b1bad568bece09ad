// The Fortran interface of BLAS and LAPACK, which OpenBLAS, MKL, Accelerate and the reference libraries all share.
// Sizes are 32-bit; matrices are column-major. The lengths of character arguments that Fortran compilers append are
// left out: each is one character, and no library reads its length.
#pragma once

extern "C" {

void sgemm_(const char* a_op, const char* b_op, const int* m, const int* n, const int* k, const float* alpha,
            const float* a, const int* a_stride, const float* b, const int* b_stride, const float* beta, float* c,
            const int* c_stride);
void dgemm_(const char* a_op, const char* b_op, const int* m, const int* n, const int* k, const double* alpha,
            const double* a, const int* a_stride, const double* b, const int* b_stride, const double* beta, double* c,
            const int* c_stride);
void sgemv_(const char* a_op, const int* m, const int* n, const float* alpha, const float* a, const int* a_stride,
            const float* x, const int* x_step, const float* beta, float* y, const int* y_step);
void ssyrk_(const char* triangle, const char* a_op, const int* n, const int* k, const float* alpha, const float* a,
            const int* a_stride, const float* beta, float* c, const int* c_stride);
void dsyrk_(const char* triangle, const char* a_op, const int* n, const int* k, const double* alpha, const double* a,
            const int* a_stride, const double* beta, double* c, const int* c_stride);
void dtrsm_(const char* side, const char* triangle, const char* a_op, const char* diagonal, const int* m, const int* n,
            const double* alpha, const double* a, const int* a_stride, double* b, const int* b_stride);
void dpotrf_(const char* triangle, const int* n, double* a, const int* a_stride, int* info);
void dsyevd_(const char* vectors, const char* triangle, const int* n, double* a, const int* a_stride, double* values,
             double* work, const int* work_size, int* integer_work, const int* integer_work_size, int* info);
void dgesdd_(const char* vectors, const int* m, const int* n, double* a, const int* a_stride, double* values, double* u,
             const int* u_stride, double* v, const int* v_stride, double* work, const int* work_size, int* integer_work,
             int* info);

}  // extern "C"
