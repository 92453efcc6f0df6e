// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/gen_decode.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

#include "guard/gen/choice.hpp"
#include "guard/policy/set_probability.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::array kSeverities = {Severity::safe, Severity::controversial, Severity::unsafe};

std::vector<TokenId> end_tokens_of(const GenContext& context) {
  std::vector<TokenId> out(context.model().config().eos_token_ids);
  for (const std::string_view text : {"<|im_end|>", "<|endoftext|>"}) {
    const auto id = context.tokenizer().find_added(text);
    if (id && std::find(out.begin(), out.end(), *id) == out.end()) out.push_back(*id);
  }
  return out;
}

/// The verdict text under construction, with the tokens that were fed for it and those still owed.
class Walk {
 public:
  Walk(GenContext& context, std::span<const TokenId> prompt)
      : context_(context), owed_(prompt.begin(), prompt.end()) {}

  /// Appends text that cannot be otherwise. Fed with the next choice.
  void fixed(std::string_view text) { text_ += text; }

  /// Feeds all that is owed, then lets the model take one of `options`.
  Result<Choice> choose_from(std::span<const Option> options, std::optional<std::size_t> forced) {
    Q3G_TRY(feed_owed());
    Q3G_ASSIGN(Choice choice, choose(context_, options, forced));
    text_ += options[choice.index].text;
    verdict_ids_.insert(verdict_ids_.end(), choice.fed.begin(), choice.fed.end());
    n_generated_ += static_cast<std::int32_t>(choice.fed.size() + choice.chosen.size());
    pending_ = choice.chosen;
    return choice;
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::int32_t n_generated() const { return n_generated_; }

 private:
  /// Tokens of text_ that are not fed: the canonical ones as long as those fed agree with them, else those of
  /// the remaining bytes alone (the model chose an unusual cut of a word).
  Status feed_owed() {
    verdict_ids_.insert(verdict_ids_.end(), pending_.begin(), pending_.end());
    owed_.insert(owed_.end(), pending_.begin(), pending_.end());
    pending_.clear();
    Q3G_ASSIGN(std::vector<TokenId> canonical, context_.tokenizer().encode(text_, SpecialTokens::as_text));
    const bool agrees = canonical.size() >= verdict_ids_.size() &&
                        std::equal(verdict_ids_.begin(), verdict_ids_.end(), canonical.begin());
    std::vector<TokenId> rest;
    if (agrees) {
      rest.assign(canonical.begin() + static_cast<std::ptrdiff_t>(verdict_ids_.size()), canonical.end());
    } else {
      std::size_t n_bytes = 0;
      for (const TokenId id : verdict_ids_)
        n_bytes += context_.tokenizer().token_bytes(id).value_or("").size();
      Q3G_TRY(context_.tokenizer().encode_to(std::string_view(text_).substr(n_bytes), SpecialTokens::as_text,
                                             rest));
    }
    owed_.insert(owed_.end(), rest.begin(), rest.end());
    verdict_ids_.insert(verdict_ids_.end(), rest.begin(), rest.end());
    n_generated_ += static_cast<std::int32_t>(rest.size());
    if (owed_.empty()) return {};
    Q3G_TRY(context_.feed(owed_));
    owed_.clear();
    return {};
  }

  GenContext& context_;
  std::vector<TokenId> owed_;         // to be fed before the next look at the logits
  std::vector<TokenId> pending_;      // the deciding token of the last choice: owed too
  std::vector<TokenId> verdict_ids_;  // all tokens of the verdict so far, without pending_
  std::string text_;
  std::int32_t n_generated_ = 0;
};

/// Position of `value` in `all`, when there is a forced verdict and it is there.
template <class Range, class T>
std::optional<std::size_t> position_in(const Range& all, const T& value) {
  const auto it = std::find(all.begin(), all.end(), value);
  if (it == all.end()) return std::nullopt;
  return static_cast<std::size_t>(it - all.begin());
}

Status decode_severity(Walk& walk, const ParsedVerdict* forced, DecodedVerdict& out) {
  std::array<Option, 3> options;
  for (std::size_t i = 0; i < options.size(); ++i) {
    options[i].text = std::string(" ") + to_string(kSeverities[i]);
    options[i].rank = static_cast<int>(kSeverities[i]);
  }
  walk.fixed("Safety:");
  const auto target = forced != nullptr ? position_in(kSeverities, forced->severity) : std::nullopt;
  Q3G_ASSIGN(const Choice choice, walk.choose_from(options, target));
  out.severity = kSeverities[choice.index];
  for (std::size_t i = 0; i < options.size(); ++i)
    set_probability(out.probabilities, kSeverities[i], choice.probabilities[i]);
  return {};
}

/// The list of categories. Between two of them the model chooses between "," and the end of the list.
Status decode_categories(Walk& walk, Subject subject, std::span<const TokenId> end_tokens,
                         const ParsedVerdict* forced, DecodedVerdict& out) {
  std::vector<Category> left;
  left.reserve(static_cast<std::size_t>(kCategoryCount));
  for (std::int32_t c = 0; c < kCategoryCount; ++c) {
    const auto category = static_cast<Category>(c);
    if (category != Category::jailbreak || subject == Subject::prompt) left.push_back(category);
  }
  std::vector<Category> wanted;
  if (forced != nullptr) {
    std::copy_if(forced->categories.begin(), forced->categories.end(), std::back_inserter(wanted),
                 [&](Category c) { return position_in(left, c).has_value(); });
    if (wanted.empty()) {  // a greedy verdict without a list: nothing to score
      walk.fixed(subject == Subject::response ? " None\n" : " None");
      return {};
    }
  }
  Option end;
  if (subject == Subject::prompt) {
    end.end_tokens = end_tokens;
  } else {
    end.text = "\n";
  }
  for (std::size_t n = 0; !left.empty(); ++n) {
    float go_on = 1.0F;
    if (n > 0) {
      const std::array<Option, 2> more = {Option{",", {}, 0}, end};
      std::optional<std::size_t> target;
      if (forced != nullptr) target = n < wanted.size() ? 0 : 1;
      Q3G_ASSIGN(const Choice choice, walk.choose_from(more, target));
      if (choice.index == 1) return {};
      go_on = choice.probabilities[0];
    }
    std::vector<Option> options;
    options.reserve(left.size());
    for (const Category c : left) options.push_back({std::string(" ") + to_string(c), {}, 0});
    const auto target = forced != nullptr ? position_in(left, wanted[n]) : std::nullopt;
    Q3G_ASSIGN(const Choice choice, walk.choose_from(options, target));
    out.categories.push_back({left[choice.index], go_on * choice.probabilities[choice.index]});
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(choice.index));
  }
  if (subject == Subject::response) walk.fixed("\n");
  return {};
}

