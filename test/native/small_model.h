// A model of a few thousand random weights, for tests.
#pragma once

#include "backend_test.h"
#include "files.h"
#include "format/safetensors.h"
#include "model/transformer.h"

namespace lyaplock::test {

inline ModelDescription small_description(const std::string& family) {
  const bool gated = family == "llama";
  return {.family = family,
          .layers = 3,
          .width = 8,
          .heads = 2,
          .key_value_heads = gated ? 1U : 2U,
          .head_width = 4,
          .feed_forward_width = 12,
          .vocabulary = 11,
          .positions = 16,
          .norm_epsilon = 1e-5F,
          .tied_head = true,
          .rotary = {.width = 4, .base = 10000},
          .activation = gated ? Activation::silu : Activation::gelu_tanh,
          .attention_bias = family == "gpt2",
          .attention_output_bias = family == "gpt2",
          .feed_forward_bias = !gated,
          .head_bias = false,
          .head_norms = false};
}

/// Of the family "llama", "gpt2" or "gptj".
inline std::unique_ptr<Transformer> small_model(const std::shared_ptr<Backend>& backend, const std::string& family_name,
                                                const TemporaryFolder& folder) {
  const ModelDescription d = small_description(family_name);
  const Family& family = family_named(family_name);
  Random random(7);
  std::vector<std::vector<float>> contents;
  std::vector<TensorToWrite> tensors;
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape, double low, double high) {
    const std::size_t rows = shape.size() == 2 ? shape[0] : 1;
    const Array values = random.array(rows, shape.back(), low, high);
    contents.emplace_back(values.values.begin(), values.values.end());
    tensors.push_back({name, DataType::float32, shape, {}});
  };
  const auto linear = [&](const std::string& name, std::size_t out, std::size_t in, bool bias) {
    add(name + ".weight", family.transposed ? std::vector{in, out} : std::vector{out, in}, -0.6, 0.6);
    if (bias) add(name + ".bias", {out}, -0.3, 0.3);
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {d.width}, 0.5, 1.5);
    if (family.norm == Norm::layer) add(name + ".bias", {d.width}, -0.3, 0.3);
  };
  const std::string prefix(family.prefix);
  add(prefix + std::string(family.embedding) + ".weight", {d.vocabulary, d.width}, -1, 1);
  if (family.positions == Positions::learned)
    add(prefix + std::string(family.position_embedding) + ".weight", {d.positions, d.width}, -0.3, 0.3);
  for (std::size_t layer = 0; layer < d.layers; ++layer) {
    const auto name = [&](std::string_view weight) { return prefix + family.in_block(layer, weight); };
    const std::size_t query = d.heads * d.head_width, key = d.key_value_heads * d.head_width;
    norm(name(family.attention_norm));
    if (family.query_key_value.empty()) {
      linear(name(family.query), query, d.width, d.attention_bias);
      linear(name(family.key), key, d.width, d.attention_bias);
      linear(name(family.value), key, d.width, d.attention_bias);
    } else {
      linear(name(family.query_key_value), query + 2 * key, d.width, d.attention_bias);
    }
    linear(name(family.attention_output), d.width, query, d.attention_output_bias);
    if (!family.parallel) norm(name(family.feed_forward_norm));
    if (family.gated) linear(name(family.gate), d.feed_forward_width, d.width, d.feed_forward_bias);
    linear(name(family.up), d.feed_forward_width, d.width, d.feed_forward_bias);
    linear(name(family.down), d.width, d.feed_forward_width, d.feed_forward_bias);
  }
  norm(prefix + std::string(family.final_norm));
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].bytes = std::as_bytes(std::span(contents[i]));
  write_safetensors(folder.file("model.safetensors"), tensors, {});
  return Transformer::load(backend, d, {folder.file("model.safetensors")}, WeightType::float32, 2, {});
}

}  // namespace lyaplock::test
