// SPDX-License-Identifier: Apache-2.0
#include "evaluation/run_metrics.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::evaluation {
namespace {

/// The mean of what was added.
class Mean {
 public:
  void add(double value) noexcept {
    sum_ += value;
    ++n_;
  }
  [[nodiscard]] std::int64_t n() const noexcept { return n_; }
  [[nodiscard]] std::optional<double> value() const noexcept {
    if (n_ == 0) return std::nullopt;
    return sum_ / static_cast<double>(n_);
  }

 private:
  double sum_ = 0;
  std::int64_t n_ = 0;
};

MeanMetrics mean_of(const std::vector<SetMetrics>& sets) {
  Mean strict, loose, best, auc;
  for (const SetMetrics& set : sets) {
    if (set.auc) auc.add(*set.auc);
    const auto strict_f1 = set.scores.strict.counts.f1(), loose_f1 = set.scores.loose.counts.f1();
    if (!strict_f1 || !loose_f1) continue;
    strict.add(*strict_f1);
    loose.add(*loose_f1);
    best.add(std::max(*strict_f1, *loose_f1));
  }
  return {strict.value(), loose.value(), best.value(), strict.n(), auc.value()};
}

struct SetRecords {
  std::string name;
  std::vector<BadRow> bad_rows;
  std::vector<const Record*> rows;
};

std::vector<SetRecords> by_set(std::span<const Record> records, std::span<const SetInput> inputs) {
  std::vector<SetRecords> out;
  std::unordered_map<std::string, std::size_t> places;
  for (const SetInput& input : inputs) {
    places.emplace(input.name, out.size());
    out.push_back({input.name, input.bad_rows, {}});
  }
  for (const Record& record : records) {
    const auto [place, is_new] = places.emplace(record.set, out.size());
    if (is_new) out.push_back({record.set, {}, {}});
    out[place->second].rows.push_back(&record);
  }
  return out;
}

Result<OperatingPoint> find_operating_point(const std::vector<SetRecords>& sets,
                                            const MetricsOptions& options) {
  if (!(options.target_fpr >= 0 && options.target_fpr <= 1))
    return detail::error(ErrorCode::invalid_argument, "the target false-alarm rate is ", options.target_fpr,
                         "; expected 0 to 1");
  const auto set = std::find_if(sets.begin(), sets.end(),
                                [&](const SetRecords& one) { return one.name == options.safe_set; });
  if (set == sets.end()) {
    std::string names;
    for (const SetRecords& one : sets) names += (names.empty() ? "" : ", ") + printable(one.name);
    return detail::error(ErrorCode::invalid_argument, "no set is named ", quote(options.safe_set),
                         "; there are ", names);
  }
  // What a list denied or nobody judged is flagged whatever the threshold.
  constexpr float kAlwaysFlagged = std::numeric_limits<float>::infinity();
  std::vector<float> scores;
  std::size_t n_always_flagged = 0;
  for (const Record* row : set->rows) {
    if (row->gold.label != Severity::safe) continue;
    const bool has_score = is_ranked(row->prediction);
    n_always_flagged += has_score ? 0 : 1;
    scores.push_back(has_score ? row->prediction.scores->strict : kAlwaysFlagged);
  }
  if (static_cast<double>(n_always_flagged) > options.target_fpr * static_cast<double>(scores.size()) ||
      n_always_flagged == scores.size())
    return detail::error(ErrorCode::invalid_argument, "of the ", scores.size(), " Safe rows of the set ",
                         quote(options.safe_set), ", ", n_always_flagged,
                         " were not judged or denied by a list, which is more than the target allows");
  const auto point = operating_point(scores, options.target_fpr);
  if (!point)
    return detail::error(ErrorCode::invalid_argument, "the set ", quote(options.safe_set),
                         " has no Safe row that was judged, to choose a threshold on");
  return *point;
}

}  // namespace

Result<RunMetrics> run_metrics(std::span<const Record> records, std::span<const SetInput> inputs,
                               const MetricsOptions& options) {
  RunMetrics out;
  out.options = options;
  const std::vector<SetRecords> sets = by_set(records, inputs);
  if (!options.safe_set.empty()) {
    Q3G_ASSIGN(out.operating_point, find_operating_point(sets, options));
  }
  const auto threshold = out.operating_point ? std::optional(out.operating_point->threshold) : std::nullopt;
  for (const SetRecords& set : sets) {
    SetMetrics& one = out.sets.emplace_back(set_metrics(set.rows, options.bootstrap, threshold));
    one.name = set.name;
    one.bad_rows = set.bad_rows;
  }
  out.mean = mean_of(out.sets);
  return out;
}

}  // namespace qwen3guard::evaluation
