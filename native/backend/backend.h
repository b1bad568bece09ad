// What a device must provide. Everything above this header (model/, edit/) is device-blind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/half.h"
#include "base/matrix_view.h"

namespace lyaplock {

enum class Transpose { no, yes };
enum class Side { left, right };

/// How the two halves of a rotated pair lie in a head: (i, i + width/2) as in LLaMA, or (2i, 2i + 1) as in GPT-J.
enum class RotaryPairing { halves, neighbours };
enum class RotaryDirection { forward, backward };
/// `tanh` is transformers' "gelu_new" and "gelu_pytorch_tanh"; `exact` its "gelu".
enum class Gelu { tanh, exact };

struct AttentionShape {
  std::size_t heads;
  std::size_t key_value_heads;  // divides heads; head h reads key/value head h / (heads / key_value_heads)
  std::size_t head_width;
  float scale;  // of the dot products, usually 1/sqrt(head_width)
};

/// One sequence of a packed batch, as attention sees it. Its queries, keys and values are rows
/// [begin, begin + count) of the matrices; before them come rows [prefix_begin, prefix_begin + prefix_count) of the
/// prefix matrices. Query row i attends to the whole prefix and to rows begin ... i.
struct AttentionSegment {
  std::size_t begin;
  std::size_t count;
  std::size_t prefix_begin = 0;
  std::size_t prefix_count = 0;
};

struct Adam {
  float learning_rate;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
  int step;  // from 1: how many updates this one makes
};

/// True for every operation:
///   * matrices are dense and row-major, in memory of this backend (allocate, adopt), except those named `host`;
///     spans of indices, targets and weights are always host memory, read before the call returns;
///   * callers have checked shapes; outputs do not overlap inputs unless a line says "in place";
///   * an output is overwritten, unless a line says "adds to" or shows a beta; with beta 0 it is not read;
///   * a matrix with no rows or no columns is allowed and does nothing;
///   * calls run in order; `synchronize`, `download` and functions that return a number wait for them;
///   * results depend on inputs, shapes and the number of threads alone: the same call gives the same bits;
///   * what linear algebra takes is added to the calling thread's count of operations (backend/counted_flops.h);
///   * ErrorCode::out_of_memory, or device_memory on a GPU, when memory ends; ErrorCode::device when a GPU fails.
/// n counts rows (tokens of all sequences of a batch, one after the other, without padding), m is the model's width.
class Backend {
 public:
  virtual ~Backend() = default;

  // --- memory -------------------------------------------------------------------------------------------------------

  /// Uninitialised memory, aligned to 64 bytes at least, freed with its last owner.
  virtual std::shared_ptr<void> allocate(std::size_t bytes) = 0;
  /// The same bytes as device memory: on the CPU the very same memory, kept alive; elsewhere a copy.
  virtual std::shared_ptr<const void> adopt(std::shared_ptr<const void> host, std::size_t bytes) = 0;
  virtual void upload(void* destination, const void* host, std::size_t bytes) = 0;
  virtual void download(void* host, const void* source, std::size_t bytes) = 0;
  virtual void synchronize() = 0;
  /// Whether the memory of matrices is the host's own: then, after `synchronize`, the host may use it in place.
  [[nodiscard]] virtual bool shares_host_memory() const = 0;
  /// What the activations of one pass over many sequences may take (backend/activation_bytes.h): with more rows
  /// products are faster, and every weight is read for more of them.
  [[nodiscard]] virtual std::size_t activation_bytes() const = 0;
  /// For people: "cpu (OpenBLAS Haswell, 2 threads)".
  [[nodiscard]] virtual std::string description() const = 0;

  // --- elementwise and copies, [rows, cols] both --------------------------------------------------------------------

