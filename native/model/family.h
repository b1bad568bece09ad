// How the families of transformers differ. Adding a family is adding a row to families.cpp.
#pragma once

#include <string>
#include <string_view>

namespace lyaplock {

enum class Norm { root_mean_square, layer };
/// Rotary ones turn the two halves of a head against each other, or each entry against its neighbour.
enum class Positions { learned, rotary_halves, rotary_neighbours };

/// One family: its structure, and the names its checkpoints give to the weights. Names of a block's weights follow its
/// prefix, which holds the layer's number at "{}"; ".weight" and ".bias" are appended to all of them.
struct Family {
  std::string_view name;
  Norm norm;
  Positions positions;
  bool gated;       // activation(gate) * up, instead of activation(up)
  bool parallel;    // attention and feed-forward part read the same normed input, and both are added to it (GPT-J)
  bool transposed;  // linear weights are stored [in, out] (GPT-2's Conv1D)

  std::string_view prefix;  // of all names but the head's; some checkpoints leave it out
  std::string_view embedding;
  std::string_view position_embedding;  // learned positions alone
  std::string_view final_norm;
  std::string_view head;  // absent from the file where the embedding is tied

  std::string_view block;
  std::string_view attention_norm;
  std::string_view query_key_value;  // one matrix for all three; empty where they are separate
  std::string_view query;
  std::string_view key;
  std::string_view value;
  std::string_view query_norm;  // of every head, where the description asks for it
  std::string_view key_norm;
  std::string_view attention_output;
  std::string_view feed_forward_norm;  // empty in parallel families
  std::string_view gate;               // gated families alone
  std::string_view up;
  std::string_view down;

  /// Full name, without ".weight", of a block's weight.
  [[nodiscard]] std::string in_block(std::size_t layer, std::string_view weight) const;
};

/// ErrorCode::model_format, with the names there are, if there is no such row.
const Family& family_named(std::string_view name);

}  // namespace lyaplock
