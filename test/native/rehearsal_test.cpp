#include "arrays.h"
#include "backend/rehearsal/rehearsal_backend.h"
#include "counted_in.h"
#include "edit/layer_editor.h"
#include "model/key_pass.h"
#include "model/values.h"
#include "small_model.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

/// Operations of an account, those of attention's own products or all others.
double flops_of(const std::vector<Work>& account, bool of_attention) {
  double sum = 0;
  for (const Work& work : account)
    if ((work.kind == WorkKind::attention) == of_attention) sum += work.flops;
  return sum;
}

/// Two facts with two rewriting prompts each, of unlike lengths, and their KL prompts.
ValuePrompts prompts() {
  ValuePrompts prompts;
  const auto add = [&](const std::vector<std::int32_t>& tokens, std::int32_t fact, std::int32_t lookup) {
    prompts.batch.append(tokens);
    prompts.facts.push_back(fact);
    prompts.lookups.push_back(lookup);
  };
  add({1, 2, 3, 4, 5}, 0, 2);
  add({7, 8, 1, 2, 3, 4, 5}, 0, 4);
  add({2, 3, 6}, 0, 1);
  add({5, 4, 9}, 1, 1);
  add({7, 5, 4, 9, 1}, 1, 2);
  add({5, 4, 6}, 1, 1);
  prompts.labels = {{0, 3, 6}, {0, 4, 7}, {1, 5, 6}, {1, 6, 7}, {3, 2, 1}, {4, 3, 1}};
  prompts.bare = {0, 3};
  return prompts;
}

/// No fact is done before its last step.
ValueOptions options() {
  return {.layer = 0,
          .place = ValuePlace::block_output,
          .steps = 4,
          .learning_rate = 1e-3F,
          .weight_decay = 0.5F,
          .kl_factor = 0.06F,
          .clamp_norm_factor = 0.75F,
          .stop_loss = 0};
}

}  // namespace

BACKEND_TEST("a rehearsal asks for what the work itself asks for") {
  for (const char* family : {"llama", "gpt2", "gptj"}) {
    const TemporaryFolder folder;
    const std::shared_ptr<Backend> same(std::shared_ptr<Backend>(), &on);
    const std::unique_ptr<Transformer> model = small_model(same, family, folder);
    const auto rehearsal = std::make_shared<RehearsalBackend>();
    const std::unique_ptr<Transformer> sized = Transformer::without_values(rehearsal, model->description());

    const double of_values = counted_in([&] { optimize_values(*model, prompts(), options(), false, {}); });
    rehearsal->take_work();
    CHECK(counted_in([&] { optimize_values(*sized, prompts(), options(), false, {}); }) == of_values);
    const std::vector<Work> account = rehearsal->take_work();
    CHECK(flops_of(account, false) == of_values);
    CHECK(flops_of(account, true) > 0);

    const KeyPrompts keys{.batch = prompts().batch,
                          .facts = {0, 0, 0, 1, 1, 1},
                          .shares = std::vector<float>(6, 1.0F / 3),
                          .bare = {0, 3}};
    const auto pass = [&](Transformer& transformer) {
      KeyPass way(transformer, keys);
      (void)way.keys(0, {});
      (void)way.outputs(2, {});
      (void)way.keys(2, {});
    };
    const double of_keys = counted_in([&] { pass(*model); });
    pass(*sized);
    CHECK(flops_of(rehearsal->take_work(), false) == of_keys);
  }
}

BACKEND_TEST("a model to compute with has files") {
  const std::shared_ptr<Backend> same(std::shared_ptr<Backend>(), &on);
  CHECK_ERROR(ErrorCode::model_format,
              Transformer::load(same, small_description("llama"), {}, WeightType::float32, 1, {}));
}

BACKEND_TEST("a rehearsal of updates takes the forms that they take, and as many operations") {
  const std::size_t d = 24, m = 6;
  Random random(3);
  const std::shared_ptr<Backend> same(std::shared_ptr<Backend>(), &on);
  const auto rehearsal = std::make_shared<RehearsalBackend>();
  for (const bool stays : {true, false}) {
    Placed<double> factor(on, identity(d));
    LayerEditor editor(KeySpace::from_factor(same, factor.view(), 0), m, Memory::values);
    const Matrix<double> sized_factor(*rehearsal, d, d);
    LayerEditor sized(KeySpace::from_factor(rehearsal, sized_factor, 0), m, Memory::values);
    for (int batch = 0; batch < 30; ++batch) {
      Placed<double> keys(on, random.array(4, d)), residuals(on, random.array(4, m));
      const Matrix<double> sized_keys(*rehearsal, 4, d), sized_residuals(*rehearsal, 4, m);
      const WeightChoice choice{.weight = stays ? 15.0 : 15.0 + batch};
      const UpdateReport report = editor.update(keys.view(), residuals.view(), choice, {}, {});
      rehearsal->take_work();
      const UpdateReport rehearsed = sized.update(sized_keys, sized_residuals, choice, {}, {});
      CHECK(rehearsed.form == report.form);
      CHECK(rehearsed.bordered == report.bordered);
      // Differences of a count that goes on for the whole thread: thirds of cubes are rounded on the way.
      CHECK(std::abs(rehearsed.flops - report.flops) <= 1e-8 * report.flops);
      CHECK(std::abs(flops_of(rehearsal->take_work(), false) - report.flops) <= 1e-8 * report.flops);
    }
  }
}

BACKEND_TEST("a rehearsal counts what passes through memory, and what is held") {
  RehearsalBackend rehearsal;
  {
    const Matrix<double> a(rehearsal, 3, 5), b(rehearsal, 5, 7);
    Matrix<double> c(rehearsal, 3, 7);
    CHECK(rehearsal.bytes() == 8 * (15 + 35 + 21));
    rehearsal.gemm(Transpose::no, Transpose::no, 1.0, a.view(), b.view(), 0.0, c);
    rehearsal.gemm(Transpose::no, Transpose::no, 1.0, a.view(), b.view(), 0.0, c);
    rehearsal.add_scaled(1.0, a, c.view().column_range(0, 5));
  }
  CHECK(rehearsal.bytes() == 0);
  CHECK(rehearsal.peak_bytes() == 8 * (15 + 35 + 21));
  const std::vector<Work> account = rehearsal.take_work();
  CHECK(account.size() == 2);
  for (const Work& work : account) {
    CHECK(work.is_float64);
    if (work.kind == WorkKind::pass) {
      CHECK(work.bytes == 3 * 15 * 8);
      continue;
    }
    CHECK(work.rows == 3 && work.columns == 7 && work.inner == 5);
    CHECK(work.calls == 2 && work.flops == 2 * 2 * 3 * 5 * 7 && work.bytes == 2 * 8 * (15 + 35 + 21));
  }
  CHECK(rehearsal.take_work().empty());
}