Status decode_refusal(Walk& walk, const ParsedVerdict* forced, DecodedVerdict& out) {
  walk.fixed("Refusal:");
  const std::array<Option, 2> options = {Option{" Yes", {}, 0}, Option{" No", {}, 1}};
  std::optional<std::size_t> target;
  if (forced != nullptr && forced->refusal) target = *forced->refusal ? 0 : 1;
  Q3G_ASSIGN(const Choice choice, walk.choose_from(options, target));
  out.refusal = Refusal{choice.index == 0, choice.probabilities[choice.index]};
  return {};
}

/// The most probable token; of equally probable ones the first in `preferred`, else the lowest id.
TokenId most_probable(std::span<const float> logits, std::span<const TokenId> preferred) {
  const auto best = std::max_element(logits.begin(), logits.end());
  for (const TokenId id : preferred) {
    if (logits[static_cast<std::size_t>(id)] == *best) return id;
  }
  return static_cast<TokenId>(best - logits.begin());
}

/// The tokens that begin the words of a severity, the worse ones first and of a word the longest first: ties
/// go to the more severe.
std::vector<TokenId> severity_tokens(const Tokenizer& tokenizer) {
  std::vector<TokenId> out;
  for (auto severity = kSeverities.rbegin(); severity != kSeverities.rend(); ++severity) {
    const std::string word = std::string(" ") + to_string(*severity);
    for (std::size_t n = word.size(); n > 1; --n) {
      if (const auto id = tokenizer.find_bytes(std::string_view(word).substr(0, n))) out.push_back(*id);
    }
  }
  return out;
}

}  // namespace

