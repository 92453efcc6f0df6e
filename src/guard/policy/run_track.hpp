// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_RUN_TRACK_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_RUN_TRACK_HPP

#include <algorithm>
#include <cstdint>

#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// Looks for runs of tokens, and keeps where the first one at each of two levels was long enough (the
/// debounce). A plain value of a few numbers.
struct RunTrack {
  static constexpr std::int32_t kNone = -1;
  enum Level : std::int8_t { none = 0, low = 1, high = 2 };

  /// Where a level was first held long enough.
  struct Place {
    std::int32_t at = kNone;    // the token at which it was
    std::int32_t begin = 0;     // the run's first token
    std::int32_t best = 0;      // the run's last token of that level
    std::int32_t n_tokens = 0;  // of the run, up to `at`
    bool is_mixed = false;      // the run has both Unsafe and Controversial
    bool is_end_of_turn = false;
  };
  Place low_place, high_place;
  std::int32_t run_length = 0, run_begin = 0, run_best = 0;
  Severity run_severity = Severity::not_judged;  // the worst of the run
  Level run_level = none;                        // the highest of the run
  bool run_is_mixed = false;

  /// The next token that counts goes on with the run, or begins another one. Returns the run's level when it
  /// is long enough; of a written verdict, one is.
  Level push(const Debounce& debounce, std::int32_t index, Severity severity, Level level,
             VerdictSource source) noexcept {
    // Written verdicts are each about the whole text: those that differ make no run.
    const bool may_mix = debounce.rule == RunRule::report && source == VerdictSource::heads &&
                         std::min(severity, run_severity) > Severity::safe;
    if (run_length == 0 || (severity != run_severity && !may_mix)) {
      *this = {low_place, high_place, 0, index, index, severity, none, false};
    }
    ++run_length;
    run_is_mixed = run_is_mixed || severity != run_severity;
    run_severity = std::max(run_severity, severity);
    if (level >= run_level) run_best = index;
    run_level = std::max(run_level, level);
    if (run_length < debounce.consecutive_tokens && source != VerdictSource::written) return none;
    decide(index, false);
    return run_level;
  }

  /// The turn ends; an open run decides at the token `last`. Returns its level.
  Level end_turn(const Debounce& debounce, std::int32_t last) noexcept {
    if (debounce.end_of_turn == EndOfTurn::ignore_open_run || run_length == 0) return none;
    decide(last, true);
    return run_level;
  }

  /// The place that decides; null when no level was held. High wins over low even when it comes later.
  [[nodiscard]] const Place* decided() const noexcept {
    return high_place.at != kNone ? &high_place : low_place.at != kNone ? &low_place : nullptr;
  }

 private:
  void decide(std::int32_t index, bool is_end_of_turn) noexcept {
    if (run_level == none || high_place.at != kNone || (run_level == low && low_place.at != kNone)) return;
    (run_level == high ? high_place : low_place) = {
        index, run_begin, run_best, index - run_begin + 1, run_is_mixed, is_end_of_turn};
  }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_RUN_TRACK_HPP