  virtual void fill(float value, MatrixView<float> x) = 0;
  virtual void fill(double value, MatrixView<double> x) = 0;
  virtual void copy(ConstMatrixView<float> x, MatrixView<float> y) = 0;
  virtual void copy(ConstMatrixView<double> x, MatrixView<double> y) = 0;
  /// y = x, rounded to nearest where y is narrower.
  virtual void convert(ConstMatrixView<float> x, MatrixView<double> y) = 0;
  virtual void convert(ConstMatrixView<double> x, MatrixView<float> y) = 0;
  virtual void convert(ConstMatrixView<Bfloat16> x, MatrixView<float> y) = 0;
  /// y += alpha x.
  virtual void add_scaled(float alpha, ConstMatrixView<float> x, MatrixView<float> y) = 0;
  virtual void add_scaled(double alpha, ConstMatrixView<double> x, MatrixView<double> y) = 0;
  /// y = float(base + drift): the sum in float64, rounded once. In place allowed (y == base).
  virtual void add_rounded(ConstMatrixView<float> base, ConstMatrixView<double> drift, MatrixView<float> y) = 0;
  /// x(i, :) += bias [1, cols] for every row.
  virtual void add_bias(ConstMatrixView<float> bias, MatrixView<float> x) = 0;
  /// x(:, j) *= weights [1, cols](j) for every column.
  virtual void scale_columns(ConstMatrixView<double> weights, MatrixView<double> x) = 0;
  /// In place: y = x - y. Returns the sum of its squares, accumulated in float64: both in one pass over memory.
  virtual double subtract_from(ConstMatrixView<double> x, MatrixView<double> y) = 0;
  /// Sum over all elements of x(i, j) y(i, j), accumulated in float64.
  virtual double dot(ConstMatrixView<double> x, ConstMatrixView<double> y) = 0;
  virtual double dot(ConstMatrixView<float> x, ConstMatrixView<float> y) = 0;
  /// False if any element is NaN or infinite.
  virtual bool all_finite(ConstMatrixView<float> x) = 0;
  virtual bool all_finite(ConstMatrixView<double> x) = 0;

  // --- masks by size, float64, [rows, cols] all ---------------------------------------------------------------------

  /// out = |delta / (weight + epsilon)|: infinite or NaN where weight is -epsilon. In place allowed (out == delta).
  virtual void relative_change(ConstMatrixView<double> delta, ConstMatrixView<double> weight, double epsilon,
                               MatrixView<double> out) = 0;
  /// The k-th smallest of all elements of x, exactly; k from 1 to their number. NaN counts as larger than any number.
  virtual double kth_smallest(ConstMatrixView<double> x, std::size_t k) = 0;
  /// In place: x = 0 where ratio < threshold. What has a NaN for a ratio stays, and so is seen.
  virtual void keep_at_least(ConstMatrixView<double> ratio, double threshold, MatrixView<double> x) = 0;

  // --- linear algebra -----------------------------------------------------------------------------------------------

