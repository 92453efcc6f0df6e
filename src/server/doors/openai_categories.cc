// SPDX-License-Identifier: Apache-2.0
#include "server/doors/openai_categories.hpp"

#include <algorithm>
#include <vector>

namespace qwen3guard::server {
namespace {

/// One of their names, and those of ours that may be it.
struct Mapping {
  std::string_view name;
  std::vector<Category> ours;
};

/// "x/y" is a part of "x": ours do not tell the parts apart, and what cannot be told apart is not denied.
const std::array<Mapping, kOpenAiCategoryCount>& mappings() {
  using enum Category;
  static const std::array<Mapping, kOpenAiCategoryCount> kMappings = {{
      {"harassment", {unethical_acts}},
      {"harassment/threatening", {unethical_acts}},
      {"hate", {unethical_acts}},
      {"hate/threatening", {unethical_acts}},
      {"illicit", {non_violent_illegal_acts, violent}},
      {"illicit/violent", {violent}},
      {"self-harm", {suicide_self_harm}},
      {"self-harm/instructions", {suicide_self_harm}},
      {"self-harm/intent", {suicide_self_harm}},
      {"sexual", {sexual_content}},
      {"sexual/minors", {sexual_content}},
      {"violence", {violent}},
      {"violence/graphic", {violent}},
  }};
  return kMappings;
}

/// P(category | harmful) where the verdict names it; where it does not, what its most probable name leaves.
class Shares {
 public:
  explicit Shares(const Verdict& verdict) {
    named_.fill(-1);
    for (const CategoryScore& score : verdict.categories) {
      named_[static_cast<std::size_t>(score.category)] = static_cast<double>(score.probability);
      rest_ = std::min(rest_, 1 - static_cast<double>(score.probability));
    }
  }
  [[nodiscard]] bool is_named(Category c) const noexcept { return named_[static_cast<std::size_t>(c)] >= 0; }
  [[nodiscard]] double of(Category c) const noexcept {
    return is_named(c) ? named_[static_cast<std::size_t>(c)] : rest_;
  }

 private:
  std::array<double, kCategoryCount> named_{};
  double rest_ = 1;
};

}  // namespace

std::array<OpenAiCategory, kOpenAiCategoryCount> to_openai(const Verdict& verdict, bool is_flagged) {
  const Shares shares(verdict);
  // Of what was not judged, by an error or as a phrase decided, everything may be true.
  const bool is_judged = verdict.severity != Severity::not_judged;
  const double harmful = static_cast<double>(verdict.probabilities.unsafe) +
                         static_cast<double>(verdict.probabilities.controversial);
  std::array<OpenAiCategory, kOpenAiCategoryCount> out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Mapping& mapping = mappings()[i];
    out[i].name = mapping.name;
    for (const Category ours : mapping.ours) {
      out[i].is_found = out[i].is_found || (is_flagged && shares.is_named(ours));
      out[i].score = is_judged ? std::max(out[i].score, std::min(harmful * shares.of(ours), 1.0)) : 1;
    }
  }
  return out;
}

}  // namespace qwen3guard::server
