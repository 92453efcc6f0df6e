// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_LABELS_HPP
#define QWEN3GUARD_SRC_MODEL_LABELS_HPP

#include <vector>

#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// Logit index -> meaning, for the two pairs of heads of a Stream checkpoint, as config.json says.
/// The only place where a logit's index gets a meaning. Indices need not follow the enums' order
/// (published: 0 Safe, 1 Unsafe, 2 Controversial).
struct HeadLabels {
  std::vector<Severity> risk;      ///< [num_risk_level] or [num_query_risk_level]; each severity exactly once
  std::vector<Category> category;  ///< [num_category] or [num_query_category]; no category twice
};

/// Which pair of heads.
enum class HeadRole { response, query };

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_LABELS_HPP
