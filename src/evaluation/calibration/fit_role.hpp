// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_FIT_ROLE_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_FIT_ROLE_HPP

#include <cstdint>
#include <optional>
#include <span>

#include "evaluation/calibration/category_thresholds.hpp"
#include "evaluation/calibration/example.hpp"
#include "evaluation/calibration/goal.hpp"
#include "evaluation/calibration/reach.hpp"
#include "evaluation/calibration/temperature.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::evaluation {

/// A row of one role, with what is known of it whatever the thresholds are.
struct Sample {
  const Example* example = nullptr;
  bool is_positive = false;  ///< harmful in the base policy's mode
  bool is_denied = false;    ///< the base policy's lists block it
};

/// What was found for a role.
struct RoleFit {
  TemperatureChoice temperature;
  Thresholds block{};
  CategorySet own = 0;        ///< categories with a threshold of their own; the others have one together
  std::optional<float> flag;  ///< mode loose: where Controversial rows begin
  Debounce debounce;          ///< of responses; the base's where there are no tokens to choose by
  bool is_of_tokens = false;  ///< responses of a Stream checkpoint: runs of tokens decide
};

/// Of what a policy does with rows.
struct Outcome {
  Counts block;  ///< blocked; positive are the rows that are harmful in the policy's mode
  Counts flag;   ///< flagged or blocked; positive are Controversial and Unsafe rows
};

struct FitOptions {
  Goal goal;
  std::int32_t n_folds = 5;
  std::uint64_t seed = 1;
};

/// The goal of a role for as many safe rows as it has in all: other rows are safe where flags are counted.
struct RoleGoals {
  Goal block, flag;
};

/// The whole procedure, for rows of one role: a temperature where it helps, the debounce, thresholds for
/// categories where they help, a threshold for flags. What "helps" is tried on rows held out within `rows`,
/// which may be a part of the role's: `goals` are those for all of them, and options.goal is not read.
/// `base` is followed in everything else. Empty: a class is missing, or no threshold keeps to the target.
/// Errors: those of decide(). Throws std::bad_alloc.
[[nodiscard]] Result<std::optional<RoleFit>> fit_role(const PolicyRules& base, Role role,
                                                      std::span<const Sample> rows, const RoleGoals& goals,
                                                      const FitOptions& options);

/// Puts what was found into rules: of each category that is not off, thresholds instead of actions.
void apply(const RoleFit& fit, Role role, PolicyRules& rules);

/// What a policy with these rules does, by decide(). Errors: those of decide() and Policy::make().
[[nodiscard]] Result<Outcome> measure(const PolicyRules& rules, std::span<const Sample> rows);

/// The folds of samples (folds.hpp).
[[nodiscard]] std::vector<std::int32_t> folds_of(std::span<const Sample> rows, std::int32_t n_folds,
                                                 std::uint64_t seed);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_FIT_ROLE_HPP
