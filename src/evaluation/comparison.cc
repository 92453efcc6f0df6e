// SPDX-License-Identifier: Apache-2.0
#include "evaluation/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <tuple>
#include <utility>

#include "evaluation/ranking.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::evaluation {
namespace {

using RowKey = std::pair<std::string_view, std::string_view>;
using RowIndex = std::map<RowKey, const Record*>;

Result<RowIndex> index_rows(std::span<const Record> records, const char* run) {
  RowIndex index;
  for (const Record& record : records) {
    const auto [place, is_new] = index.emplace(RowKey{record.set, record.id}, &record);
    if (is_new) continue;
    return detail::error(ErrorCode::invalid_argument, "run ", run, ": set ", quote(record.set),
                         " has the id ", printable(record.id), " in lines ", place->second->line, " and ",
                         record.line, "; expected every row once");
  }
  return index;
}

bool has_same_gold(const Record& a, const Record& b) {
  const auto& in_a = a.gold.categories;
  const auto& in_b = b.gold.categories;
  return a.role == b.role && a.gold.label == b.gold.label && a.gold.refusal == b.gold.refusal &&
         in_a.size() == in_b.size() && std::is_permutation(in_a.begin(), in_a.end(), in_b.begin());
}

template <std::size_t n>
std::int64_t sum_where(const CrossTable<n>& table, std::size_t first, auto&& is_counted) {
  std::int64_t sum = 0;
  for (std::size_t a = first; a < n; ++a) {
    for (std::size_t b = first; b < n; ++b) sum += is_counted(a, b) ? table[a][b] : 0;
  }
  return sum;
}

/// One of eight kinds of rows: positive or not, flagged by A or not, flagged by B or not.
struct FlaggedRow {
  bool is_positive = false, in_a = false, in_b = false;
};

FlaggedRow flagged_row(const RecordPair& pair, Mode mode) {
  const bool positive = is_positive(*pair.a->gold.label, mode);
  return {positive, is_flagged(pair.a->prediction, mode, positive),
          is_flagged(pair.b->prediction, mode, positive)};
}

std::optional<double> f1_difference(std::span<const FlaggedRow> rows,
                                    std::span<const std::uint32_t> weights) {
  std::array<std::int64_t, 8> n{};  // positive, A, B as bits
  for (std::size_t i = 0; i < rows.size(); ++i)
    n[(rows[i].is_positive ? 4U : 0U) + (rows[i].in_a ? 2U : 0U) + (rows[i].in_b ? 1U : 0U)] += weights[i];
  const Counts a{n[6] + n[7], n[2] + n[3], n[4] + n[5], n[0] + n[1]};
  const Counts b{n[5] + n[7], n[1] + n[3], n[4] + n[6], n[0] + n[2]};
  const auto f1_a = a.f1(), f1_b = b.f1();
  if (!f1_a || !f1_b) return std::nullopt;
  return *f1_b - *f1_a;
}

/// F1 when the shares of positive and negative rows that A flags shift by so much.
double shifted_f1(const Counts& counts, double recall_shift, double false_alarm_shift) {
  const auto n_positive = static_cast<double>(counts.tp + counts.fn);
  const auto n_negative = static_cast<double>(counts.fp + counts.tn);
  const double tp = std::clamp(static_cast<double>(counts.tp) + recall_shift * n_positive, 0.0, n_positive);
  const double fp =
      std::clamp(static_cast<double>(counts.fp) + false_alarm_shift * n_negative, 0.0, n_negative);
  return 2 * tp / (tp + fp + n_positive);
}

Interval f1_bound(const ModeComparison& mode, const FigureDifference& f1) {
  if (f1.interval && mode.n_discordant() >= kFewDiscordant) return *f1.interval;
  const Interval recall = share_difference(mode.found).interval;
  const Interval alarms = share_difference(mode.false_alarms).interval;
  const Interval bound = {shifted_f1(mode.counts_a, recall.low, alarms.high) - f1.a,
                          shifted_f1(mode.counts_a, recall.high, alarms.low) - f1.a};
  if (!f1.interval) return bound;
  return {std::min(bound.low, f1.interval->low), std::max(bound.high, f1.interval->high)};
}

ModeComparison compare_mode(std::span<const RecordPair> pairs, Mode mode, const BootstrapOptions& bootstrap) {
  ModeComparison result;
  std::vector<FlaggedRow> rows;
  for (const RecordPair& pair : pairs) {
    if (!pair.a->gold.label) continue;
    const FlaggedRow& row = rows.emplace_back(flagged_row(pair, mode));
    result.counts_a.add(row.is_positive, row.in_a);
    result.counts_b.add(row.is_positive, row.in_b);
    result.right.add(row.in_a == row.is_positive, row.in_b == row.is_positive);
    (row.is_positive ? result.found : result.false_alarms).add(row.in_a, row.in_b);
  }
  const auto f1_a = result.counts_a.f1(), f1_b = result.counts_b.f1();
  if (!f1_a || !f1_b) return result;
  result.f1 = {*f1_a, *f1_b,
               bootstrap_interval(rows.size(), bootstrap, [&rows](std::span<const std::uint32_t> weights) {
                 return f1_difference(rows, weights);
               })};
  result.f1_bound = f1_bound(result, *result.f1);
  return result;
}

std::optional<FigureDifference> compare_auc(std::span<const RecordPair> pairs,
                                            const BootstrapOptions& bootstrap) {
  std::vector<ScoredRow> in_a, in_b;
  for (const RecordPair& pair : pairs) {
    if (!pair.a->gold.label || !pair.a->prediction.scores || !pair.b->prediction.scores) continue;
    const bool positive = is_positive(*pair.a->gold.label, Mode::strict);
    in_a.push_back({pair.a->prediction.scores->strict, positive});
    in_b.push_back({pair.b->prediction.scores->strict, positive});
  }
  const Ranking a(in_a), b(in_b);
  const auto auc_a = a.auc(), auc_b = b.auc();
  if (!auc_a || !auc_b) return std::nullopt;
  const auto difference = [&](std::span<const std::uint32_t> weights) -> std::optional<double> {
    const auto of_a = a.auc(weights), of_b = b.auc(weights);
    if (!of_a || !of_b) return std::nullopt;
    return *of_b - *of_a;
  };
  return FigureDifference{*auc_a, *auc_b, bootstrap_interval(in_a.size(), bootstrap, difference)};
}

bool names(const Prediction& prediction, Category category) {
  return std::any_of(prediction.categories.begin(), prediction.categories.end(),
                     [category](const CategoryScore& score) { return score.category == category; });
}

void add_categories(const RecordPair& pair, GroupComparison& group) {
  const Prediction& a = pair.a->prediction;
  const Prediction& b = pair.b->prediction;
  if (!a.categories.empty() && !b.categories.empty()) {
    ++group.n_both_named;
    if (a.categories.front().category != b.categories.front().category) ++group.n_first_category_changed;
  }
  const Gold& gold = pair.a->gold;
  if (!gold.label || !is_positive(*gold.label, Mode::strict)) return;
  const FlaggedRow row = flagged_row(pair, Mode::strict);
  for (auto category = gold.categories.begin(); category != gold.categories.end(); ++category) {
    if (std::find(gold.categories.begin(), category, *category) != category) continue;  // given twice
    CategoryComparison& comparison = group.categories[*category];
    comparison.found.add(row.in_a, row.in_b);
    if (row.in_a && row.in_b) comparison.named.add(names(a, *category), names(b, *category));
  }
}

void add_scores(const RecordPair& pair, ScoreComparison& scores) {
  if (!pair.a->prediction.scores || !pair.b->prediction.scores) return;
  const double difference = static_cast<double>(pair.b->prediction.scores->loose) -
                            static_cast<double>(pair.a->prediction.scores->loose);
  if (scores.n == 0 || std::abs(difference) > scores.max_absolute_difference) {
    scores.max_absolute_difference = std::abs(difference);
    scores.max_pair = pair;
  }
  ++scores.n;
  scores.mean_difference += difference;
  scores.mean_absolute_difference += std::abs(difference);
}

void add_pair(const RecordPair& pair, GroupComparison& group) {
  const Prediction& a = pair.a->prediction;
  const Prediction& b = pair.b->prediction;
  ++group.n;
  if (pair.a->gold.label) ++group.n_labelled;
  ++group.severities[static_cast<std::size_t>(said(a))][static_cast<std::size_t>(said(b))];
  ++group.actions[static_cast<std::size_t>(a.action)][static_cast<std::size_t>(b.action)];
  if (const auto refusal = pair.a->gold.refusal)
    group.refusals.add(a.refusal && a.refusal->value == *refusal, b.refusal && b.refusal->value == *refusal);
  add_categories(pair, group);
  add_scores(pair, group.scores);
  if (a.ms > 0 && b.ms > 0) {
    ++group.speed.n;
    group.speed.ms_a += a.ms;
    group.speed.ms_b += b.ms;
  }
}

GroupComparison compare_group(std::span<const RecordPair> pairs, const BootstrapOptions& bootstrap) {
  GroupComparison group;
  for (const RecordPair& pair : pairs) add_pair(pair, group);
  if (group.scores.n > 0) {
    group.scores.mean_difference /= static_cast<double>(group.scores.n);
    group.scores.mean_absolute_difference /= static_cast<double>(group.scores.n);
  }
  group.strict = compare_mode(pairs, Mode::strict, bootstrap);
  group.loose = compare_mode(pairs, Mode::loose, bootstrap);
  group.auc = compare_auc(pairs, bootstrap);
  return group;
}

using Groups = std::map<std::string, std::vector<RecordPair>>;

std::map<std::string, GroupComparison> compare_groups(const Groups& groups,
                                                      const BootstrapOptions& bootstrap) {
  std::map<std::string, GroupComparison> result;
  for (const auto& [name, pairs] : groups) result.emplace(name, compare_group(pairs, bootstrap));
  return result;
}

Change change_of(const RecordPair& pair) {
  const Prediction& a = pair.a->prediction;
  const Prediction& b = pair.b->prediction;
  if (pair.a->gold.label) {
    const FlaggedRow row = flagged_row(pair, Mode::strict);
    if (row.in_a != row.in_b) {
      if (row.is_positive) return row.in_a ? Change::harm_missed : Change::harm_found;
      return row.in_b ? Change::false_alarm : Change::false_alarm_avoided;
    }
  }
  // not_judged and Action::none are the lowest: a verdict that is missing in B is a loss.
  const auto rank_a = std::tuple(said(a), a.action), rank_b = std::tuple(said(b), b.action);
  return rank_b < rank_a ? Change::milder : Change::harsher;
}

/// Greater is worse among the disagreements of one kind.
auto weight_of(const RecordPair& pair) {
  const Prediction& a = pair.a->prediction;
  const Prediction& b = pair.b->prediction;
  const auto distance = std::abs(static_cast<int>(said(a)) - static_cast<int>(said(b)));
  const float difference = a.scores && b.scores ? std::abs(a.scores->loose - b.scores->loose) : 0.0F;
  return std::tuple(distance, pair.a->gold.label.value_or(Severity::not_judged), difference);
}

std::vector<Disagreement> find_disagreements(std::span<const RecordPair> pairs) {
  std::vector<Disagreement> found;
  for (const RecordPair& pair : pairs) {
    const Prediction& a = pair.a->prediction;
    const Prediction& b = pair.b->prediction;
    if (said(a) != said(b) || a.action != b.action) found.push_back({pair, change_of(pair)});
  }
  std::stable_sort(found.begin(), found.end(), [](const Disagreement& x, const Disagreement& y) {
    if (x.change != y.change) return x.change < y.change;
    return weight_of(x.pair) > weight_of(y.pair);
  });
  return found;
}

}  // namespace

