// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_LABEL_MAPS_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_LABEL_MAPS_HPP

#include <string_view>

#include "model/checkpoint/config_reader.hpp"
#include "model/labels.hpp"

namespace qwen3guard::detail {

/// Config keys of one pair of heads.
struct LabelKeys {
  std::string_view risk_map, category_map;  ///< {"0": "Safe", ...}
  std::string_view n_risk, n_category;      ///< optional counts, which must agree with the maps
};
inline constexpr LabelKeys kResponseKeys{"response_risk_level_map", "response_category_map", "num_risk_level",
                                         "num_category"};
inline constexpr LabelKeys kQueryKeys{"query_risk_level_map", "query_category_map", "num_query_risk_level",
                                      "num_query_category"};

/// Errors: bad_checkpoint (map missing, indices other than 0..n-1, a label twice, a severity missing, a count
/// that disagrees); unsupported_model (a label that the policy does not have). The detail names key and
/// label.
[[nodiscard]] Result<HeadLabels> read_labels(const ConfigReader& config, const LabelKeys& keys);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_LABEL_MAPS_HPP
