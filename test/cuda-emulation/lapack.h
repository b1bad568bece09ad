// BLAS and LAPACK, which compute what cuBLAS and cuSOLVER do: both are column-major and have the same flags.
#pragma once

#include "backend/cpu/blas.h"

extern "C" {

void strsm_(const char* side, const char* triangle, const char* a_op, const char* diagonal, const int* m, const int* n,
            const float* alpha, const float* a, const int* a_stride, float* b, const int* b_stride);
void spotrf_(const char* triangle, const int* n, float* a, const int* a_stride, int* info);
void dgesvd_(const char* u_job, const char* vt_job, const int* m, const int* n, double* a, const int* a_stride,
             double* values, double* u, const int* u_stride, double* vt, const int* vt_stride, double* work,
             const int* work_size, int* info);

}  // extern "C"
