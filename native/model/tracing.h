// Causal tracing of one prompt: where restoring what a clean run computed brings an answer back that noise on the
// subject took away (Meng et al. 2022, section 2 and appendix B).
#pragma once

#include "model/transformer.h"

namespace lyaplock {

/// What is restored: a block's output in one layer, or what its feed-forward part or its attention adds to the residual
/// stream in a window of layers.
enum class TracedKind { state, feed_forward, attention };

struct TracedPrompt {
  std::vector<std::int32_t> tokens;
  std::size_t subject_begin, subject_end;  // tokens of the subject, [begin, end)
  std::int32_t answer;                     // the token whose probability after the prompt is looked at
};

/// A clean and several corrupted runs of a prompt, and runs with restoration that go on from them.
///
/// Attention looks back alone, so that a restoration at token t in layer l changes nothing below l and nothing before
/// t: only rows from t on in the layers above are run, upon the keys and values that the corrupted runs left of earlier
/// tokens. Copies, tokens and layers go through together: the runs of a wave begin one after the other, each in its
/// layer.
class Tracing {
 public:
  /// Runs the prompt once as it is and in as many copies as there is noise for: noise [copies * subject tokens, m] is
  /// added to the token embeddings of the subject. ErrorCode::invalid_argument for a prompt or noise of wrong shape.
  Tracing(Transformer& model, TracedPrompt prompt, ConstMatrixView<float> noise, const Cancellation& cancellation);

  /// The answer's probability, clean.
  [[nodiscard]] float high() const { return high_; }
  /// Its mean over the corrupted copies.
  [[nodiscard]] float low() const { return low_; }

  /// Its mean over the copies with one thing restored, [end - begin, layers]: at each token [begin, end), around each
  /// layer. A window is the layers max(0, l - window / 2) ... min(layers, l + window / 2) - 1; states need none.
  std::vector<float> scores(TracedKind kind, std::size_t window, std::size_t begin, std::size_t end,
                            const Cancellation& cancellation);

 private:
  /// A run that goes on from a corrupted copy's. Something is restored at `token` in layers [begin, end).
  struct Restoration {
    std::size_t token, copy, layer;  // layer: the one whose score it is for
    std::size_t begin, end;
  };
  /// Runs that have begun, in the order of their layers.
  struct Wave {
    RowLayout layout;                    // from the restored token on
    std::vector<std::int32_t> restored;  // of each run, its first row: the one where something is restored
    std::vector<std::int32_t> at_token;  // and that token: its row in the clean run
    std::vector<std::int32_t> last;      // and its last row, the one that predicts the answer
    std::vector<std::size_t> end;  // and the layer from which on nothing is restored; none is less than the one before
  };

  void run(const TokenBatch& batch, ConstMatrixView<float> noise, const Cancellation& cancellation);
  [[nodiscard]] std::vector<Restoration> restorations(TracedKind kind, std::size_t window, std::size_t begin,
                                                      std::size_t end) const;
  [[nodiscard]] std::size_t rows_of(const Restoration& restoration) const {
    return prompt_.tokens.size() - restoration.token;
  }
  std::vector<float> run_together(std::span<const Restoration> restorations, TracedKind kind,
                                  const Cancellation& cancellation);
  void pass(std::size_t layer, const Wave& wave, TracedKind kind, MatrixView<float> x);
  void begin(std::span<const Restoration> restorations, TracedKind kind, Wave& wave, MatrixView<float> x);
  void restore(const Matrix<float>& clean, std::span<const std::int32_t> tokens, std::span<const std::int32_t> rows,
               MatrixView<float> into);
  std::vector<float> probabilities(ConstMatrixView<float> x);
  [[nodiscard]] AttentionPrefix prefix(std::size_t layer) const {
    return {layers_[layer].key.view(), layers_[layer].value.view()};
  }

  /// What is kept of a layer. Rows are those of the clean run, then those of each copy.
  struct Layer {
    Matrix<float> output;      // [runs * tokens, m]
    Matrix<float> key, value;  // [runs * tokens, key_value_heads * head_width]
    Matrix<float> attention;   // of the clean run alone, before the output map: [tokens, heads * head_width]
    Matrix<float> activation;  // likewise, before the down-projection: [tokens, d]
  };

  Transformer& model_;
  TracedPrompt prompt_;
  std::size_t copies_;
  Matrix<float> embedded_;  // [runs * tokens, m]
  std::vector<Layer> layers_;
  BlockActivations activations_;
  Matrix<float> logits_;
  float high_ = 0, low_ = 0;
};

/// The standard deviation (unbiased) of all entries of the embeddings of some tokens.
/// ErrorCode::invalid_argument for a token that is not in the vocabulary, or for none.
double embedding_deviation(const Transformer& model, std::span<const std::int32_t> tokens);

}  // namespace lyaplock
