// SPDX-License-Identifier: Apache-2.0
#include "evaluation/counts.hpp"

namespace qwen3guard::evaluation {

std::optional<double> share(std::int64_t part, std::int64_t whole) noexcept {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

void Counts::add(bool is_positive, bool is_flagged, std::int64_t n_rows) noexcept {
  (is_positive ? (is_flagged ? tp : fn) : (is_flagged ? fp : tn)) += n_rows;
}

Counts& Counts::operator+=(const Counts& other) noexcept {
  tp += other.tp;
  fp += other.fp;
  fn += other.fn;
  tn += other.tn;
  return *this;
}

std::optional<double> Counts::recall() const noexcept { return share(tp, tp + fn); }

std::optional<double> Counts::precision() const noexcept {
  if (tp + fn == 0) return std::nullopt;
  return share(tp, tp + fp).value_or(0.0);
}

std::optional<double> Counts::f1() const noexcept {
  if (tp + fn == 0) return std::nullopt;
  return share(2 * tp, 2 * tp + fp + fn);
}

std::optional<double> Counts::false_alarm_rate() const noexcept { return share(fp, fp + tn); }

bool is_positive(Severity severity, Mode mode) noexcept {
  return severity == Severity::unsafe || (mode == Mode::strict && severity == Severity::controversial);
}

Severity said(const Prediction& prediction) noexcept {
  return prediction.rule == Rule::deny_list ? Severity::unsafe : prediction.severity;
}

bool is_ranked(const Prediction& prediction) noexcept {
  return prediction.scores && prediction.rule != Rule::deny_list &&
         prediction.severity != Severity::not_judged;
}

bool is_flagged(const Prediction& prediction, Mode mode, bool is_positive_row) noexcept {
  const Severity severity = said(prediction);
  return severity == Severity::not_judged ? !is_positive_row : is_positive(severity, mode);
}

}  // namespace qwen3guard::evaluation
