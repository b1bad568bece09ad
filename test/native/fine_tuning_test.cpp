#include "model/fine_tuning.h"

#include "model/forward.h"
#include "small_model.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

const std::vector<std::string> families = {"llama", "gpt2", "gptj"};

/// Four facts; the second has two labels at one position, the third two at different ones.
TrainingPrompts some_prompts() {
  TrainingPrompts prompts;
  prompts.batch.append(std::vector<std::int32_t>{1, 2, 3, 4});
  prompts.batch.append(std::vector<std::int32_t>{5, 2});
  prompts.batch.append(std::vector<std::int32_t>{9, 8, 7, 6, 5});
  prompts.batch.append(std::vector<std::int32_t>{3, 3, 10});
  prompts.labels = {{0, 3, 7}, {1, 1, 9}, {1, 1, 2}, {2, 3, 1}, {2, 4, 4}, {3, 1, 5}};
  return prompts;
}

/// The loss of facts [begin, end), by whole forward passes.
double loss_of(Transformer& model, const TrainingPrompts& prompts, std::size_t begin, std::size_t end) {
  std::vector<std::int32_t> rows, targets;
  std::vector<double> labels(prompts.batch.sequences());
  for (const Label& label : prompts.labels) {
    rows.push_back(prompts.batch.offsets[static_cast<std::size_t>(label.sequence)] + label.position);
    targets.push_back(label.token);
    ++labels[static_cast<std::size_t>(label.sequence)];
  }
  const Scores scores = score(model, prompts.batch, rows, targets, {});
  double loss = 0;
  for (std::size_t i = 0; i < prompts.labels.size(); ++i) {
    const auto fact = static_cast<std::size_t>(prompts.labels[i].sequence);
    if (fact >= begin && fact < end)
      loss += static_cast<double>(scores.losses[i]) / labels[fact] / static_cast<double>(end - begin);
  }
  return loss;
}

Array array_of(Backend& on, ConstMatrixView<float> x) {
  Array array(x.rows, x.cols);
  const std::vector<float> values = download<float>(on, x);
  array.values.assign(values.begin(), values.end());
  return array;
}

/// Central differences of the loss to every element of x, which the model reads.
Array differences(Backend& on, MatrixView<float> x, const std::function<double()>& loss) {
  constexpr float step = 0.01F;
  const std::vector<float> start = download<float>(on, x);
  Array gradient(x.rows, x.cols);
  const auto loss_at = [&](std::size_t i, float value) {
    std::vector<float> moved = start;
    moved[i] = value;
    on.upload(x.data, moved.data(), moved.size() * sizeof(float));
    return loss();
  };
  for (std::size_t i = 0; i < start.size(); ++i) {
    const float above = start[i] + step, below = start[i] - step;
    gradient.values[i] =
        (loss_at(i, above) - loss_at(i, below)) / (static_cast<double>(above) - static_cast<double>(below));
  }
  on.upload(x.data, start.data(), start.size() * sizeof(float));
  return gradient;
}

FineTuningOptions options_for(std::size_t layer) {
  return {.layer = layer,
          .epochs = 30,
          .batch_size = 3,
          .learning_rate = 0.05F,
          .weight_decay = 0,
          .norm_constraint = INFINITY,
          .stop_loss = 0.01F};
}

std::unique_ptr<Transformer> model_of(const std::string& family, const TemporaryFolder& folder) {
  return small_model(backends().front().create(), family, folder);
}

}  // namespace

TEST("the gradient to a down-projection is that of finite differences, at every layer of every family") {
  for (const std::string& family : families)
    for (const std::size_t layer : {0U, 1U, 2U}) {
      const TemporaryFolder folder;
      const std::unique_ptr<Transformer> model = model_of(family, folder);
      Backend& on = model->backend();
      const TrainingPrompts prompts = some_prompts();
      DownGradient gradient(*model, prompts, layer, 3, {});
      CHECK(gradient.batches() == 2);
      for (const std::size_t batch : {1U, 0U}) {
        const std::size_t begin = 3 * batch, end = batch == 0 ? 3 : 4;
        const auto loss = [&] { return loss_of(*model, prompts, begin, end); };
        const std::vector<float> losses = gradient.compute(batch, {});
        CHECK(losses.size() == end - begin);
        double sum = 0;
        for (const float of_fact : losses) sum += static_cast<double>(of_fact);
        CHECK(std::abs(sum / static_cast<double>(losses.size()) - loss()) < 1e-5);
        const Array weight = array_of(on, gradient.weight()), bias = array_of(on, gradient.bias());
        CHECK_CLOSE(weight, differences(on, model->weights().editable_down(layer), loss), 2e-3, 2e-4);
        CHECK(bias.rows == (family == "llama" ? 0 : 1));
        if (bias.rows > 0) CHECK_CLOSE(bias, differences(on, model->weights().editable_bias(layer), loss), 2e-3, 2e-4);
      }
    }
}

TEST("a gradient is the same where facts go one at a time") {
  const TemporaryFolder folder;
  const std::unique_ptr<Transformer> model = model_of("gpt2", folder);
  DownGradient together(*model, some_prompts(), 1, 4, {});
  DownGradient alone(*model, some_prompts(), 1, 4, {}, 1.0);
  const std::vector<float> losses = together.compute(0, {}), again = alone.compute(0, {});
  CHECK(losses.size() == 4 && again.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(losses[i] - again[i]) < 1e-5F);
  CHECK_CLOSE(array_of(model->backend(), alone.weight()), array_of(model->backend(), together.weight()), 1e-4, 1e-6);
  CHECK_CLOSE(array_of(model->backend(), alone.bias()), array_of(model->backend(), together.bias()), 1e-4, 1e-6);
}

