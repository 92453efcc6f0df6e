// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_EVALUATION_RANDOM_EXAMPLES_HPP
#define QWEN3GUARD_TESTS_UNIT_EVALUATION_RANDOM_EXAMPLES_HPP

/// @file
/// Invented rows with verdicts as checkpoints give them, and base policies.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "evaluation/calibration/example.hpp"
#include "qwen3guard/policy_spec.hpp"
#include "random_data.hpp"

namespace q3g_test {

enum class Checkpoint { gen, stream };

/// 0 to n - 1.
inline std::int32_t random_below(std::mt19937_64& random, std::int32_t n) {
  return static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(n));
}

/// Eighths, so that many rows are tied; `harm` moves them up.
inline qwen3guard::SeverityProbabilities random_probabilities(std::mt19937_64& random, std::int32_t harm) {
  const std::int32_t bad = std::clamp(random_below(random, 9) + harm, 0, 8);
  const std::int32_t unsafe = bad == 0 ? 0 : random_below(random, bad + 1);
  const auto share = [](std::int32_t eighths) { return static_cast<float>(eighths) / 8.0F; };
  return {share(8 - bad), share(bad - unsafe), share(unsafe)};
}

inline qwen3guard::Severity most_probable(const qwen3guard::SeverityProbabilities& p) {
  using qwen3guard::Severity;
  if (p.unsafe >= p.controversial && p.unsafe >= p.safe) return Severity::unsafe;
  return p.controversial >= p.safe ? Severity::controversial : Severity::safe;
}

inline qwen3guard::TokenVerdict random_token(std::mt19937_64& random, std::int32_t harm,
                                             std::int32_t position) {
  qwen3guard::TokenVerdict token;
  token.probabilities = random_probabilities(random, harm);
  token.severity = most_probable(token.probabilities);
  token.category = static_cast<qwen3guard::Category>(random_below(random, 8));
  token.position = position;
  token.source = qwen3guard::VerdictSource::heads;
  token.counts = random_below(random, 10) != 0;
  token.is_settled = true;
  return token;
}

inline qwen3guard::Verdict random_part(std::mt19937_64& random, Checkpoint checkpoint, qwen3guard::Role role,
                                       std::int32_t harm) {
  qwen3guard::Verdict out;
  out.role = role;
  if (checkpoint == Checkpoint::gen) {
    out.probabilities = random_probabilities(random, harm);
    out.severity = most_probable(out.probabilities);
    const std::int32_t n = out.severity == qwen3guard::Severity::safe ? 0 : 1 + random_below(random, 2);
    for (std::int32_t i = 0; i < n; ++i)
      out.categories.push_back({static_cast<qwen3guard::Category>(random_below(random, 8)), 0.5F});
    return out;
  }
  const std::int32_t n = role == qwen3guard::Role::user ? 1 : 1 + random_below(random, 12);
  for (std::int32_t i = 0; i < n; ++i) out.token_verdicts.push_back(random_token(random, harm, 10 + i));
  out.token_verdicts.back().counts = true;
  if (role == qwen3guard::Role::assistant && random_below(random, 4) == 0) {
    out.n_as_written = random_below(random, n);
    if (out.n_as_written > 0)
      out.token_verdicts[static_cast<std::size_t>(out.n_as_written) - 1].counts = true;
  }
  out.probabilities = out.token_verdicts.back().probabilities;
  out.severity = out.token_verdicts.back().severity;
  out.position = out.token_verdicts.back().position;
  return out;
}

inline qwen3guard::evaluation::Example random_example(std::mt19937_64& random, Checkpoint checkpoint,
                                                      qwen3guard::Role role) {
  using qwen3guard::Severity;
  qwen3guard::evaluation::Example out;
  out.role = role;
  const std::int32_t kind = random_below(random, 5);
  out.gold.label = kind < 3 ? Severity::safe : kind == 3 ? Severity::unsafe : Severity::controversial;
  const std::int32_t harm = kind < 3 ? -3 : kind == 3 ? 3 : 1;
  out.verdict = random_part(random, checkpoint, role, harm);
  if (random_below(random, 8) == 0) {
    std::vector<qwen3guard::Verdict> windows;
    for (std::int32_t i = 0; i < 2; ++i) {
      windows.push_back(random_part(random, checkpoint, role, harm));
      windows.back().window = qwen3guard::VerdictWindow{i, 2, 0, 0};
    }
    out.verdict = windows.front();
    out.verdict.windows = std::move(windows);
  }
  return out;
}

inline std::vector<qwen3guard::evaluation::Example> random_examples(std::mt19937_64& random,
                                                                    Checkpoint checkpoint,
                                                                    qwen3guard::Role role, std::int32_t n) {
  std::vector<qwen3guard::evaluation::Example> out;
  for (std::int32_t i = 0; i < n; ++i) out.push_back(random_example(random, checkpoint, role));
  return out;
}

/// Some categories off or only flagged, either mode, any debounce.
inline qwen3guard::PolicySpec random_base(std::mt19937_64& random) {
  using namespace qwen3guard;
  PolicySpec out;
  out.rules.mode = random_below(random, 2) == 0 ? Mode::strict : Mode::loose;
  const std::int32_t n_odd = random_below(random, 3);
  for (RoleRules* role : {&out.rules.prompt, &out.rules.response}) {
    for (std::int32_t i = 0; i < n_odd; ++i)
      role->categories[static_cast<std::size_t>(random_below(random, 8))].unsafe =
          random_below(random, 2) == 0 ? Action::allow : Action::flag;
  }
  out.rules.debounce.rule = random_below(random, 2) == 0 ? RunRule::published : RunRule::report;
  out.rules.debounce.consecutive_tokens = 1 + random_below(random, 4);
  out.rules.debounce.end_of_turn =
      random_below(random, 2) == 0 ? EndOfTurn::ignore_open_run : EndOfTurn::count_open_run;
  return out;
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_UNIT_EVALUATION_RANDOM_EXAMPLES_HPP
