#include "backend/rehearsal/rehearsal_backend.h"

#include <algorithm>
#include <utility>

#include "backend/counted_flops.h"
#include "backend/row_major.h"

namespace lyaplock {

namespace {

/// Bytes of all elements of some matrices.
template <class... Views>
double bytes_of(const Views&... views) {
  return (0.0 + ... + (static_cast<double>(views.size()) * sizeof(*views.data)));
}

double triangle(std::size_t n) { return static_cast<double>(n) * static_cast<double>(n + 1) / 2; }

/// Bytes of some rows of a matrix.
template <class T>
double bytes_of_rows(const MatrixView<T>& matrix, std::size_t rows) {
  return static_cast<double>(rows) * static_cast<double>(matrix.cols) * sizeof(T);
}

}  // namespace

RehearsalBackend::RehearsalBackend(std::size_t device_memory)
    : device_memory_(device_memory), memory_(std::make_shared<Memory>()) {}

std::vector<Work> RehearsalBackend::take_work() {
  std::vector<Work> all;
  for (auto& [key, work] : std::exchange(work_, {})) all.push_back(work);
  return all;
}

void RehearsalBackend::add(const Work& work) {
  const auto [entry, is_new] =
      work_.try_emplace({work.operation, work.is_float64, work.rows, work.columns, work.inner}, work);
  if (is_new) return;
  entry->second.calls += work.calls;
  entry->second.flops += work.flops;
  entry->second.bytes += work.bytes;
}

void RehearsalBackend::pass(const char* operation, double bytes, bool is_float64) {
  if (bytes == 0) return;
  add({.kind = WorkKind::pass, .operation = operation, .is_float64 = is_float64, .calls = 1, .bytes = bytes});
}

template <class T>
void RehearsalBackend::product(const char* operation, std::size_t rows, std::size_t columns, std::size_t inner,
                               double flops, double elements) {
  count_flops(flops);
  if (flops == 0) return;
  add({.kind = WorkKind::product,
       .operation = operation,
       .is_float64 = std::is_same_v<T, double>,
       .rows = rows,
       .columns = columns,
       .inner = inner,
       .calls = 1,
       .flops = flops,
       .bytes = elements * sizeof(T)});
}

// --- memory

std::shared_ptr<void> RehearsalBackend::allocate(std::size_t bytes) {
  const std::size_t address = memory_->next_address;
  memory_->next_address += (bytes / 256 + 1) * 256;
  memory_->held += bytes;
  memory_->peak = std::max(memory_->peak, memory_->held);
  return {reinterpret_cast<void*>(address), [memory = memory_, bytes](void*) { memory->held -= bytes; }};
}

std::shared_ptr<const void> RehearsalBackend::adopt(std::shared_ptr<const void>, std::size_t bytes) {
  return allocate(bytes);
}

void RehearsalBackend::upload(void*, const void*, std::size_t bytes) {
  add({.kind = WorkKind::copy,
       .operation = "upload",
       .is_float64 = false,
       .calls = 1,
       .bytes = static_cast<double>(bytes)});
}

void RehearsalBackend::download(void* host, const void*, std::size_t bytes) {
  add({.kind = WorkKind::copy,
       .operation = "download",
       .is_float64 = false,
       .calls = 1,
       .bytes = static_cast<double>(bytes)});
  // Read as float64, or as integers, these are positive numbers too.
  std::fill_n(static_cast<float*>(host), bytes / sizeof(float), 1.0F);
}

// --- elementwise and copies

void RehearsalBackend::fill(float, MatrixView<float> x) { pass("fill", bytes_of(x)); }
void RehearsalBackend::fill(double, MatrixView<double> x) { pass("fill", bytes_of(x), true); }
void RehearsalBackend::copy(ConstMatrixView<float> x, MatrixView<float> y) { pass("copy", bytes_of(x, y)); }
void RehearsalBackend::copy(ConstMatrixView<double> x, MatrixView<double> y) { pass("copy", bytes_of(x, y), true); }
void RehearsalBackend::convert(ConstMatrixView<float> x, MatrixView<double> y) { pass("convert", bytes_of(x, y)); }
void RehearsalBackend::convert(ConstMatrixView<double> x, MatrixView<float> y) { pass("convert", bytes_of(x, y)); }
void RehearsalBackend::convert(ConstMatrixView<Bfloat16> x, MatrixView<float> y) { pass("convert", bytes_of(x, y)); }
void RehearsalBackend::add_scaled(float, ConstMatrixView<float> x, MatrixView<float> y) {
  pass("add_scaled", bytes_of(x, y, y));
}
void RehearsalBackend::add_scaled(double, ConstMatrixView<double> x, MatrixView<double> y) {
  pass("add_scaled", bytes_of(x, y, y), true);
}
void RehearsalBackend::add_rounded(ConstMatrixView<float> base, ConstMatrixView<double> drift, MatrixView<float> y) {
  pass("add_rounded", bytes_of(base, drift, y));
}
void RehearsalBackend::add_bias(ConstMatrixView<float> bias, MatrixView<float> x) {
  pass("add_bias", bytes_of(bias, x, x));
}
void RehearsalBackend::scale_columns(ConstMatrixView<double> weights, MatrixView<double> x) {
  pass("scale_columns", bytes_of(weights, x, x), true);
}
double RehearsalBackend::subtract_from(ConstMatrixView<double> x, MatrixView<double> y) {
  pass("subtract_from", bytes_of(x, y, y), true);
  return 1;
}
double RehearsalBackend::dot(ConstMatrixView<double> x, ConstMatrixView<double> y) {
  pass("dot", x.data == y.data ? bytes_of(x) : bytes_of(x, y), true);
  return 1;
}
double RehearsalBackend::dot(ConstMatrixView<float> x, ConstMatrixView<float> y) {
  pass("dot", x.data == y.data ? bytes_of(x) : bytes_of(x, y));
  return 1;
}
bool RehearsalBackend::all_finite(ConstMatrixView<float> x) {
  pass("all_finite", bytes_of(x));
  return true;
}
bool RehearsalBackend::all_finite(ConstMatrixView<double> x) {
  pass("all_finite", bytes_of(x), true);
  return true;
}

void RehearsalBackend::relative_change(ConstMatrixView<double> delta, ConstMatrixView<double> weight, double,
                                       MatrixView<double> out) {
  pass("relative_change", bytes_of(delta, weight, out), true);
}
double RehearsalBackend::kth_smallest(ConstMatrixView<double> x, std::size_t) {
  pass("kth_smallest", bytes_of(x), true);
  return 1;
}
void RehearsalBackend::keep_at_least(ConstMatrixView<double> ratio, double, MatrixView<double> x) {
  pass("keep_at_least", bytes_of(ratio, x, x), true);
}

// --- linear algebra

namespace {

/// What a product reads, and what it reads of its output unless beta is zero, and writes.
template <class A, class B, class C>
double elements_of_product(const A& a, const B& b, double beta, const C& c) {
  return static_cast<double>(a.size()) + static_cast<double>(b.size()) +
         (beta == 0 ? 1 : 2) * static_cast<double>(c.size());
}

}  // namespace

void RehearsalBackend::gemm(Transpose a_op, Transpose, float, ConstMatrixView<float> a, ConstMatrixView<float> b,
                            float beta, MatrixView<float> c) {
  const std::size_t inner = inner_size(a_op, a);
  product<float>("gemm", c.rows, c.cols, inner, flops::gemm(c.rows, c.cols, inner), elements_of_product(a, b, beta, c));
}
void RehearsalBackend::gemm(Transpose a_op, Transpose, double, ConstMatrixView<double> a, ConstMatrixView<double> b,
                            double beta, MatrixView<double> c) {
  const std::size_t inner = inner_size(a_op, a);
  product<double>("gemm", c.rows, c.cols, inner, flops::gemm(c.rows, c.cols, inner),
                  elements_of_product(a, b, beta, c));
}
void RehearsalBackend::gemm(Transpose a_op, Transpose b_op, float alpha, ConstMatrixView<float> a,
                            ConstMatrixView<Bfloat16> b, float beta, MatrixView<float> c) {
  gemm(a_op, b_op, alpha, a, ConstMatrixView<float>(nullptr, b.rows, b.cols), beta, c);
}
void RehearsalBackend::syrk(Transpose a_op, float, ConstMatrixView<float> a, float beta, MatrixView<float> c) {
  const std::size_t inner = inner_size(a_op, a);
  product<float>("syrk", c.rows, c.rows, inner, flops::syrk(c.rows, inner),
                 static_cast<double>(a.size()) + (beta == 0 ? 1 : 2) * triangle(c.rows));
}
void RehearsalBackend::syrk(Transpose a_op, double, ConstMatrixView<double> a, double beta, MatrixView<double> c) {
  const std::size_t inner = inner_size(a_op, a);
  product<double>("syrk", c.rows, c.rows, inner, flops::syrk(c.rows, inner),
                  static_cast<double>(a.size()) + (beta == 0 ? 1 : 2) * triangle(c.rows));
}

std::size_t RehearsalBackend::potrf(MatrixView<double> a) {
  const double flops = flops::potrf(a.rows);
  count_flops(flops);
  add({.kind = WorkKind::factor,
       .operation = "potrf",
       .is_float64 = true,
       .rows = a.rows,
       .calls = 1,
       .flops = flops,
       .bytes = 2 * triangle(a.rows) * sizeof(double)});
  return 0;
}

void RehearsalBackend::trsm(Side side, Transpose, ConstMatrixView<double> l, MatrixView<double> b) {
  const std::size_t sides = side == Side::left ? b.cols : b.rows;
  const double flops = flops::trsm(l.rows, sides);
  count_flops(flops);
  if (flops == 0) return;
  add({.kind = WorkKind::triangular,
       .operation = "trsm",
       .is_float64 = true,
       .rows = sides,
       .columns = l.rows,
       .calls = 1,
       .flops = flops,
       .bytes = triangle(l.rows) * sizeof(double) + bytes_of(b, b)});
}

std::size_t RehearsalBackend::solve_positive(MatrixView<double> a, MatrixView<double> b) {
  const std::size_t minor = potrf(a);
  trsm(Side::right, Transpose::yes, a, b);
  trsm(Side::right, Transpose::no, a, b);
  return minor;
}

void RehearsalBackend::mirror_lower(MatrixView<double> a) { pass("mirror_lower", bytes_of(a), true); }

void RehearsalBackend::syevd(MatrixView<double> a, MatrixView<double> values) {
  const double flops = flops::syevd(a.rows);
  count_flops(flops);
  add({.kind = WorkKind::factor,
       .operation = "syevd",
       .is_float64 = true,
       .rows = a.rows,
       .calls = 1,
       .flops = flops,
       .bytes = bytes_of(a, a, values)});
}

void RehearsalBackend::gesdd(MatrixView<double> a, MatrixView<double> u, MatrixView<double> values,
                             MatrixView<double> vt) {
  const double flops = flops::gesdd(a.rows, a.cols);
  count_flops(flops);
  add({.kind = WorkKind::factor,
       .operation = "gesdd",
       .is_float64 = true,
       .rows = a.rows,
       .columns = a.cols,
       .calls = 1,
       .flops = flops,
       .bytes = bytes_of(a, u, values, vt)});
}

// --- rows

void RehearsalBackend::gather_rows(ConstMatrixView<float>, std::span<const std::int32_t>, MatrixView<float> out) {
  pass("gather_rows", bytes_of(out, out));
}
void RehearsalBackend::gather_rows(ConstMatrixView<Bfloat16>, std::span<const std::int32_t>, MatrixView<float> out) {
  pass("gather_rows", 1.5 * bytes_of(out));
}
void RehearsalBackend::scatter_rows(ConstMatrixView<float> source, std::span<const std::int32_t>, MatrixView<float>) {
  pass("scatter_rows", bytes_of(source, source));
}
void RehearsalBackend::scatter_add_rows(ConstMatrixView<float> source, std::span<const std::int32_t>,
                                        std::span<const float>, MatrixView<float>) {
  pass("scatter_add_rows", bytes_of(source, source, source));
}
void RehearsalBackend::row_norms(ConstMatrixView<float> x, MatrixView<float> norms) {
  pass("row_norms", bytes_of(x, norms));
}

// --- transformer

void RehearsalBackend::rms_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight, float,
                                        MatrixView<float> out, MatrixView<float> inverse_rms) {
  pass("rms_norm_forward", bytes_of(x, weight, out, inverse_rms));
}
void RehearsalBackend::rms_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                         ConstMatrixView<float> weight, ConstMatrixView<float> inverse_rms,
                                         MatrixView<float> x_gradient) {
  pass("rms_norm_backward", bytes_of(out_gradient, x, weight, inverse_rms, x_gradient, x_gradient));
}
void RehearsalBackend::layer_norm_forward(ConstMatrixView<float> x, ConstMatrixView<float> weight,
                                          ConstMatrixView<float> bias, float, MatrixView<float> out,
                                          MatrixView<float> mean, MatrixView<float> inverse_deviation) {
  pass("layer_norm_forward", bytes_of(x, weight, bias, out, mean, inverse_deviation));
}
void RehearsalBackend::layer_norm_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                           ConstMatrixView<float> weight, ConstMatrixView<float> mean,
                                           ConstMatrixView<float> inverse_deviation, MatrixView<float> x_gradient) {
  pass("layer_norm_backward", bytes_of(out_gradient, x, weight, mean, inverse_deviation, x_gradient, x_gradient));
}

