// SPDX-License-Identifier: Apache-2.0
#include "server/doors/azure/azure_severities.hpp"

#include <algorithm>

#include "server/doors/openai_categories.hpp"

namespace qwen3guard::server {
namespace {

constexpr std::array<const char*, kAzureCategoryCount> kNames = {"Hate", "SelfHarm", "Sexual", "Violence"};
/// OpenAI's names for the same harms: to_openai() computes their scores.
constexpr std::array<std::string_view, kAzureCategoryCount> kOpenAiNames = {"hate", "self-harm", "sexual",
                                                                            "violence"};
constexpr int kHighest = 7;
/// A category with this score or more gets the upper level of its pair.
constexpr double kUpperScore = 0.5;

std::optional<AzureCategory> azure_category_of(Category category) noexcept {
  switch (category) {
    case Category::unethical_acts:
      return AzureCategory::hate;
    case Category::suicide_self_harm:
      return AzureCategory::self_harm;
    case Category::sexual_content:
      return AzureCategory::sexual;
    case Category::violent:
      return AzureCategory::violence;
    default:
      return std::nullopt;
  }
}

/// The lower level of the pair. Action::none is not advice to let the text pass: it counts as a block.
int lower_level(Severity severity, Action action) noexcept {
  if (action == Action::allow) return 0;
  if (action == Action::flag) return 2;
  return severity == Severity::unsafe ? 6 : 4;
}

/// The levels of one window, or of a text that was judged whole.
AzureSeverities of_part(const Verdict& verdict, const AskedCategories& asked) {
  AskedCategories is_found{};
  // Azure has no name for some of the harm, or the model named none.
  bool has_no_name = verdict.categories.empty();
  double unnamed_share = has_no_name ? 1 : 0;
  for (const CategoryScore& score : verdict.categories) {
    if (const auto category = azure_category_of(score.category)) {
      is_found[static_cast<std::size_t>(*category)] = true;
    } else {
      has_no_name = true;
      unnamed_share = std::max(unnamed_share, static_cast<double>(score.probability));
    }
  }
  bool is_any_found = false;
  for (std::size_t i = 0; i < asked.size(); ++i) is_any_found = is_any_found || (asked[i] && is_found[i]);
  const bool raises_all = has_no_name && !is_any_found;

  const int lower = lower_level(verdict.severity, verdict.ruling.action);
  const double harmful = static_cast<double>(verdict.probabilities.unsafe) +
                         static_cast<double>(verdict.probabilities.controversial);
  const auto scores = to_openai(verdict, true);
  AzureSeverities out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto score = std::find_if(scores.begin(), scores.end(),
                                    [&](const OpenAiCategory& one) { return one.name == kOpenAiNames[i]; });
    const double probability = std::max(score->score, raises_all ? harmful * unnamed_share : 0);
    out[i] = (is_found[i] || raises_all ? lower : 0) + (probability >= kUpperScore ? 1 : 0);
  }
  return out;
}

}  // namespace

const char* to_string(AzureCategory category) noexcept { return kNames[static_cast<std::size_t>(category)]; }

std::optional<AzureCategory> parse_azure_category(std::string_view name) noexcept {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<AzureCategory>(found - kNames.begin());
}

AzureSeverities to_azure(const Verdict& verdict, const AskedCategories& asked) {
  AzureSeverities out{};
  if (verdict.severity == Severity::not_judged) {
    out.fill(kHighest);
    return out;
  }
  out = of_part(verdict, asked);
  // The ruling is the strictest of all windows, but the categories are those of one: the rest have their own.
  for (const Verdict& window : verdict.windows) {
    const AzureSeverities more = to_azure(window, asked);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::max(out[i], more[i]);
  }
  return out;
}

}  // namespace qwen3guard::server
