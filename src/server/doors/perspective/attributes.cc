// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/attributes.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace qwen3guard::server {
namespace {

constexpr std::uint32_t bit(Category category) noexcept { return 1U << static_cast<unsigned>(category); }

constexpr std::uint32_t kUnethical = bit(Category::unethical_acts);
// A threat is named in the definition of Unethical Acts; a depiction of violence is Violent.
constexpr std::uint32_t kThreat = kUnethical | bit(Category::violent);
// What is said to people that drives them away: what urges them to harm themselves, too.
constexpr std::uint32_t kToxic = kThreat | bit(Category::sexual_content) | bit(Category::suicide_self_harm);

/// Most asked for first. The experimental ones mean what those without the suffix do.
constexpr std::array kOffered = {
    Attribute{"TOXICITY", kToxic},
    Attribute{"SEVERE_TOXICITY", kToxic, true},
    Attribute{"IDENTITY_ATTACK", kUnethical},
    Attribute{"INSULT", kUnethical},
    Attribute{"THREAT", kThreat},
    Attribute{"SEXUALLY_EXPLICIT", bit(Category::sexual_content)},
    Attribute{"ATTACK_ON_AUTHOR", kUnethical},
    Attribute{"ATTACK_ON_COMMENTER", kUnethical},
    Attribute{"TOXICITY_EXPERIMENTAL", kToxic},
    Attribute{"SEVERE_TOXICITY_EXPERIMENTAL", kToxic, true},
    Attribute{"IDENTITY_ATTACK_EXPERIMENTAL", kUnethical},
    Attribute{"INSULT_EXPERIMENTAL", kUnethical},
    Attribute{"THREAT_EXPERIMENTAL", kThreat},
};

/// Words rather than harm, style, quality, and what is no harm by our definition.
constexpr std::array<std::string_view, 23> kWithoutCounterpart = {
    "PROFANITY",
    "PROFANITY_EXPERIMENTAL",
    "OBSCENE",
    "FLIRTATION",
    "INFLAMMATORY",
    "INCOHERENT",
    "LIKELY_TO_REJECT",
    "SPAM",
    "UNSUBSTANTIAL",
    "AFFINITY_EXPERIMENTAL",
    "COMPASSION_EXPERIMENTAL",
    "CONSTRUCTIVE_EXPERIMENTAL",
    "CURIOSITY_EXPERIMENTAL",
    "NUANCE_EXPERIMENTAL",
    "PERSONAL_STORY_EXPERIMENTAL",
    "REASONING_EXPERIMENTAL",
    "RESPECT_EXPERIMENTAL",
    "ALIENATION_EXPERIMENTAL",
    "FEARMONGERING_EXPERIMENTAL",
    "GENERALIZATION_EXPERIMENTAL",
    "MORAL_OUTRAGE_EXPERIMENTAL",
    "POWER_APPEAL_EXPERIMENTAL",
    "SCAPEGOATING_EXPERIMENTAL",
};

/// How probable harm of the attribute's degree is, whatever its category.
double harm_of(const Attribute& attribute, const SeverityProbabilities& probabilities) noexcept {
  const auto unsafe = static_cast<double>(probabilities.unsafe);
  return attribute.is_of_unsafe_only ? unsafe : unsafe + static_cast<double>(probabilities.controversial);
}

/// P(one of the attribute's categories | harm), at most: a category that the verdict does not name may have
/// what its most probable name leaves, and all of them together what the most probable name of none of them
/// leaves.
double share_of(const Attribute& attribute, const std::vector<CategoryScore>& named) noexcept {
  std::array<double, kCategoryCount> share{};
  share.fill(-1);
  double in = 0, out = 0;
  for (const CategoryScore& score : named) {
    const auto p = static_cast<double>(score.probability);
    share[static_cast<std::size_t>(score.category)] = p;
    double& best = (attribute.categories & bit(score.category)) != 0 ? in : out;
    best = std::max(best, p);
  }
  const double rest = 1 - std::max(in, out);
  double sum = 0;
  for (std::size_t i = 0; i < share.size(); ++i) {
    if ((attribute.categories >> i & 1U) != 0) sum += share[i] < 0 ? rest : share[i];
  }
  return std::max(in, std::min(1 - out, sum));
}

}  // namespace

const Attribute* find_attribute(std::string_view name) noexcept {
  const auto* const found =
      std::find_if(kOffered.begin(), kOffered.end(), [&](const Attribute& a) { return a.name == name; });
  return found == kOffered.end() ? nullptr : found;
}

bool is_without_counterpart(std::string_view name) noexcept {
  return std::find(kWithoutCounterpart.begin(), kWithoutCounterpart.end(), name) != kWithoutCounterpart.end();
}

std::string offered_attributes() {
  std::string names;
  for (const Attribute& attribute : kOffered) {
    names += names.empty() ? "" : ", ";
    names += attribute.name;
  }
  return names;
}

double score_of(const Attribute& attribute, const Verdict& verdict) noexcept {
  if (verdict.severity == Severity::not_judged) return 1;
  double score = std::clamp(
      harm_of(attribute, verdict.probabilities) * share_of(attribute, verdict.categories), 0.0, 1.0);
  for (const Verdict& part : verdict.windows) score = std::max(score, score_of(attribute, part));
  return score;
}

double score_of(const Attribute& attribute, const TokenVerdict& token) noexcept {
  if (token.source == VerdictSource::none) return 1;
  double share = 0;
  for (std::size_t i = 0; i < token.category_probabilities.size(); ++i) {
    if ((attribute.categories >> i & 1U) != 0) share += static_cast<double>(token.category_probabilities[i]);
  }
  return std::clamp(harm_of(attribute, token.probabilities) * share, 0.0, 1.0);
}

}  // namespace qwen3guard::server
