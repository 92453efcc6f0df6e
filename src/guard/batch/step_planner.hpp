// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_BATCH_STEP_PLANNER_HPP
#define QWEN3GUARD_SRC_GUARD_BATCH_STEP_PLANNER_HPP

#include <algorithm>
#include <cstddef>
#include <limits>

#include "guard/batch/step_clock.hpp"

namespace qwen3guard::detail {

/// Decides how many rows a batch's next forward has. One that fits the host's budget, if there is one. When
/// none fits, what waits is not left to itself, or an estimate that nothing corrects would stop judging for
/// good: a forward as short as can be runs over the budget
///  - when what is first in line is overdue, if since the last such forward as much time has passed as it
///    took (at most kMaxRest_ms), so that a host keeps half of its time however slow a forward is;
///  - when the budgets that no forward fitted add up to kPatience times what one is expected to take.
/// A plain value.
class StepPlanner {
 public:
  static constexpr double kMaxRest_ms = 1000, kPatience = 8;

  /// What is so when a step is about to begin a forward.
  struct State {
    std::size_t max_rows = 1;
    double left_ms = 0;     ///< of the host's budget
    bool is_first = true;   ///< of the step
    bool must_run = false;  ///< the host wants one in any case
    bool is_overdue = false;
    double now_ms = 0;
  };

  /// Rows of the forward, at most max_rows; 0: none is to run now. Something waits.
  [[nodiscard]] std::size_t n_rows(const State& state) noexcept {
    is_over_ = false;
    if (const std::size_t n = fit(state); n > 0) {
      refused_ms_ = 0;
      return n;
    }
    if (!state.is_first) return 0;
    is_over_ = !state.must_run && state.is_overdue && state.now_ms >= rest_end_ms_;
    refused_ms_ += std::max(state.left_ms, 0.0);
    const bool is_patient = refused_ms_ < kPatience * clock_.expect(1) || state.left_ms <= 0;
    if (!state.must_run && !is_over_ && is_patient) return 0;
    refused_ms_ = 0;
    return clock_.least(state.max_rows);
  }

  /// The forward ended; it had so many rows.
  void end(std::size_t n_rows, double begin_ms, double now_ms) noexcept {
    const double took_ms = now_ms - begin_ms;
    clock_.note(n_rows, took_ms);
    if (is_over_) rest_end_ms_ = now_ms + std::min(took_ms, kMaxRest_ms);
  }

 private:
  [[nodiscard]] std::size_t fit(const State& state) const noexcept {
    constexpr double kAllDay_ms = 1e8;
    if (state.left_ms >= kAllDay_ms) return state.max_rows;
    if (!(state.left_ms > 0)) return 0;
    return clock_.is_new() ? clock_.least(state.max_rows) : clock_.fit(state.max_rows, state.left_ms);
  }

  StepClock clock_;
  bool is_over_ = false;  // the forward that is planned runs over the budget for what is overdue
  double rest_end_ms_ = -std::numeric_limits<double>::infinity();  // none such before
  double refused_ms_ = 0;                                          // budgets since a forward ran
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_BATCH_STEP_PLANNER_HPP