void RehearsalBackend::rotary(RotaryDirection, RotaryPairing, std::size_t, ConstMatrixView<float> cosine,
                              ConstMatrixView<float> sine, std::span<const std::int32_t> positions,
                              MatrixView<float> x) {
  pass("rotary", bytes_of(x, x) + bytes_of_rows(cosine, positions.size()) + bytes_of_rows(sine, positions.size()));
}

/// `products` of inner size head_width for each pair of a query and what it attends to, in every head.
void RehearsalBackend::attention(const char* operation, const AttentionShape& shape,
                                 std::span<const AttentionSegment> segments, double products, double bytes) {
  double pairs = 0;
  for (const AttentionSegment& segment : segments)
    pairs += static_cast<double>(segment.count) * static_cast<double>(segment.prefix_count) + triangle(segment.count);
  if (pairs == 0) return;
  add({.kind = WorkKind::attention,
       .operation = operation,
       .is_float64 = false,
       .calls = 1,
       .flops = products * 2 * pairs * static_cast<double>(shape.heads * shape.head_width),
       .bytes = bytes});
}

void RehearsalBackend::attention_forward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                                         ConstMatrixView<float> query, ConstMatrixView<float> key,
                                         ConstMatrixView<float> value, ConstMatrixView<float> prefix_key,
                                         ConstMatrixView<float> prefix_value, MatrixView<float> out,
                                         MatrixView<float> log_sum_exp) {
  attention("attention_forward", shape, segments, 2,
            bytes_of(query, key, value, prefix_key, prefix_value, out, log_sum_exp));
}
void RehearsalBackend::attention_backward(const AttentionShape& shape, std::span<const AttentionSegment> segments,
                                          ConstMatrixView<float> query, ConstMatrixView<float> key,
                                          ConstMatrixView<float> value, ConstMatrixView<float> prefix_key,
                                          ConstMatrixView<float> prefix_value, ConstMatrixView<float> out,
                                          ConstMatrixView<float> log_sum_exp, ConstMatrixView<float> out_gradient,
                                          MatrixView<float> query_gradient, MatrixView<float> key_gradient,
                                          MatrixView<float> value_gradient) {
  // Scores again, then gradients of probabilities, queries, keys and values.
  attention("attention_backward", shape, segments, 5,
            bytes_of(query, key, value, prefix_key, prefix_value, out, log_sum_exp, out_gradient, query_gradient,
                     key_gradient, value_gradient));
}

