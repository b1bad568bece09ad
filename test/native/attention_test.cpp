#include "backend_test.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

/// One attention problem: what goes in, and which rows see which.
struct Problem {
  AttentionShape shape;
  std::vector<AttentionSegment> segments;
  Array query, key, value, prefix_key, prefix_value;
};

Problem make_problem(Random& random, std::size_t heads, std::size_t key_value_heads, std::size_t head_width,
                     const std::vector<AttentionSegment>& segments, std::size_t prefix_rows, double spread = 1) {
  std::size_t rows = 0;
  for (const AttentionSegment& segment : segments) rows += segment.count;
  const std::size_t key_cols = key_value_heads * head_width;
  return {{heads, key_value_heads, head_width, static_cast<float>(1 / std::sqrt(static_cast<double>(head_width)))},
          segments,
          random.array(rows, heads * head_width, -spread, spread),
          random.array(rows, key_cols, -spread, spread),
          random.array(rows, key_cols),
          random.array(prefix_rows, key_cols, -spread, spread),
          random.array(prefix_rows, key_cols)};
}

/// The keys or values that query `row` of a segment sees, from first to last: pointers to a head's entries.
std::vector<const double*> seen_by(const AttentionSegment& segment, std::size_t row, const Array& prefix,
                                   const Array& own, std::size_t offset) {
  std::vector<const double*> seen;
  for (std::size_t i = 0; i < segment.prefix_count; ++i)
    seen.push_back(&prefix.values[(segment.prefix_begin + i) * prefix.cols + offset]);
  for (std::size_t i = 0; i <= row; ++i) seen.push_back(&own.values[(segment.begin + i) * own.cols + offset]);
  return seen;
}

double inner_product(std::size_t n, const double* x, const double* y) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

struct Attended {
  Array out, log_sum_exp;
};

/// Calls visit(segment, row in it, head) for every query.
template <class Visit>
void for_each_query(const Problem& p, const Visit& visit) {
  for (const AttentionSegment& segment : p.segments)
    for (std::size_t row = 0; row < segment.count; ++row)
      for (std::size_t head = 0; head < p.shape.heads; ++head) visit(segment, row, head);
}

std::size_t key_offset(const AttentionShape& shape, std::size_t head) {
  return head / (shape.heads / shape.key_value_heads) * shape.head_width;
}

Attended attend(const Problem& p) {
  Attended result{Array(p.query.rows, p.query.cols), Array(p.query.rows, p.shape.heads)};
  const std::size_t width = p.shape.head_width;
  for_each_query(p, [&](const AttentionSegment& segment, std::size_t row, std::size_t head) {
    const std::size_t i = segment.begin + row;
    const auto keys = seen_by(segment, row, p.prefix_key, p.key, key_offset(p.shape, head));
    const auto values = seen_by(segment, row, p.prefix_value, p.value, key_offset(p.shape, head));
    std::vector<double> scores;
    double largest = -INFINITY;
    for (const double* key : keys) {
      const double* query = &p.query.values[i * p.query.cols + head * width];
      scores.push_back(static_cast<double>(p.shape.scale) * inner_product(width, query, key));
      largest = std::max(largest, scores.back());
    }
    double sum = 0;
    for (const double score : scores) sum += std::exp(score - largest);
    result.log_sum_exp(i, head) = largest + std::log(sum);
    for (std::size_t j = 0; j < values.size(); ++j)
      for (std::size_t c = 0; c < width; ++c)
        result.out(i, head * width + c) += std::exp(scores[j] - result.log_sum_exp(i, head)) * values[j][c];
  });
  return result;
}

struct Gradients {
  Array query, key, value;
};