TEST("fine-tuning makes the labels probable, and stops when they are") {
  const TemporaryFolder folder;
  const std::unique_ptr<Transformer> model = model_of("gptj", folder);
  TrainingPrompts prompts = some_prompts();
  prompts.labels.erase(prompts.labels.begin() + 2);  // of two at one position, none can become certain
  FineTuningOptions options = options_for(2);
  options.epochs = 1000;
  options.stop_loss = 0.5F;  // so small a model is never sure
  const FineTuningResult result = fine_tune(*model, prompts, options, {});
  CHECK(result.epochs < 1000);
  CHECK(result.losses.size() == 2 * result.epochs);
  CHECK(result.losses.front() > 1.0F);
  CHECK(result.fact_losses.size() == 4);
  CHECK(loss_of(*model, prompts, 0, 4) < 0.6);
  // Below it, no step is made: once more does nothing but look.
  const Array weight = array_of(model->backend(), model->weights().down(2).view);
  options.stop_loss = 0.6F;
  options.batch_size = 4;
  CHECK(fine_tune(*model, prompts, options, {}).epochs == 1);
  CHECK_SAME(array_of(model->backend(), model->weights().down(2).view), weight);
  CHECK(model->weights().edited_bias(2));
}

TEST("fine-tuning moves no element farther than its norm constraint, and some just as far") {
  const TemporaryFolder folder;
  const std::unique_ptr<Transformer> model = model_of("gpt2", folder);
  Backend& on = model->backend();
  FineTuningOptions options = options_for(0);
  options.norm_constraint = 0.01F;
  fine_tune(*model, some_prompts(), options, {});
  const auto farthest = [&](ConstMatrixView<float> from, ConstMatrixView<float> to) {
    const std::vector<float> a = download<float>(on, from), b = download<float>(on, to);
    float most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
    return most;
  };
  const Weights& weights = model->weights();
  const float weight = farthest(weights.original_down(0).view, weights.down(0).view);
  const float bias = farthest(weights.original_bias(0), weights.bias(0));
  CHECK(std::abs(weight - 0.01F) < 1e-6F && std::abs(bias - 0.01F) < 1e-6F);
}

TEST("weight decay pulls a weight to zero that the loss does not need") {
  const TemporaryFolder folder;
  const std::unique_ptr<Transformer> model = model_of("llama", folder);
  FineTuningOptions options = options_for(2);
  options.weight_decay = 100;
  options.learning_rate = 0.01F;
  const auto norm = [&] {
    const ConstMatrixView<float> weight = model->weights().down(2).view;
    return std::sqrt(model->backend().dot(weight, weight));
  };
  const double before = norm();
  fine_tune(*model, some_prompts(), options, {});
  CHECK(norm() < 0.7 * before);
}

TEST("fine-tuning that fails or is cancelled leaves weight and bias as they were") {
  const TemporaryFolder folder;
  const std::unique_ptr<Transformer> model = model_of("gpt2", folder);
  Backend& on = model->backend();
  fine_tune(*model, some_prompts(), options_for(1), {});  // what is edited already is kept, too
  const Array weight = array_of(on, model->weights().down(1).view), bias = array_of(on, model->weights().bias(1));
  const auto code_of = [&](const TrainingPrompts& prompts, const FineTuningOptions& options,
                           const Cancellation& cancellation) {
    try {
      fine_tune(*model, prompts, options, cancellation);
    } catch (const Error& error) {
      CHECK_SAME(array_of(on, model->weights().down(1).view), weight);
      CHECK_SAME(array_of(on, model->weights().bias(1)), bias);
      return error.code();
    }
    throw Failure("nothing was thrown");
  };
  FineTuningOptions wild = options_for(1);
  wild.learning_rate = 3e38F;
  CHECK(code_of(some_prompts(), wild, {}) == ErrorCode::not_finite);
  Cancellation cancelled;
  cancelled.cancel();
  CHECK(code_of(some_prompts(), options_for(1), cancelled) == ErrorCode::aborted);

  const auto refused = [&](const std::function<void(TrainingPrompts&, FineTuningOptions&)>& spoil) {
    TrainingPrompts prompts = some_prompts();
    FineTuningOptions options = options_for(1);
    spoil(prompts, options);
    CHECK(code_of(prompts, options, {}) == ErrorCode::invalid_argument);
  };
  refused([](auto& prompts, auto&) { prompts.labels.clear(); });
  refused([](auto& prompts, auto&) { prompts.labels[0].sequence = 4; });
  refused([](auto& prompts, auto&) { prompts.labels[0].position = 4; });
  refused([](auto& prompts, auto&) { prompts.labels[0].token = 11; });
  refused([](auto& prompts, auto&) { prompts = {}; });
  refused([](auto&, auto& options) { options.layer = 3; });
  refused([](auto&, auto& options) { options.epochs = 0; });
  refused([](auto&, auto& options) { options.batch_size = 0; });
  refused([](auto&, auto& options) { options.learning_rate = 0; });
  refused([](auto&, auto& options) { options.norm_constraint = 0; });
  refused([](auto&, auto& options) { options.weight_decay = -1; });
}