void RehearsalBackend::swiglu_forward(ConstMatrixView<float> gate, ConstMatrixView<float> up, MatrixView<float> out) {
  pass("swiglu_forward", bytes_of(gate, up, out));
}
void RehearsalBackend::swiglu_backward(ConstMatrixView<float> out_gradient, ConstMatrixView<float> gate,
                                       ConstMatrixView<float> up, MatrixView<float> gate_gradient,
                                       MatrixView<float> up_gradient) {
  pass("swiglu_backward", bytes_of(out_gradient, gate, up, gate_gradient, up_gradient));
}
void RehearsalBackend::gelu_forward(Gelu, ConstMatrixView<float> x, MatrixView<float> out) {
  pass("gelu_forward", bytes_of(x, out));
}
void RehearsalBackend::gelu_backward(Gelu, ConstMatrixView<float> out_gradient, ConstMatrixView<float> x,
                                     MatrixView<float> x_gradient) {
  pass("gelu_backward", bytes_of(out_gradient, x, x_gradient));
}

// --- distributions

void RehearsalBackend::log_softmax(ConstMatrixView<float> logits, MatrixView<float> log_probabilities) {
  pass("log_softmax", bytes_of(logits, logits, log_probabilities));
}
void RehearsalBackend::cross_entropy(std::span<const std::int32_t>, std::span<const float>, MatrixView<float> logits,
                                     MatrixView<float> losses) {
  pass("cross_entropy", bytes_of(logits, logits, logits, losses));
}
void RehearsalBackend::kullback_leibler(ConstMatrixView<float> reference, std::span<const float>,
                                        MatrixView<float> logits, MatrixView<float> divergences) {
  pass("kullback_leibler", bytes_of(reference, reference, logits, logits, logits, logits, divergences));
}
void RehearsalBackend::score(ConstMatrixView<float> logits, std::span<const std::int32_t>,
                             std::span<const std::int32_t>, MatrixView<float> losses, std::span<std::int32_t> greedy) {
  pass("score", bytes_of(logits, logits, losses));
  std::fill(greedy.begin(), greedy.end(), 0);
}
void RehearsalBackend::top_k(ConstMatrixView<float> logits, std::size_t, std::span<float> probabilities,
                             std::span<std::int32_t> ids) {
  pass("top_k", bytes_of(logits, logits));
  std::fill(probabilities.begin(), probabilities.end(), 1.0F);
  std::fill(ids.begin(), ids.end(), 0);
}

// --- optimisation

void RehearsalBackend::adam_update(const Adam&, std::span<const std::int32_t> rows, ConstMatrixView<float> gradient,
                                   MatrixView<float>, MatrixView<float>, MatrixView<float>) {
  pass("adam_update", 7 * bytes_of_rows(gradient, rows.size()));  // x and both moments are read and written
}
void RehearsalBackend::clamp_row_norms(std::span<const std::int32_t> rows, ConstMatrixView<float> limits,
                                       MatrixView<float> x) {
  pass("clamp_row_norms", bytes_of(limits) + 3 * bytes_of_rows(x, rows.size()));
}
void RehearsalBackend::clamp_around(ConstMatrixView<float> center, float, MatrixView<float> x) {
  pass("clamp_around", bytes_of(center, x, x));
}

}  // namespace lyaplock
