#include "model/key_pass.h"

namespace lyaplock {

void KeyPrompts::validate(const ModelDescription& model) const {
  const auto fail = [](const std::string& message) { throw Error(ErrorCode::invalid_argument, message); };
  batch.validate(model);
  if (bare.empty()) fail("Keys were asked for no facts");
  if (facts.size() != batch.sequences() || shares.size() != batch.sequences())
    fail("Every sequence needs its fact and its share; " + std::to_string(batch.sequences()) + " sequences have " +
         std::to_string(facts.size()) + " and " + std::to_string(shares.size()));
  for (const std::int32_t fact : facts)
    if (fact < 0 || static_cast<std::size_t>(fact) >= bare.size()) fail("There is no fact " + std::to_string(fact));
  for (const std::int32_t sequence : bare)
    if (sequence < 0 || static_cast<std::size_t>(sequence) >= batch.sequences())
      fail("There is no sequence " + std::to_string(sequence));
}

namespace {
KeyPrompts validated(KeyPrompts prompts, const ModelDescription& model) {
  prompts.validate(model);
  return prompts;
}
}  // namespace

KeyPass::KeyPass(Transformer& model, KeyPrompts prompts)
    : model_(model),
      prompts_(validated(std::move(prompts), model.description())),
      layout_(RowLayout::of(prompts_.batch)),
      activations_(model.make_activations(layout_.rows())),
      x_(model.backend(), layout_.rows(), model.description().width) {
  for (std::size_t s = 0; s < prompts_.batch.sequences(); ++s) last_rows_.push_back(prompts_.batch.offsets[s + 1] - 1);
}

Matrix<double> KeyPass::keys(std::size_t layer, const Cancellation& cancellation) {
  if (layer >= model_.description().layers || (layer_ && layer <= *layer_))
    throw Error(ErrorCode::invalid_argument, "Keys must be asked for at rising layers below " +
                                                 std::to_string(model_.description().layers) + "; received " +
                                                 std::to_string(layer));
  const std::size_t n = layout_.rows();
  const MatrixView<float> activation = first_rows(activations_.activation, n);
  if (layer_)
    model_.contract(*layer_, activation, x_);
  else
    model_.embed(prompts_.batch.tokens, layout_, x_);
  for (std::size_t between = layer_ ? *layer_ + 1 : 0; between < layer; ++between) {
    cancellation.check();
    model_.block(between, layout_, x_, {}, activations_);
  }
  model_.attend(layer, layout_, x_, {}, activations_);
  model_.expand(layer, activations_.attention, x_, {}, activations_);
  layer_ = layer;

  Backend& backend = model_.backend();
  Matrix<float> last(backend, last_rows_.size(), activation.cols), sums(backend, facts(), activation.cols);
  backend.gather_rows(activation, last_rows_, last);
  backend.fill(0.0F, sums);
  backend.scatter_add_rows(last, prompts_.facts, prompts_.shares, sums);
  Matrix<double> keys(backend, facts(), activation.cols);
  backend.convert(sums.view(), keys.view());
  backend.synchronize();
  return keys;
}

Matrix<double> KeyPass::outputs(std::size_t layer, const Cancellation& cancellation) {
  if (!layer_ || layer < *layer_ || layer >= model_.description().layers)
    throw Error(ErrorCode::invalid_argument, "Outputs can be asked for at or above the layer of the last keys, below " +
                                                 std::to_string(model_.description().layers) + "; received " +
                                                 std::to_string(layer));
  RowLayout layout;
  std::vector<std::int32_t> rows, last_rows;
  for (const std::int32_t sequence : prompts_.bare) {
    const auto s = static_cast<std::size_t>(sequence);
    layout.append(prompts_.batch.length(s), 0);
    for (std::int32_t row = prompts_.batch.offsets[s]; row < prompts_.batch.offsets[s + 1]; ++row) rows.push_back(row);
    last_rows.push_back(static_cast<std::int32_t>(rows.size()) - 1);
  }

  Backend& backend = model_.backend();
  BlockActivations activations = model_.make_activations(rows.size());
  Matrix<float> x(backend, rows.size(), x_.cols());
  backend.gather_rows(x_, rows, x);
  backend.gather_rows(activations_.activation, rows, activations.activation);
  model_.contract(*layer_, activations.activation, x);
  for (std::size_t above = *layer_ + 1; above <= layer; ++above) {
    cancellation.check();
    model_.block(above, layout, x, {}, activations);
  }
  Matrix<float> last(backend, facts(), x.cols());
  backend.gather_rows(x, last_rows, last);
  Matrix<double> outputs(backend, facts(), x.cols());
  backend.convert(last.view(), outputs.view());
  backend.synchronize();
  return outputs;
}

}  // namespace lyaplock