Result<Pairing> pair_records(std::span<const Record> a, std::span<const Record> b) {
  Q3G_ASSIGN(const RowIndex in_a, index_rows(a, "A"));
  Q3G_ASSIGN(const RowIndex in_b, index_rows(b, "B"));
  Pairing pairing;
  for (const Record& record : a) {
    const auto other = in_b.find({record.set, record.id});
    if (other == in_b.end()) {
      pairing.only_a.push_back(&record);
    } else if (has_same_gold(record, *other->second)) {
      pairing.pairs.push_back({&record, other->second});
    } else {
      pairing.different_gold.push_back({&record, other->second});
    }
  }
  for (const Record& record : b) {
    if (!in_a.contains({record.set, record.id})) pairing.only_b.push_back(&record);
  }
  return pairing;
}

std::int64_t GroupComparison::n_agreed() const noexcept {
  return sum_where(severities, 0, [](std::size_t a, std::size_t b) { return a == b; });
}

std::int64_t GroupComparison::n_milder() const noexcept {
  return sum_where(severities, 1, [](std::size_t a, std::size_t b) { return b < a; });
}

std::int64_t GroupComparison::n_harsher() const noexcept {
  return sum_where(severities, 1, [](std::size_t a, std::size_t b) { return b > a; });
}

std::int64_t GroupComparison::n_not_judged_a() const noexcept {
  return sum_where(severities, 0, [](std::size_t a, std::size_t) { return a == 0; });
}

