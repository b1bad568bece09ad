// All facts that were written into one layer.
#pragma once

#include <vector>

#include "edit/blocked_rows.h"

namespace lyaplock {

/// What every fact edited so far had for a key, what it was meant to reach and what it reached, batch after batch.
/// Values are relative to the original weight: the layer's output for the key is W0 k + value. K^ and Y of the
/// mathematics.
class Ledger {
 public:
  Ledger(std::size_t key_width, std::size_t value_width)
      : keys_(key_width), targets_(value_width), values_(value_width) {}

  /// Makes room for a batch of as many facts; its `append` can then no longer fail.
  void reserve(Backend& backend, std::size_t facts) {
    keys_.reserve(backend, facts);
    targets_.reserve(backend, facts);
    values_.reserve(backend, facts);
    batch_ends_.reserve(batch_ends_.size() + 1);
  }
  /// keys [u, d], targets [u, m], values [u, m].
  void append(Backend& backend, ConstMatrixView<double> keys, ConstMatrixView<double> targets,
              ConstMatrixView<double> values) {
    reserve(backend, keys.rows);
    keys_.append(backend, keys);
    targets_.append(backend, targets);
    values_.append(backend, values);
    batch_ends_.push_back(keys_.rows());
  }
  /// For a ledger that remembers keys alone.
  void append_keys(Backend& backend, ConstMatrixView<double> keys) {
    batch_ends_.reserve(batch_ends_.size() + 1);
    keys_.append(backend, keys);
    batch_ends_.push_back(keys_.rows());
  }

  [[nodiscard]] std::size_t facts() const { return keys_.rows(); }
  [[nodiscard]] std::size_t bytes() const { return keys_.bytes() + targets_.bytes() + values_.bytes(); }
  /// [n, d]
  [[nodiscard]] const BlockedRows& keys() const { return keys_; }
  /// What the facts of a batch were meant to reach when they were solved for, [n, m]. Only needed to solve again.
  [[nodiscard]] const BlockedRows& targets() const { return targets_; }
  /// What they reached then, [n, m]: from the next batch on, this is what the solution shall keep.
  [[nodiscard]] const BlockedRows& values() const { return values_; }

  /// Where each batch ends. Whatever is derived from the ledger is derived batch by batch, in this order, so that an
  /// editor that was interrupted and restored computes the same bits as one that was not.
  [[nodiscard]] const std::vector<std::size_t>& batch_ends() const { return batch_ends_; }
  [[nodiscard]] std::size_t batch_begin(std::size_t batch) const { return batch == 0 ? 0 : batch_ends_[batch - 1]; }

 private:
  BlockedRows keys_;
  BlockedRows targets_;
  BlockedRows values_;
  std::vector<std::size_t> batch_ends_;
};

}  // namespace lyaplock
