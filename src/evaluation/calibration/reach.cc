// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/reach.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

#include "guard/policy/assess.hpp"

namespace qwen3guard::evaluation {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

bool exists_for(Category category, Role role) noexcept {
  return role != Role::assistant || category != Category::jailbreak;
}

/// Those of a role that lead to this step.
CategorySet categories_with(const Steps& steps, Role role, Step step) noexcept {
  CategorySet out = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto category = static_cast<Category>(i);
    if (steps[i] == step && exists_for(category, role))
      out = static_cast<CategorySet>(out | set_of(category));
  }
  return out;
}

float clipped_score(const PolicyRules& rules, Role role, const SeverityProbabilities& p) noexcept {
  return std::min(detail::score_of(rules, role, p), 1.0F);
}

/// A verdict that is about a whole text: detail::assess() under thresholds.
Part part_of(const PolicyRules& rules, Role role, const Steps& steps, Severity severity,
             const SeverityProbabilities& probabilities, CategorySet named) noexcept {
  Part out{clipped_score(rules, role, probabilities), 0, 0, &probabilities};
  const CategorySet blocking = categories_with(steps, role, Step::block);
  if (named != 0) {
    out.any_of = static_cast<CategorySet>(named & blocking);
  } else if (severity > Severity::safe) {
    out.any_of = blocking;
  } else if (categories_with(steps, role, Step::flag) == 0) {
    out.all_of = blocking;
  }
  return out;
}

/// A token that may be part of a run.
struct RunToken {
  float score = kNever;
  bool is_blocking = false;
  const SeverityProbabilities* probabilities = nullptr;
};

/// Looks at tokens [begin, end) as a run that decides: it blocks up to its lowest score.
void offer_run(std::span<const RunToken> run, Part& out) noexcept {
  const RunToken* lowest = run.data();
  bool is_blocking = false;
  for (const RunToken& token : run) {
    if (token.score < lowest->score) lowest = &token;
    is_blocking = is_blocking || token.is_blocking;
  }
  if (!is_blocking || !(lowest->score > out.score)) return;
  out.score = lowest->score;
  out.probabilities = lowest->probabilities;
}

void offer_stretch(const Debounce& debounce, std::span<const RunToken> tokens, bool is_end, Part& out) {
  const auto length = static_cast<std::size_t>(std::max(debounce.consecutive_tokens, 1));
  for (std::size_t begin = 0; begin + length <= tokens.size(); ++begin)
    offer_run(tokens.subspan(begin, length), out);
  if (!is_end || debounce.end_of_turn == EndOfTurn::ignore_open_run) return;
  for (std::size_t n = 1; n < length && n <= tokens.size(); ++n) offer_run(tokens.last(n), out);
}

/// The tokens of a response whose turn is over: detail::PolicyState under one threshold.
Part part_of_tokens(const PolicyRules& rules, Role role, const Steps& steps,
                    std::span<const TokenVerdict> tokens) {
  Part out{kNever, categories_with(steps, role, Step::block), 0, nullptr};
  std::vector<RunToken> stretch;
  for (const TokenVerdict& token : tokens) {
    if (!token.counts || token.source == VerdictSource::carried) continue;
    if (token.source == VerdictSource::none) {
      offer_stretch(rules.debounce, stretch, false, out);
      stretch.clear();
      continue;
    }
    RunToken next;
    const auto category = static_cast<std::size_t>(token.category);
    const Step step = category < steps.size() ? steps[category] : Step::block;
    next.is_blocking = step == Step::block;
    // Where a run may mix severities, a token that is flagged lengthens one that blocks.
    if (token.severity != Severity::not_judged &&
        (next.is_blocking || (step == Step::flag && rules.debounce.rule == RunRule::report))) {
      next.score = clipped_score(rules, role, token.probabilities);
      next.probabilities = &token.probabilities;
    }
    stretch.push_back(next);
  }
  offer_stretch(rules.debounce, stretch, true, out);
  return out;
}

void add_parts(const PolicyRules& rules, Role role, const Steps& steps, const Verdict& verdict, Reach& out) {
  const std::span<const TokenVerdict> tokens = verdict.token_verdicts;
  if (tokens.empty()) {
    CategorySet named = 0;
    for (const CategoryScore& score : verdict.categories)
      named = static_cast<CategorySet>(named | set_of(score.category));
    out.parts.push_back(part_of(rules, role, steps, verdict.severity, verdict.probabilities, named));
  } else if (role == Role::user) {
    const TokenVerdict& prompt = tokens.back();
    out.parts.push_back(
        part_of(rules, role, steps, prompt.severity, prompt.probabilities, set_of(prompt.category)));
  } else {
    const auto n = std::min(static_cast<std::size_t>(std::max(verdict.n_as_written, 0)), tokens.size());
    if (n > 0) out.parts.push_back(part_of_tokens(rules, role, steps, tokens.first(n)));
    out.parts.push_back(part_of_tokens(rules, role, steps, tokens.subspan(n)));
  }
}

}  // namespace

Steps steps_of(const PolicyRules& rules, Role role) noexcept {
  Steps out{};
  const RoleRules& of_role = role == Role::assistant ? rules.response : rules.prompt;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const CategoryRule& rule = of_role.categories[i];
    const Action most = rule.block_threshold  ? Action::block
                        : rule.flag_threshold ? Action::flag
                                              : rule.unsafe;
    out[i] = most == Action::block ? Step::block : most == Action::flag ? Step::flag : Step::off;
  }
  return out;
}

Reach reach_of(const PolicyRules& rules, Role role, const Steps& steps, const Verdict& verdict) {
  Reach out;
  if (verdict.windows.empty()) add_parts(rules, role, steps, verdict, out);
  for (const Verdict& window : verdict.windows) add_parts(rules, role, steps, window, out);
  return out;
}

bool is_blocked(const Reach& reach, const Thresholds& thresholds) noexcept {
  for (const Part& part : reach.parts) {
    bool reaches_all = part.all_of != 0;
    for (std::size_t i = 0; i < thresholds.size(); ++i) {
      const CategorySet bit = set_of(static_cast<Category>(i));
      const bool reaches = part.score >= thresholds[i];
      if ((part.any_of & bit) != 0 && reaches) return true;
      if ((part.all_of & bit) != 0 && !reaches) reaches_all = false;
    }
    if (reaches_all) return true;
  }
  return false;
}

float uniform_score(const Reach& reach) noexcept {
  float out = kNever;
  for (const Part& part : reach.parts) {
    if ((part.any_of | part.all_of) != 0) out = std::max(out, part.score);
  }
  return out;
}

bool is_judged_whole(const Verdict& verdict) noexcept {
  if (verdict.severity == Severity::not_judged) return false;
  const auto has_none = [](const Verdict& part) {
    return part.severity == Severity::not_judged ||
           std::any_of(part.token_verdicts.begin(), part.token_verdicts.end(), [](const TokenVerdict& token) {
             return token.counts && token.source == VerdictSource::none;
           });
  };
  return !has_none(verdict) && std::none_of(verdict.windows.begin(), verdict.windows.end(), has_none);
}

}  // namespace qwen3guard::evaluation