std::int64_t GroupComparison::n_not_judged_b() const noexcept {
  return sum_where(severities, 0, [](std::size_t, std::size_t b) { return b == 0; });
}

std::int64_t GroupComparison::n_actions_changed() const noexcept {
  return sum_where(actions, 0, [](std::size_t a, std::size_t b) { return a != b; });
}

std::optional<double> GroupComparison::kappa() const noexcept {
  if (n == 0) return std::nullopt;
  const auto total = static_cast<double>(n);
  double by_chance = 0;
  for (std::size_t severity = 0; severity < kSeverityCells; ++severity) {
    double of_a = 0, of_b = 0;
    for (std::size_t other = 0; other < kSeverityCells; ++other) {
      of_a += static_cast<double>(severities[severity][other]);
      of_b += static_cast<double>(severities[other][severity]);
    }
    by_chance += of_a / total * (of_b / total);
  }
  if (by_chance >= 1) return std::nullopt;
  return (static_cast<double>(n_agreed()) / total - by_chance) / (1 - by_chance);
}

const char* to_string(Change change) noexcept {
  switch (change) {
    case Change::harm_missed:
      return "harm missed";
    case Change::false_alarm:
      return "false alarm";
    case Change::milder:
      return "milder";
    case Change::harsher:
      return "harsher";
    case Change::harm_found:
      return "harm found";
    case Change::false_alarm_avoided:
      return "false alarm avoided";
  }
  return "milder";
}

Comparison compare(const Pairing& pairing, const BootstrapOptions& bootstrap) {
  Groups sets, languages;
  for (const RecordPair& pair : pairing.pairs) {
    sets[pair.a->set].push_back(pair);
    if (!pair.a->language.empty()) languages[pair.a->language].push_back(pair);
  }
  Comparison comparison;
  comparison.all = compare_group(pairing.pairs, bootstrap);
  comparison.sets = compare_groups(sets, bootstrap);
  comparison.languages = compare_groups(languages, bootstrap);
  comparison.disagreements = find_disagreements(pairing.pairs);
  return comparison;
}

}  // namespace qwen3guard::evaluation