/// By the chain rule, one query at a time. Held against finite differences below.
Gradients attend_backward(const Problem& p, const Attended& forward, const Array& out_gradient) {
  Gradients gradients{Array(p.query.rows, p.query.cols), Array(p.key.rows, p.key.cols),
                      Array(p.value.rows, p.value.cols)};
  const std::size_t width = p.shape.head_width;
  for_each_query(p, [&](const AttentionSegment& segment, std::size_t row, std::size_t head) {
    const std::size_t i = segment.begin + row;
    const std::size_t offset = key_offset(p.shape, head);
    const auto keys = seen_by(segment, row, p.prefix_key, p.key, offset);
    const auto values = seen_by(segment, row, p.prefix_value, p.value, offset);
    const double* query = &p.query.values[i * p.query.cols + head * width];
    const double* gradient = &out_gradient.values[i * p.query.cols + head * width];
    const double* out = &forward.out.values[i * p.query.cols + head * width];
    const double mean = inner_product(width, gradient, out);
    const double scale = static_cast<double>(p.shape.scale);
    for (std::size_t j = 0; j < keys.size(); ++j) {
      const double weight = std::exp(scale * inner_product(width, query, keys[j]) - forward.log_sum_exp(i, head));
      const double score_gradient = weight * (inner_product(width, gradient, values[j]) - mean) * scale;
      for (std::size_t c = 0; c < width; ++c) {
        gradients.query(i, head * width + c) += score_gradient * keys[j][c];
        if (j < segment.prefix_count) continue;
        const std::size_t key_row = segment.begin + j - segment.prefix_count;
        gradients.key(key_row, offset + c) += score_gradient * query[c];
        gradients.value(key_row, offset + c) += weight * gradient[c];
      }
    }
  });
  return gradients;
}

void check_problem(Backend& on, Random& random, const Problem& p) {
  const std::size_t rows = p.query.rows;
  Placed<float> query(on, p.query, 1);
  Placed<float> key(on, p.key, 2);
  Placed<float> value(on, p.value, 3);
  Placed<float> prefix_key(on, p.prefix_key, 4);
  Placed<float> prefix_value(on, p.prefix_value, 5);
  Placed<float> out(on, Array(rows, p.query.cols, NAN), 1);
  Placed<float> log_sum_exp(on, Array(rows, p.shape.heads, NAN), 2);
  on.attention_forward(p.shape, p.segments, query, key, value, prefix_key, prefix_value, out, log_sum_exp);
  const Attended expected = attend(p);
  CHECK_CLOSE(out.read(), expected.out, 1e-5, 2e-6);
  CHECK_CLOSE(log_sum_exp.read(), expected.log_sum_exp, 1e-6, 2e-6);

  const Array gradient = random.array(rows, p.query.cols);
  Placed<float> query_gradient(on, Array(p.query.rows, p.query.cols, NAN), 3);
  Placed<float> key_gradient(on, Array(p.key.rows, p.key.cols, NAN), 2);
  Placed<float> value_gradient(on, Array(p.value.rows, p.value.cols, NAN), 1);
  on.attention_backward(p.shape, p.segments, query, key, value, prefix_key, prefix_value, out, log_sum_exp,
                        Placed<float>(on, gradient, 2), query_gradient, key_gradient, value_gradient);
  const Gradients wanted = attend_backward(p, expected, gradient);
  // Sums of as many terms as a key has readers.
  const double tolerance = 2e-6 * std::sqrt(static_cast<double>(rows + 1));
  CHECK_CLOSE(query_gradient.read(), wanted.query, 1e-5, tolerance);
  CHECK_CLOSE(key_gradient.read(), wanted.key, 1e-5, tolerance);
  CHECK_CLOSE(value_gradient.read(), wanted.value, 1e-5, tolerance);
}

}  // namespace

