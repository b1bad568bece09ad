// All facts that were written into one layer.
#pragma once

#include <vector>

#include "edit/growing_matrix.h"

namespace lyaplock {

/// Keys [n, d] and values [n, m] of every fact edited so far, batch after batch. A value is relative to the original
/// weight: the layer's output for the key is W0 k + value. Y and K^ of the mathematics.
class Ledger {
 public:
  Ledger(std::size_t key_width, std::size_t value_width) : keys_(key_width), values_(value_width) {}

  /// Makes room for a batch of as many facts; its `append` can then no longer fail.
  void reserve(Backend& backend, std::size_t facts) {
    keys_.reserve(backend, facts);
    values_.reserve(backend, facts);
    batch_ends_.reserve(batch_ends_.size() + 1);
  }
  void append(Backend& backend, ConstMatrixView<double> keys, ConstMatrixView<double> values) {
    reserve(backend, keys.rows);
    keys_.append(backend, keys);
    values_.append(backend, values);
    batch_ends_.push_back(keys_.rows());
  }

  [[nodiscard]] std::size_t facts() const { return keys_.rows(); }
  [[nodiscard]] std::size_t bytes() const { return keys_.bytes() + values_.bytes(); }
  [[nodiscard]] ConstMatrixView<double> keys() const { return keys_.view(); }
  [[nodiscard]] ConstMatrixView<double> values() const { return values_.view(); }

  /// Where each batch ends. Whatever is derived from the ledger is derived batch by batch, in this order, so that an
  /// editor that was interrupted and restored computes the same bits as one that was not.
  [[nodiscard]] const std::vector<std::size_t>& batch_ends() const { return batch_ends_; }

 private:
  GrowingMatrix keys_;
  GrowingMatrix values_;
  std::vector<std::size_t> batch_ends_;
};

}  // namespace lyaplock
