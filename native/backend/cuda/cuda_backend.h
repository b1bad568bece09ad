// An NVIDIA GPU as a backend: cuBLAS and cuSOLVER for linear algebra, kernels for the rest.
#pragma once

#include <mutex>

#include "backend/activation_bytes.h"
#include "backend/backend.h"
#include "backend/cuda/create_cuda_backend.h"
#include "backend/cuda/device.h"
#include "backend/cuda/staging.h"

namespace lyaplock::cuda {

/// Every operation is specified in backend.h; the files beside this one hold them by its sections. Calls put work on
/// one stream and return; those that give numbers or copies to the host wait for it.
class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options);
  ~CudaBackend() override;

  // memory.cpp
  std::shared_ptr<void> allocate(std::size_t bytes) override;
  std::shared_ptr<const void> adopt(std::shared_ptr<const void> host, std::size_t bytes) override;
  void upload(void* destination, const void* host, std::size_t bytes) override;
  void download(void* host, const void* source, std::size_t bytes) override;
  void synchronize() override;
  [[nodiscard]] bool shares_host_memory() const override { return false; }
  [[nodiscard]] std::size_t activation_bytes() const override { return device_activation_bytes(device_.memory); }
  [[nodiscard]] std::string description() const override;

  // elementwise.cu
  void fill(float value, MatrixView<float> x) override;
  void fill(double value, MatrixView<double> x) override;
  void copy(ConstMatrixView<float> x, MatrixView<float> y) override;
  void copy(ConstMatrixView<double> x, MatrixView<double> y) override;
  void convert(ConstMatrixView<float> x, MatrixView<double> y) override;
  void convert(ConstMatrixView<double> x, MatrixView<float> y) override;
  void convert(ConstMatrixView<Bfloat16> x, MatrixView<float> y) override;
  void add_scaled(float alpha, ConstMatrixView<float> x, MatrixView<float> y) override;
  void add_scaled(double alpha, ConstMatrixView<double> x, MatrixView<double> y) override;
  void add_rounded(ConstMatrixView<float> base, ConstMatrixView<double> drift, MatrixView<float> y) override;
  void add_bias(ConstMatrixView<float> bias, MatrixView<float> x) override;
  void scale_columns(ConstMatrixView<double> weights, MatrixView<double> x) override;
  void relative_change(ConstMatrixView<double> delta, ConstMatrixView<double> weight, double epsilon,
                       MatrixView<double> out) override;
  void keep_at_least(ConstMatrixView<double> ratio, double threshold, MatrixView<double> x) override;

  // reductions.cu
  double dot(ConstMatrixView<double> x, ConstMatrixView<double> y) override;
  double dot(ConstMatrixView<float> x, ConstMatrixView<float> y) override;
  double subtract_from(ConstMatrixView<double> x, MatrixView<double> y) override;
  double kth_smallest(ConstMatrixView<double> x, std::size_t k) override;
  bool all_finite(ConstMatrixView<float> x) override;
  bool all_finite(ConstMatrixView<double> x) override;

  // linear_algebra.cpp
  void gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b, float beta,
            MatrixView<float> c) override;
  void gemm(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a, ConstMatrixView<double> b,
            double beta, MatrixView<double> c) override;
  void gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<Bfloat16> b,
            float beta, MatrixView<float> c) override;
  void syrk(Transpose a_op, float alpha, ConstMatrixView<float> a, float beta, MatrixView<float> c) override;
  void syrk(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta, MatrixView<double> c) override;
  std::size_t potrf(MatrixView<double> a) override;
  void trsm(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) override;
  void mirror_lower(MatrixView<double> a) override;

  // positive_solve.cu
  std::size_t solve_positive(MatrixView<double> a, MatrixView<double> b) override;

  // spectra.cpp
  void syevd(MatrixView<double> a, MatrixView<double> values) override;
  void gesdd(MatrixView<double> a, MatrixView<double> u, MatrixView<double> values, MatrixView<double> vt) override;

  // rows.cu
  void gather_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                   MatrixView<float> out) override;
  void gather_rows(ConstMatrixView<Bfloat16> source, std::span<const std::int32_t> indices,
                   MatrixView<float> out) override;
  void scatter_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                    MatrixView<float> destination) override;
  void scatter_add_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                        std::span<const float> weights, MatrixView<float> destination) override;
  void row_norms(ConstMatrixView<float> x, MatrixView<float> norms) override;

  // norms.cu
  void rms_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight, float epsilon, MatrixView<float> out,
                        MatrixView<float> inverse_rms) override;
  void rms_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x, ConstMatrixView<float> weight,
                         ConstMatrixView<float> inverse_rms, MatrixView<float> x_gradient) override;
  void layer_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight, ConstMatrixView<float> bias,
                          float epsilon, MatrixView<float> out, MatrixView<float> mean,
                          MatrixView<float> inverse_deviation) override;
  void layer_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x, ConstMatrixView<float> weight,
                           ConstMatrixView<float> mean, ConstMatrixView<float> inverse_deviation,
                           MatrixView<float> x_gradient) override;

  // rotary.cu
  void rotary(RotaryDirection direction, RotaryPairing pairing, std::size_t head_width, ConstMatrixView<float> cosine,
              ConstMatrixView<float> sine, std::span<const std::int32_t> positions, MatrixView<float> x) override;

  // attention_forward.cu, attention_backward.cu
  void attention_forward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                         ConstMatrixView<float> query, ConstMatrixView<float> key, ConstMatrixView<float> value,
                         ConstMatrixView<float> prefix_key, ConstMatrixView<float> prefix_value, MatrixView<float> out,
                         MatrixView<float> log_sum_exp) override;
  void attention_backward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                          ConstMatrixView<float> query, ConstMatrixView<float> key, ConstMatrixView<float> value,
                          ConstMatrixView<float> prefix_key, ConstMatrixView<float> prefix_value,
                          ConstMatrixView<float> out, ConstMatrixView<float> log_sum_exp,
                          ConstMatrixView<float> out_gradient, MatrixView<float> query_gradient,
                          MatrixView<float> key_gradient, MatrixView<float> value_gradient) override;

  // activations.cu
  void swiglu_forward(ConstMatrixView<float> gate, ConstMatrixView<float> up, MatrixView<float> out) override;
  void swiglu_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> gate, ConstMatrixView<float> up,
                       MatrixView<float> gate_gradient, MatrixView<float> up_gradient) override;
  void gelu_forward(Gelu kind, ConstMatrixView<float> x, MatrixView<float> out) override;
  void gelu_backward(Gelu kind, ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                     MatrixView<float> x_gradient) override;

  // distributions.cu, selection.cu
  void log_softmax(ConstMatrixView<float> logits, MatrixView<float> log_probabilities) override;
  void cross_entropy(std::span<const std::int32_t> targets, std::span<const float> weights, MatrixView<float> logits,
                     MatrixView<float> losses) override;
  void kullback_leibler(ConstMatrixView<float> reference, std::span<const float> weights, MatrixView<float> logits,
                        MatrixView<float> divergences) override;
  void score(ConstMatrixView<float> logits, std::span<const std::int32_t> rows, std::span<const std::int32_t> targets,
             MatrixView<float> losses, std::span<std::int32_t> greedy) override;
  void top_k(ConstMatrixView<float> logits, std::size_t k, std::span<float> probabilities,
             std::span<std::int32_t> ids) override;

  // optimiser.cu
  void adam_update(const Adam& adam, std::span<const std::int32_t> rows, ConstMatrixView<float> gradient,
                   MatrixView<float> first_moment, MatrixView<float> second_moment, MatrixView<float> x) override;
  void clamp_row_norms(std::span<const std::int32_t> rows, ConstMatrixView<float> limits, MatrixView<float> x) override;
  void clamp_around(ConstMatrixView<float> center, float radius, MatrixView<float> x) override;

 private:
  /// B A^-1 by a float32 factor, refined in float64, in `x`; false where it does not converge. A and B stay.
  bool solve_refined(ConstMatrixView<double> a, ConstMatrixView<double> b, MatrixView<double> x);
  /// What potrf of float32 returns.
  std::size_t factor_single(MatrixView<float> a);
  /// X = X op(L)^-1, float32.
  void solve_single(Transpose l_op, ConstMatrixView<float> l, MatrixView<float> x);
  /// C = alpha op(A) op(B) + beta C, of inner size one at least.
  void multiply(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                float beta, MatrixView<float> c);
  /// The same with bfloat16 inputs and float32 sums.
  void multiply_rounded(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<Bfloat16> a,
                        ConstMatrixView<Bfloat16> b, float beta, MatrixView<float> c);
  /// Of the lower triangle alone.
  bool lower_all_finite(ConstMatrixView<double> a);

  CudaOptions options_;
  DeviceProperties device_;
  std::shared_ptr<Stream> stream_;
  Libraries libraries_;
  std::mutex library_calls_;  // handles serve one thread at a time
  Staging staging_;
};

}  // namespace lyaplock::cuda
