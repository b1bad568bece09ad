#include "model/checkpoint.h"

#include <cstring>
#include <numeric>

#include "base/half.h"
#include "check.h"
#include "files.h"
#include "format/safetensors.h"
#include "gguf_file.h"

using namespace lyaplock;
using namespace lyaplock::test;

namespace {

ModelDescription description_of(const std::string& family) {
  ModelDescription description{};
  description.family = family;
  description.heads = 2;
  description.key_value_heads = 1;
  return description;
}

/// A GGUF file of one tensor [rows, cols] with the numbers 0, 1, 2, ... as float32 or float16.
CheckpointFile one_tensor(const TemporaryFolder& folder, const std::string& architecture, const std::string& name,
                          std::vector<std::uint64_t> ggml_dimensions, bool halves = false) {
  const std::uint64_t count =
      std::reduce(ggml_dimensions.begin(), ggml_dimensions.end(), std::uint64_t{1}, std::multiplies<>());
  std::string data;
  for (std::uint64_t i = 0; i < count; ++i)
    data += halves ? raw(float32_to_float16(static_cast<float>(i))) : raw(static_cast<float>(i));
  GgufBytes bytes{{entry("general.architecture", GgufType::string, raw_string(architecture))},
                  {{name, std::move(ggml_dimensions), halves ? 1U : 0U, 0}}};
  write_bytes(folder.file("x.gguf"), bytes.file() + data);
  return open_checkpoint({folder.file("x.gguf")}, description_of(architecture), family_named(architecture)).at(0);
}

std::vector<float> values_of(const CheckpointTensor& tensor, bool transposed) {
  std::vector<float> values(tensor.stored.elements());
  ThreadPool pool(2);
  read_values(tensor, transposed, values, pool);
  return values;
}

template <class T>
std::vector<T> saved(const CheckpointTensor& tensor) {
  const std::vector<std::byte> bytes = bytes_when_saved(tensor);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

TEST("checkpoint: what lies as it is wanted is not copied") {
  const TemporaryFolder folder;
  const CheckpointFile file = one_tensor(folder, "llama", "blk.0.ffn_up.weight", {3, 2});
  const CheckpointTensor& tensor = file.tensors.at("model.layers.0.mlp.up_proj.weight");
  CHECK((tensor.shape == std::vector<std::size_t>{2, 3}));
  CHECK(lies_ready(tensor, DataType::float32, false) && !lies_ready(tensor, DataType::float32, true) &&
        keeps_bytes(tensor));
  CHECK((values_of(tensor, false) == std::vector<float>{0, 1, 2, 3, 4, 5}));
  CHECK((values_of(tensor, true) == std::vector<float>{0, 3, 1, 4, 2, 5}));
  CHECK(file.name_when_saved == "model.safetensors" && file.metadata.at("format") == "pt");
}

TEST("checkpoint: threads that share a matrix read all of it, in either order") {
  const TemporaryFolder folder;
  const std::size_t rows = 431, cols = 507;
  const CheckpointFile file = one_tensor(folder, "llama", "blk.0.ffn_up.weight", {cols, rows});
  const CheckpointTensor& tensor = file.tensors.at("model.layers.0.mlp.up_proj.weight");
  const std::vector<float> stored = values_of(tensor, false), turned = values_of(tensor, true);
  std::vector<Bfloat16> narrow(rows * cols);
  ThreadPool pool(3);
  read_values(tensor, true, narrow, pool);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) {
      const auto element = static_cast<float>(i * cols + j);
      CHECK(stored[i * cols + j] == element && turned[j * rows + i] == element);
      CHECK(narrow[j * rows + i].bits == float32_to_bfloat16(element));
    }
}

TEST("checkpoint: GPT-2's maps lie the other way round in a GGUF file, its embeddings and biases do not") {
  const TemporaryFolder folder;
  CheckpointFile file = one_tensor(folder, "gpt2", "blk.0.ffn_down.weight", {3, 2});
  const CheckpointTensor down = file.tensors.at("transformer.h.0.mlp.c_proj.weight");
  CHECK((down.shape == std::vector<std::size_t>{3, 2}));
  CHECK(lies_ready(down, DataType::float32, true) && !lies_ready(down, DataType::float32, false) && !keeps_bytes(down));
  CHECK((values_of(down, true) == std::vector<float>{0, 1, 2, 3, 4, 5}));
  CHECK((values_of(down, false) == std::vector<float>{0, 3, 1, 4, 2, 5}));
  CHECK((saved<float>(down) == std::vector<float>{0, 3, 1, 4, 2, 5}));

  file = one_tensor(folder, "gpt2", "token_embd.weight", {3, 2});
  CHECK(keeps_bytes(file.tensors.at("transformer.wte.weight")));
  file = one_tensor(folder, "gpt2", "blk.0.ffn_down.bias", {3});
  CHECK(keeps_bytes(file.tensors.at("transformer.h.0.mlp.c_proj.bias")));
  file = one_tensor(folder, "gpt2", "blk.0.attn_norm.weight", {3});
  CHECK(keeps_bytes(file.tensors.at("transformer.h.0.ln_1.weight")));
  CHECK_ERROR(ErrorCode::model_format, one_tensor(folder, "gpt2", "blk.0.ffn_down.weight", {3}));
}

TEST("checkpoint: the halves of LLaMA's heads are put one after the other again") {
  const TemporaryFolder folder;
  // Two heads of four rows: 0 and 2 are the first half of the first one.
  CheckpointFile file = one_tensor(folder, "llama", "blk.0.attn_q.weight", {1, 8});
  const CheckpointTensor query = file.tensors.at("model.layers.0.self_attn.q_proj.weight");
  CHECK((values_of(query, false) == std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7}));
  CHECK(!lies_ready(query, DataType::float32, false) && !keeps_bytes(query));
  // One key/value head.
  file = one_tensor(folder, "llama", "blk.0.attn_k.weight", {2, 4}, true);
  const CheckpointTensor key = file.tensors.at("model.layers.0.self_attn.k_proj.weight");
  CHECK((values_of(key, false) == std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7}));
  CHECK(type_when_saved(key) == DataType::float16);
  std::vector<float> halves;
  for (const std::uint16_t half : saved<std::uint16_t>(key)) halves.push_back(float16_to_float32(half));
  CHECK((halves == std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7}));
  file = one_tensor(folder, "llama", "blk.0.attn_k.bias", {4});
  CHECK((values_of(file.tensors.at("model.layers.0.self_attn.k_proj.bias"), false) == std::vector<float>{0, 2, 1, 3}));

  for (const char* other : {"blk.0.attn_v.weight", "blk.0.attn_output.weight"})
    CHECK(keeps_bytes(one_tensor(folder, "llama", other, {1, 8}).tensors.begin()->second));
  CHECK_ERROR(ErrorCode::model_format, one_tensor(folder, "llama", "blk.0.attn_q.weight", {1, 6}));
  CHECK_ERROR(ErrorCode::model_format, one_tensor(folder, "llama", "blk.0.attn_q.weight", {}));
}

TEST("checkpoint: what is quantised is saved as float32, and what has no name is left out") {
  const TemporaryFolder folder;
  const GgufBytes bytes{{entry("general.architecture", GgufType::string, raw_string("llama"))},
                        {{"output.weight", {32, 1}, 8, 0}, {"rope_freqs.weight", {1}, 0, 64}},
                        68};
  write_bytes(folder.file("x.gguf"), bytes.file());
  const auto files = open_checkpoint({folder.file("x.gguf")}, description_of("llama"), family_named("llama"));
  CHECK(files.at(0).tensors.size() == 1);
  const CheckpointTensor& head = files[0].tensors.at("lm_head.weight");
  CHECK(type_when_saved(head) == DataType::float32 && !keeps_bytes(head) &&
        !lies_ready(head, DataType::float32, false));
  CHECK(saved<float>(head) == values_of(head, false));
  CHECK(saved<float>(head).size() == 32);
}
