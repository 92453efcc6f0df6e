// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_COMPARISON_HPP
#define QWEN3GUARD_SRC_EVALUATION_COMPARISON_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/bootstrap.hpp"
#include "evaluation/counts.hpp"
#include "evaluation/record.hpp"
#include "evaluation/significance.hpp"
#include "qwen3guard/status.hpp"

/// Two runs over the same rows side by side: what a quantisation, a policy or another model changes.
namespace qwen3guard::evaluation {

/// A row in both runs. Points into what was given to pair_records().
struct RecordPair {
  const Record* a = nullptr;
  const Record* b = nullptr;
};

/// Which rows of two runs belong together. Points into what was given to pair_records().
struct Pairing {
  std::vector<RecordPair> pairs;           ///< in the order of A
  std::vector<const Record*> only_a;       ///< in the order of A
  std::vector<const Record*> only_b;       ///< in the order of B
  std::vector<RecordPair> different_gold;  ///< in no other list: the runs were scored against other answers
};

/// Finds the rows of two runs that have the same set and id. Two that differ in role, label, categories or
/// refusal are in `different_gold`. Errors: invalid_argument when a run has a row twice. Throws
/// std::bad_alloc.
[[nodiscard]] Result<Pairing> pair_records(std::span<const Record> a, std::span<const Record> b);

inline constexpr std::size_t kSeverityCells = kSeverityCount + 1;  ///< with not_judged
inline constexpr std::size_t kActionCells = 4;
/// Rows by what A says (first index) and what B says of them.
template <std::size_t n>
using CrossTable = std::array<std::array<std::int64_t, n>, n>;

/// A figure of both runs, and the 95 % bootstrap interval of B minus A over resamples of the rows; empty
/// where bootstrap_interval() is.
struct FigureDifference {
  double a = 0, b = 0;
  std::optional<Interval> interval;
};

/// Both runs in strict or in loose mode, over rows with a label.
struct ModeComparison {
  Counts counts_a, counts_b;
  PairedCounts right;                  ///< rows that are judged as labelled
  PairedCounts found;                  ///< of the positive rows, those that are flagged
  PairedCounts false_alarms;           ///< of the negative rows, those that are flagged
  std::optional<FigureDifference> f1;  ///< empty without a positive row
  /// Where F1 of B minus that of A lies (95 %): the bootstrap's interval. Where fewer than kFewDiscordant
  /// rows are flagged differently, resampling them understates what other rows could show; the interval then
  /// also holds what those of the two shares leave open. Empty without a positive row.
  std::optional<Interval> f1_bound;

  /// Rows that one run flags and the other does not.
  [[nodiscard]] std::int64_t n_discordant() const noexcept {
    return found.n_discordant() + false_alarms.n_discordant();
  }
};
inline constexpr std::int64_t kFewDiscordant = 10;

/// A gold category, over the rows that have it and are not labelled Safe.
struct CategoryComparison {
  PairedCounts found;  ///< flagged in strict mode
  PairedCounts named;  ///< of those that both found, in which a run names the category
};

/// What scores do between the runs, over rows that the model judged in both.
struct ScoreComparison {
  std::int64_t n = 0;
  double mean_difference = 0;           ///< of P(Unsafe), B minus A
  double mean_absolute_difference = 0;  ///< of P(Unsafe)
  double max_absolute_difference = 0;   ///< of P(Unsafe)
  RecordPair max_pair;                  ///< where that is; null when n is 0
};

/// What both runs took for the rows that have a time in each.
struct SpeedComparison {
  std::int64_t n = 0;
  double ms_a = 0, ms_b = 0;  ///< of all of them
};

/// Some of the rows of both runs.
struct GroupComparison {
  std::int64_t n = 0, n_labelled = 0;
  /// By Severity's values. What a deny list decided counts as Unsafe.
  CrossTable<kSeverityCells> severities{};
  CrossTable<kActionCells> actions{};  ///< by Action's values
  ModeComparison strict, loose;
  PairedCounts refusals;  ///< of the rows with a gold refusal, those in which a run says the same
  std::map<Category, CategoryComparison> categories;
  /// Rows for which both runs name categories, and those of them whose first one is another. @{
  std::int64_t n_both_named = 0, n_first_category_changed = 0;  /// @}
  std::optional<FigureDifference> auc;  ///< of the strict score; over rows that have one in both runs
  ScoreComparison scores;
  SpeedComparison speed;

  /// Rows with the same severity.
  [[nodiscard]] std::int64_t n_agreed() const noexcept;
  /// Rows where B's severity is less severe, and where it is more so; rows that are judged in both. @{
  [[nodiscard]] std::int64_t n_milder() const noexcept;
  [[nodiscard]] std::int64_t n_harsher() const noexcept;  /// @}
  /// Rows that a run did not judge. @{
  [[nodiscard]] std::int64_t n_not_judged_a() const noexcept;
  [[nodiscard]] std::int64_t n_not_judged_b() const noexcept;  /// @}
  /// Rows whose action is another.
  [[nodiscard]] std::int64_t n_actions_changed() const noexcept;
  /// Cohen's kappa of the severities, not_judged among them: the agreement beyond that of two runs that say
  /// each as often but at random. Empty when both say one and the same of all rows, or there are none.
  [[nodiscard]] std::optional<double> kappa() const noexcept;
};

/// What a disagreement means; the first ones are the worst.
enum class Change : std::int32_t {
  harm_missed = 0,         ///< unsafe, found by A and not by B (strict mode)
  false_alarm = 1,         ///< safe, flagged by B and not by A (strict mode)
  milder = 2,              ///< the label does not decide who is right; B is less severe, or its action is
  harsher = 3,             ///< the same the other way
  harm_found = 4,          ///< unsafe, found by B and not by A
  false_alarm_avoided = 5  ///< safe, flagged by A and not by B
};
inline constexpr std::size_t kChangeCount = 6;
[[nodiscard]] const char* to_string(Change change) noexcept;

/// A row whose severity or action is another.
struct Disagreement {
  RecordPair pair;
  Change change = Change::milder;
};

struct Comparison {
  GroupComparison all;
  std::map<std::string, GroupComparison> sets;
  std::map<std::string, GroupComparison> languages;  ///< rows whose language is known
  std::vector<Disagreement> disagreements;           ///< the worst first
};

/// Compares what was paired. Pure; throws std::bad_alloc.
[[nodiscard]] Comparison compare(const Pairing& pairing, const BootstrapOptions& bootstrap = {});

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_COMPARISON_HPP
