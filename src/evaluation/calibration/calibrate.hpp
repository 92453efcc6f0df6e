// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_CALIBRATE_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_CALIBRATE_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "evaluation/calibration/example.hpp"
#include "evaluation/calibration/fit_role.hpp"
#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::evaluation {

/// Why a role keeps the base policy's rules.
enum class KeptRules : std::int8_t {
  no = 0,            ///< it does not: it was calibrated
  no_rows = 1,       ///< there are none of this role
  no_safe = 2,       ///< none that is safe in the policy's mode: no false alarm could show
  no_unsafe = 3,     ///< none that is harmful in it
  no_threshold = 4,  ///< more safe rows than the target allows have the highest score, or are on a deny list
};

/// What was learned of a role, and how well.
struct RoleCalibration {
  Role role = Role::user;
  KeptRules kept = KeptRules::no_rows;
  /// Rows by label, of those that were used; and the weak labels among them. @{
  std::int64_t n_safe = 0, n_controversial = 0, n_unsafe = 0, n_weak = 0;  /// @}
  std::int64_t n_not_judged = 0;  ///< left out: nothing, or not all, was judged
  std::int64_t n_no_label = 0;    ///< left out: no label that is scored
  /// Left out: decide() cannot rule on them again (a window of a long text, or tokens that were not kept).
  std::int64_t n_not_ruled = 0;
  std::int64_t n_denied = 0;   ///< blocked by the base policy's lists
  CategoryRows category_rows;  ///< rows that name each category

  RoleFit fit;     ///< on all rows
  Outcome before;  ///< of the base policy
  Outcome after;   ///< of the new one, on the rows that it was fitted on
  /// Of policies that were each fitted without the rows that they are measured on. Empty: too few rows.
  std::optional<Outcome> cross_validated;
  std::vector<std::int32_t> folds;              ///< of each row that was used, in order; empty: too few rows
  std::vector<std::optional<RoleFit>> by_fold;  ///< what was fitted without the rows of each
};

struct Calibration {
  PolicySpec policy;                     ///< the base with what was found; its name is the base's
  std::array<RoleCalibration, 2> roles;  ///< user, assistant
};

/// Fits a policy to rows. `base` has the mode, what is off, lists, and everything else that no data can tell.
/// Roles are independent. A role that cannot be calibrated keeps its rules (RoleCalibration::kept); so a
/// result need not differ from the base. The same for the same rows in the same order, options and seed.
/// Errors: invalid_argument (target_fpr outside (0, 1), beta not above 0, fewer than 2 folds; those of
/// Policy::make() and decide()). Throws std::bad_alloc.
[[nodiscard]] Result<Calibration> calibrate(const PolicySpec& base, std::span<const Example> rows,
                                            const FitOptions& options);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_CALIBRATE_HPP