TEST("the witness of attention agrees with finite differences") {
  Random random(51);
  Problem p = make_problem(random, 4, 2, 3, {{0, 3, 1, 2}, {3, 2}}, 4);
  const Array weights = random.array(p.query.rows, p.query.cols);
  const Gradients gradients = attend_backward(p, attend(p), weights);
  const auto by_differences = [&](Array Problem::* input) {
    return finite_differences(
        [&](const Array& at) {
          Problem moved = p;
          moved.*input = at;
          return attend(moved).out;
        },
        p.*input, weights);
  };
  CHECK_CLOSE(gradients.query, by_differences(&Problem::query), 1e-6, 1e-8);
  CHECK_CLOSE(gradients.key, by_differences(&Problem::key), 1e-6, 1e-8);
  CHECK_CLOSE(gradients.value, by_differences(&Problem::value), 1e-6, 1e-8);
}

BACKEND_TEST("attention over short sequences, with and without prefixes") {
  Random random(52);
  struct Heads {
    std::size_t heads, key_value_heads, head_width;
  };
  for (const auto [heads, key_value_heads, head_width] :
       {Heads{1, 1, 1}, Heads{2, 2, 16}, Heads{6, 2, 32}, Heads{3, 1, 20}, Heads{8, 4, 64}, Heads{17, 1, 8}})
    for (const std::vector<AttentionSegment>& segments : {
             std::vector<AttentionSegment>{},
             {{0, 1}},
             {{0, 5}, {5, 1}, {6, 30}},
             {{0, 6, 0, 10}, {6, 6, 10, 3}, {12, 17}, {29, 1, 2, 1}},
             {{0, 6, 0, 10}, {6, 6, 0, 10}, {12, 20, 5, 13}},
         })
      check_problem(on, random, make_problem(random, heads, key_value_heads, head_width, segments, 18));
}

BACKEND_TEST("attention without any prefix rows") {
  Random random(53);
  check_problem(on, random, make_problem(random, 6, 2, 32, {{0, 7}, {7, 12}}, 0));
}

BACKEND_TEST("attention over a long sequence, alone and beside short ones") {
  Random random(54);
  check_problem(on, random, make_problem(random, 2, 1, 32, {{0, 700}}, 0));
  check_problem(on, random, make_problem(random, 2, 2, 48, {{0, 3}, {3, 400, 0, 150}, {403, 5, 20, 9}}, 150));
}

BACKEND_TEST("attention with large scores") {
  Random random(55);
  // Scores of some hundreds: a softmax that subtracts nothing would overflow. Rounding of such scores counts in the
  // results, so the check is of shape alone: weights that sum to 1 keep a constant value constant.
  Problem p = make_problem(random, 4, 2, 16, {{0, 20, 0, 5}}, 5, 30);
  for (double& x : p.value.values) x = 0.5;
  for (double& x : p.prefix_value.values) x = 0.5;
  Placed<float> out(on, Array(20, p.query.cols, NAN));
  Placed<float> log_sum_exp(on, Array(20, 4, NAN));
  on.attention_forward(p.shape, p.segments, Placed<float>(on, p.query), Placed<float>(on, p.key),
                       Placed<float>(on, p.value), Placed<float>(on, p.prefix_key), Placed<float>(on, p.prefix_value),
                       out, log_sum_exp);
  CHECK_CLOSE(out.read(), Array(20, p.query.cols, 0.5), 1e-6, 0);
  CHECK_CLOSE(log_sum_exp.read(), attend(p).log_sum_exp, 1e-6, 0);
}

BACKEND_TEST("attention gives the same bits twice") {
  Random random(56);
  const Problem p = make_problem(random, 6, 2, 32, {{0, 100, 0, 10}, {100, 7}}, 10);
  const auto run = [&] {
    Placed<float> out(on, Array(107, p.query.cols));
    Placed<float> log_sum_exp(on, Array(107, 6));
    on.attention_forward(p.shape, p.segments, Placed<float>(on, p.query), Placed<float>(on, p.key),
                         Placed<float>(on, p.value), Placed<float>(on, p.prefix_key), Placed<float>(on, p.prefix_value),
                         out, log_sum_exp);
    return out.read();
  };
  CHECK_SAME(run(), run());
}
