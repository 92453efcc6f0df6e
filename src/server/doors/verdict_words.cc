// SPDX-License-Identifier: Apache-2.0
#include "server/doors/verdict_words.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace qwen3guard::server {
namespace {

/// Less probable than that is written so, as JSON has no infinity.
constexpr double kLeastLogprob = -9999;

double log_of(float probability) {
  return probability > 0 ? std::log(static_cast<double>(probability)) : kLeastLogprob;
}

/// What a model had to choose at a byte of the words.
struct Choice {
  double logprob = 0;
  std::vector<WordToken::Other> others;
};

std::vector<WordToken::Other> severities(const SeverityProbabilities& p) {
  std::vector<WordToken::Other> out;
  for (const Severity severity : {Severity::safe, Severity::controversial, Severity::unsafe})
    out.push_back({std::string(" ") + to_string(severity), log_of(p[severity])});
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.logprob > b.logprob; });
  return out;
}

/// By the byte behind the space in front of the word.
std::map<std::size_t, Choice> choices_of(const Verdict& verdict, std::string_view words) {
  std::map<std::size_t, Choice> out;
  const auto add = [&](std::string_view line, std::string_view word, Choice choice) {
    const std::size_t at = words.find(line);
    const std::size_t found = at == std::string_view::npos ? at : words.find(word, at + line.size());
    if (found != std::string_view::npos) out[found] = std::move(choice);
  };
  add("Safety:", to_string(verdict.severity),
      {log_of(verdict.probabilities[verdict.severity]), severities(verdict.probabilities)});
  for (const CategoryScore& score : verdict.categories)
    add("Categories:", to_string(score.category), {log_of(score.probability), {}});
  if (verdict.refusal) {
    const float p = verdict.refusal->probability;
    const bool yes = verdict.refusal->value;
    add("Refusal:", yes ? "Yes" : "No",
        {log_of(p), {{yes ? " Yes" : " No", log_of(p)}, {yes ? " No" : " Yes", log_of(1 - p)}}});
  }
  return out;
}

}  // namespace

std::string words_of(const Verdict& verdict) {
  if (!verdict.text.empty()) return verdict.text;
  std::string out = std::string("Safety: ") + to_string(verdict.severity) + "\nCategories: ";
  if (verdict.categories.empty()) return out + "None";
  for (std::size_t i = 0; i < verdict.categories.size(); ++i)
    out += (i > 0 ? ", " : "") + std::string(to_string(verdict.categories[i].category));
  return out;
}

std::vector<WordToken> tokens_of(const Verdict& verdict, std::string_view words, const Tokenizer& tokenizer) {
  const auto choices = choices_of(verdict, words);
  std::vector<WordToken> out;
  std::size_t at = 0;
  for (const TokenId id : tokenizer.encode(words).value()) {
    WordToken token;
    token.text = tokenizer.decode({&id, 1}).value();
    // The choice whose word begins in this token, the space in front of it counted in.
    const auto choice = choices.lower_bound(at);
    if (choice != choices.end() && choice->first < at + token.text.size()) {
      token.logprob = choice->second.logprob;
      token.others = choice->second.others;
    }
    at += token.text.size();
    out.push_back(std::move(token));
  }
  return out;
}

}  // namespace qwen3guard::server