  /// C [m, n] = alpha op(A) [m, k] op(B) [k, n] + beta C.
  virtual void gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<float> b,
                    float beta, MatrixView<float> c) = 0;
  virtual void gemm(Transpose a_op, Transpose b_op, double alpha, ConstMatrixView<double> a, ConstMatrixView<double> b,
                    double beta, MatrixView<double> c) = 0;
  /// The same for a B that takes half the memory: its elements become float32 on the way, exactly, and all else is
  /// float32.
  virtual void gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a, ConstMatrixView<Bfloat16> b,
                    float beta, MatrixView<float> c) = 0;
  /// Lower triangle of C [n, n] = alpha op(A) op(A)^T + beta C, op(A) [n, k]. The upper triangle is left alone.
  virtual void syrk(Transpose a_op, float alpha, ConstMatrixView<float> a, float beta, MatrixView<float> c) = 0;
  virtual void syrk(Transpose a_op, double alpha, ConstMatrixView<double> a, double beta, MatrixView<double> c) = 0;
  /// Cholesky in place: the lower triangle of the symmetric A [n, n] becomes L, A = L L^T. The upper triangle is
  /// neither read nor written. Returns 0, or the order 1..n of the leading minor that is not positive (the content of A
  /// is then undefined). NaN in A counts as not positive.
  [[nodiscard]] virtual std::size_t potrf(MatrixView<double> a) = 0;
  /// In place: B = op(L)^-1 B (left, L [rows of B]²) or B op(L)^-1 (right, L [cols of B]²). Reads L's lower triangle.
  virtual void trsm(Side side, Transpose l_op, ConstMatrixView<double> l, MatrixView<double> b) = 0;
  /// In place: B [n, k] = B A^-1 for the symmetric positive definite A [k, k], of which both triangles are read, and
  /// which is destroyed. Returns what potrf does; unless that is 0, the content of B is undefined too.
  [[nodiscard]] virtual std::size_t solve_positive(MatrixView<double> a, MatrixView<double> b) = 0;
  /// Copies the lower triangle of A [n, n] over the upper one.
  virtual void mirror_lower(MatrixView<double> a) = 0;
  /// Eigendecomposition of the symmetric A [n, n], of which the lower triangle is read: A = V^T diag(values) V with the
  /// values [1, n] rising. A is overwritten with V, whose row i is the eigenvector of unit length that belongs to
  /// values(i); its sign is arbitrary. Needs memory for 2 n² more elements.
  /// ErrorCode::not_finite if the lower triangle holds NaN or infinity, or the iteration does not converge: of finite
  /// numbers that is known only where intermediate ones overflow, so it is the input's fault and not ours.
  virtual void syevd(MatrixView<double> a, MatrixView<double> values) = 0;
  /// Singular values of A [m, n], which is destroyed: A = U diag(values) V^T with k = min(m, n), U [m, k], the values
  /// [1, k] falling, V^T [k, n]. The sign of each pair of vectors is arbitrary. Needs memory for about 4 k² more
  /// elements. ErrorCode::not_finite as for syevd.
  virtual void gesdd(MatrixView<double> a, MatrixView<double> u, MatrixView<double> values, MatrixView<double> vt) = 0;

  // --- rows ---------------------------------------------------------------------------------------------------------

  /// out(i, :) = source(indices[i], :).
  virtual void gather_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                           MatrixView<float> out) = 0;
  virtual void gather_rows(ConstMatrixView<Bfloat16> source, std::span<const std::int32_t> indices,
                           MatrixView<float> out) = 0;
  /// destination(indices[i], :) = source(i, :); indices are distinct.
  virtual void scatter_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                            MatrixView<float> destination) = 0;
  /// destination(indices[i], :) += weights[i] source(i, :), in the order of i; indices may repeat.
  virtual void scatter_add_rows(ConstMatrixView<float> source, std::span<const std::int32_t> indices,
                                std::span<const float> weights, MatrixView<float> destination) = 0;
  /// norms [1, n](i) = Euclidean norm of x(i, :).
  virtual void row_norms(ConstMatrixView<float> x, MatrixView<float> norms) = 0;

  // --- transformer, forward and backward, float32 -------------------------------------------------------------------
  // Gradients of activations only. `_backward` functions *add to* x_gradient where the input also feeds a residual
  // stream (the norms), and overwrite elsewhere.

  /// out = weight * x / sqrt(mean(x²) + epsilon), row by row; inverse_rms [1, n] is kept for the backward pass.
  virtual void rms_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight, float epsilon,
                                MatrixView<float> out, MatrixView<float> inverse_rms) = 0;
  virtual void rms_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                 ConstMatrixView<float> weight, ConstMatrixView<float> inverse_rms,
                                 MatrixView<float> x_gradient /* adds to */) = 0;
  /// out = weight * (x - mean) / sqrt(variance + epsilon) + bias, row by row, variance over m (not m - 1).
  virtual void layer_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight, ConstMatrixView<float> bias,
                                  float epsilon, MatrixView<float> out, MatrixView<float> mean,
                                  MatrixView<float> inverse_deviation) = 0;
  virtual void layer_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                   ConstMatrixView<float> weight, ConstMatrixView<float> mean,
                                   ConstMatrixView<float> inverse_deviation,
                                   MatrixView<float> x_gradient /* adds to */) = 0;

  /// Rotates, in place, the first 2 * cosine.cols entries of every head of x [n, heads * head_width] by the angles of
  /// the row's position: cosine, sine [positions, rotated / 2]. `backward` rotates the other way.
  virtual void rotary(RotaryDirection direction, RotaryPairing pairing, std::size_t head_width,
                      ConstMatrixView<float> cosine, ConstMatrixView<float> sine,
                      std::span<const std::int32_t> positions, MatrixView<float> x) = 0;

  /// Causal grouped-query attention. query, out [n, heads * head_width]; key, value [n, key_value_heads * head_width];
  /// prefix_key, prefix_value [p, key_value_heads * head_width] (empty when no segment has a prefix);
  /// log_sum_exp [n, heads] of the scaled scores is kept for the backward pass.
  virtual void attention_forward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                                 ConstMatrixView<float> query, ConstMatrixView<float> key, ConstMatrixView<float> value,
                                 ConstMatrixView<float> prefix_key, ConstMatrixView<float> prefix_value,
                                 MatrixView<float> out, MatrixView<float> log_sum_exp) = 0;
  /// Gradients of query, key and value; the prefix is constant.
  virtual void attention_backward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                                  ConstMatrixView<float> query, ConstMatrixView<float> key,
                                  ConstMatrixView<float> value, ConstMatrixView<float> prefix_key,
                                  ConstMatrixView<float> prefix_value, ConstMatrixView<float> out,
                                  ConstMatrixView<float> log_sum_exp, ConstMatrixView<float> out_gradient,
                                  MatrixView<float> query_gradient, MatrixView<float> key_gradient,
                                  MatrixView<float> value_gradient) = 0;

  /// out = silu(gate) * up, silu(x) = x / (1 + exp(-x)). In place allowed (out == gate or up).
  virtual void swiglu_forward(ConstMatrixView<float> gate, ConstMatrixView<float> up, MatrixView<float> out) = 0;
  /// In place allowed (gate_gradient == gate, up_gradient == up).
  virtual void swiglu_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> gate,
                               ConstMatrixView<float> up, MatrixView<float> gate_gradient,
                               MatrixView<float> up_gradient) = 0;
  virtual void gelu_forward(Gelu kind, ConstMatrixView<float> x, MatrixView<float> out) = 0;
  /// In place allowed (x_gradient == out_gradient or x).
  virtual void gelu_backward(Gelu kind, ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                             MatrixView<float> x_gradient) = 0;

  // --- distributions over the vocabulary, logits [n, vocabulary] ----------------------------------------------------

  virtual void log_softmax(ConstMatrixView<float> logits, MatrixView<float> log_probabilities) = 0;
  /// losses [1, n](i) = -log softmax(logits(i, :))[targets[i]]; then, in place,
  /// logits(i, :) = weights[i] (softmax(logits(i, :)) - onehot(targets[i])): the gradient of sum weights[i] losses(i).
  virtual void cross_entropy(std::span<const std::int32_t> targets, std::span<const float> weights,
                             MatrixView<float> logits, MatrixView<float> losses) = 0;
  /// divergences [1, n](i) = KL(p ‖ q) = sum p (log p - log q), p = softmax(logits(i, :)), log q = reference(i, :);
  /// then, in place, logits(i, :) = weights[i] * the gradient of divergences(i) to the logits.
  virtual void kullback_leibler(ConstMatrixView<float> reference, std::span<const float> weights,
                                MatrixView<float> logits, MatrixView<float> divergences) = 0;
  /// For each query j: losses [1, queries](j) = -log softmax(logits(rows[j], :))[targets[j]], and
  /// host greedy[j] = the first index of the largest logit of that row.
  virtual void score(ConstMatrixView<float> logits, std::span<const std::int32_t> rows,
                     std::span<const std::int32_t> targets, MatrixView<float> losses,
                     std::span<std::int32_t> greedy) = 0;
  /// host, row by row: the k largest softmax probabilities, falling, ties to the lower id, and their ids; both [n * k].
  virtual void top_k(ConstMatrixView<float> logits, std::size_t k, std::span<float> probabilities,
                     std::span<std::int32_t> ids) = 0;

  // --- optimisation of values and weights ---------------------------------------------------------------------------

  /// One bias-corrected Adam step (Kingma & Ba 2015, as PyTorch computes it) on the named rows of x [n, m].
  virtual void adam_update(const Adam& adam, std::span<const std::int32_t> rows, ConstMatrixView<float> gradient,
                           MatrixView<float> first_moment, MatrixView<float> second_moment, MatrixView<float> x) = 0;
  /// Scales each named row of x whose norm exceeds limits [1, n](row) back to that norm.
  virtual void clamp_row_norms(std::span<const std::int32_t> rows, ConstMatrixView<float> limits,
                               MatrixView<float> x) = 0;
  /// In place: x = min(max(x, center - radius), center + radius), element by element; [rows, cols] both. NaN stays.
  virtual void clamp_around(ConstMatrixView<float> center, float radius, MatrixView<float> x) = 0;
};

/// `threads` 0: one per core. Sets the BLAS library, of which a process has one, to a single thread: the threads of the
/// backend share out its calls.
std::shared_ptr<Backend> create_cpu_backend(std::size_t threads);

}  // namespace lyaplock
