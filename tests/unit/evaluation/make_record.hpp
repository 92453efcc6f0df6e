// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_EVALUATION_MAKE_RECORD_HPP
#define QWEN3GUARD_TESTS_UNIT_EVALUATION_MAKE_RECORD_HPP

/// @file
/// Invented rows for tests of metrics.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "evaluation/record.hpp"

namespace q3g_test {

/// A row as a model judged it; its scores lie where a severity's usually do.
inline qwen3guard::evaluation::Record make_record(std::optional<qwen3guard::Severity> gold,
                                                  qwen3guard::Severity said) {
  using qwen3guard::Severity;
  qwen3guard::evaluation::Record out;
  out.set = "a_set";
  out.gold.label = gold;
  out.prediction.severity = said;
  if (said == Severity::safe) out.prediction.scores = {0.25F, 0.125F};
  if (said == Severity::controversial) out.prediction.scores = {0.75F, 0.25F};
  if (said == Severity::unsafe) out.prediction.scores = {0.875F, 0.75F};
  return out;
}

inline std::vector<const qwen3guard::evaluation::Record*> pointers_to(
    std::span<const qwen3guard::evaluation::Record> records) {
  std::vector<const qwen3guard::evaluation::Record*> out;
  out.reserve(records.size());
  for (const auto& record : records) out.push_back(&record);
  return out;
}

/// A row that a deny list decided.
inline qwen3guard::evaluation::Record listed_record(std::optional<qwen3guard::Severity> gold) {
  auto out = make_record(gold, qwen3guard::Severity::not_judged);
  out.prediction.rule = qwen3guard::Rule::deny_list;
  out.prediction.action = qwen3guard::Action::block;
  return out;
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_UNIT_EVALUATION_MAKE_RECORD_HPP
