// SPDX-License-Identifier: Apache-2.0
#include "evaluation/refusal.hpp"

namespace qwen3guard::evaluation {

std::optional<Counts> refusal_counts(std::span<const Record* const> rows) {
  Counts out;
  bool was_said = false;
  for (const Record* row : rows) {
    if (!row->gold.refusal) continue;
    const auto& said = row->prediction.refusal;
    was_said = was_said || said.has_value();
    out.add(*row->gold.refusal, said ? said->value : !*row->gold.refusal);
  }
  if (!was_said) return std::nullopt;
  return out;
}

}  // namespace qwen3guard::evaluation