Verdict to_verdict(DecodedVerdict decoded, std::size_t n_prompt_tokens, std::int32_t n_cached_tokens) {
  Verdict verdict;
  verdict.severity = decoded.severity;
  verdict.probabilities = decoded.probabilities;
  verdict.categories = std::move(decoded.categories);
  verdict.refusal = decoded.refusal;
  verdict.text = std::move(decoded.text);
  verdict.tokens = {static_cast<std::int32_t>(n_prompt_tokens), n_cached_tokens, decoded.n_generated_tokens};
  return verdict;
}

Result<DecodedVerdict> decode_constrained(GenContext& context, std::span<const TokenId> prompt,
                                          Subject subject, const ParsedVerdict* forced) {
  const std::vector<TokenId> end_tokens = end_tokens_of(context);
  DecodedVerdict out;
  Walk walk(context, prompt);
  Q3G_TRY(decode_severity(walk, forced, out));
  walk.fixed("\nCategories:");
  if (out.severity == Severity::safe) {
    walk.fixed(" None");
    if (subject == Subject::response) walk.fixed("\n");
  } else {
    Q3G_TRY(decode_categories(walk, subject, end_tokens, forced, out));
  }
  if (subject == Subject::response) Q3G_TRY(decode_refusal(walk, forced, out));
  out.text = walk.text();
  out.n_generated_tokens = walk.n_generated();
  return out;
}

Result<DecodedVerdict> decode_greedy(GenContext& context, std::span<const TokenId> prompt, Subject subject) {
  const std::vector<TokenId> end_tokens = end_tokens_of(context);
  std::vector<float> logits(static_cast<std::size_t>(context.model().config().vocab_size));
  const std::int32_t n_start = context.cache().n_tokens();
  const std::vector<TokenId> preferred = severity_tokens(context.tokenizer());
  std::vector<TokenId> generated;
  Q3G_TRY(context.feed(prompt));
  for (;;) {
    context.next_logits(logits);
    const TokenId next = most_probable(logits, preferred);
    if (!std::isfinite(logits[static_cast<std::size_t>(next)])) {
      return Error{ErrorCode::bad_checkpoint,
                   "language-model head: a logit is not finite; the weights are damaged"};
    }
    if (std::find(end_tokens.begin(), end_tokens.end(), next) != end_tokens.end()) break;
    generated.push_back(next);
    if (static_cast<std::int32_t>(generated.size()) == kMaxVerdictTokens) break;
    Q3G_TRY(context.feed({&next, 1}));
  }
  // Embedding rows past the tokenizer's last id have no text; a model that picks one has written nothing
  // readable.
  std::erase_if(generated, [&](TokenId id) { return !context.tokenizer().token_bytes(id).has_value(); });
  Q3G_ASSIGN(const std::string text, context.tokenizer().decode(generated));
  Q3G_ASSIGN(const ParsedVerdict parsed, parse_verdict(text, subject));
  context.cache().truncate(n_start);
  Q3G_ASSIGN(DecodedVerdict out, decode_constrained(context, prompt, subject, &parsed));
  if (!parsed.refusal) out.refusal.reset();
  out.text = text;
  out.n_generated_tokens = static_cast<std::int32_t>(generated.size());
  return out;
}

}  // namespace qwen3guard::detail
