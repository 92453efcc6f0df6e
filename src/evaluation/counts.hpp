// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_COUNTS_HPP
#define QWEN3GUARD_SRC_EVALUATION_COUNTS_HPP

#include <cstdint>
#include <optional>

#include "evaluation/record.hpp"

namespace qwen3guard::evaluation {

/// part / whole; empty when there is no whole.
[[nodiscard]] std::optional<double> share(std::int64_t part, std::int64_t whole) noexcept;

/// Rows by what they are and what was said of them; positive is Unsafe, or what a measure counts as that.
struct Counts {
  std::int64_t tp = 0, fp = 0, fn = 0, tn = 0;

  void add(bool is_positive, bool is_flagged, std::int64_t n_rows = 1) noexcept;
  /// Those of other rows beside them.
  Counts& operator+=(const Counts& other) noexcept;
  [[nodiscard]] std::int64_t n() const noexcept { return tp + fp + fn + tn; }

  /// Of the positive rows, the share that was flagged; empty when there are none.
  [[nodiscard]] std::optional<double> recall() const noexcept;
  /// Of the flagged rows, the share that is positive; 0 when nothing was flagged but something positive was
  /// missed, as the published scripts and scikit-learn have it; empty when there is nothing positive.
  [[nodiscard]] std::optional<double> precision() const noexcept;
  /// 2 tp / (2 tp + fp + fn); empty when there is nothing positive: no verdict could have a share in it.
  [[nodiscard]] std::optional<double> f1() const noexcept;
  /// Of the negative rows, the share that was flagged; empty when there are none.
  [[nodiscard]] std::optional<double> false_alarm_rate() const noexcept;

  friend bool operator==(const Counts&, const Counts&) = default;
};

/// Strict counts Controversial as unsafe, loose as safe (arXiv:2510.14276, section 4.1).
[[nodiscard]] bool is_positive(Severity severity, Mode mode) noexcept;

/// What a row was called: the model's severity, and Unsafe where a deny list decided without it.
[[nodiscard]] Severity said(const Prediction& prediction) noexcept;

/// True when its score says how harmful the model found it: it was judged, and no deny list decided.
[[nodiscard]] bool is_ranked(const Prediction& prediction) noexcept;

/// What counts as flagged in a mode. A row that was not judged counts against the model: as flagged when it
/// is not positive, as missed when it is. One that a deny list decided counts as flagged.
[[nodiscard]] bool is_flagged(const Prediction& prediction, Mode mode, bool is_positive) noexcept;

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_COUNTS_HPP
