// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/verdict_decoder.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <utility>

#include "guard/gen/end_tokens.hpp"
#include "guard/policy/set_probability.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::array kSeverities = {Severity::safe, Severity::controversial, Severity::unsafe};

/// Position of `value` in `all`, when it is there.
template <class Range, class T>
std::optional<std::size_t> position_in(const Range& all, const T& value) {
  const auto it = std::find(all.begin(), all.end(), value);
  if (it == all.end()) return std::nullopt;
  return static_cast<std::size_t>(it - all.begin());
}

/// Appends the tokens of `text` behind `taken`: the canonical ones as long as `taken` agrees with them, else
/// those of the remaining bytes alone (the model chose an unusual cut of a word).
Status append_rest(const Tokenizer& tokenizer, std::string_view text, std::span<const TokenId> taken,
                   std::vector<TokenId>& out) {
  Q3G_ASSIGN(const std::vector<TokenId> canonical, tokenizer.encode(text, SpecialTokens::as_text));
  if (canonical.size() >= taken.size() && std::equal(taken.begin(), taken.end(), canonical.begin())) {
    out.insert(out.end(), canonical.begin() + static_cast<std::ptrdiff_t>(taken.size()), canonical.end());
    return {};
  }
  std::size_t n_bytes = 0;
  for (const TokenId id : taken) n_bytes += tokenizer.token_bytes(id).value_or("").size();
  return tokenizer.encode_to(text.substr(n_bytes), SpecialTokens::as_text, out);
}

}  // namespace

VerdictDecoder::VerdictDecoder(const Model& model, const Tokenizer& tokenizer,
                               std::span<const TokenId> prompt, Subject subject, const ParsedVerdict* forced)
    : model_(model),
      tokenizer_(tokenizer),
      subject_(subject),
      forced_(forced),
      end_tokens_(end_tokens(model.config(), &tokenizer)),
      owed_(prompt.begin(), prompt.end()) {
  settle(ask_severity());
}

void VerdictDecoder::answer(std::span<const float> hidden) { settle(take(hidden)); }

Result<Verdict> VerdictDecoder::result() {
  if (!status_.ok()) return status_.error();
  if (needs_tokens()) return Error{ErrorCode::internal, "verdict: tokens are owed; it is not done"};
  return std::move(verdict_);
}

void VerdictDecoder::settle(Status status) {
  if (status.ok()) return;
  status_ = std::move(status);
  step_ = Step::done;
}

Status VerdictDecoder::ask(Step step, std::vector<Option> options, std::optional<std::size_t> forced) {
  const std::size_t n_before = owed_.size();
  Q3G_TRY(append_rest(tokenizer_, verdict_.text, taken_, owed_));
  taken_.insert(taken_.end(), owed_.begin() + static_cast<std::ptrdiff_t>(n_before), owed_.end());
  verdict_.tokens.generated += static_cast<std::int32_t>(owed_.size() - n_before);
  step_ = step;
  chooser_ = Chooser(std::move(options), forced);
  return {};
}

Status VerdictDecoder::take(std::span<const float> hidden) {
  Q3G_ASSIGN(const bool is_decided, chooser_.look(model_, tokenizer_, hidden));
  owed_.assign(1, chooser_.choice().tokens.back());
  if (!is_decided) return {};
  const Choice choice = chooser_.choice();  // the next question takes the chooser
  write(chooser_.chosen().text);
  taken_.insert(taken_.end(), choice.tokens.begin(), choice.tokens.end());
  verdict_.tokens.generated += static_cast<std::int32_t>(choice.tokens.size());
  switch (step_) {
    case Step::severity:
      return take_severity(choice);
    case Step::category:
      return take_category(choice);
    case Step::more_categories:
      if (choice.index == 1) return end_categories();
      list_probability_ = choice.probabilities[0];
      return ask_category();
    case Step::refusal:
      verdict_.refusal = Refusal{choice.index == 0, choice.probabilities[choice.index]};
      return finish();
    case Step::done:
      break;
  }
  return Error{ErrorCode::internal, "verdict: it is done; expected no further state"};
}

Status VerdictDecoder::ask_severity() {
  std::vector<Option> options;
  options.reserve(kSeverities.size());
  for (const Severity s : kSeverities)
    options.push_back({std::string(" ") + to_string(s), {}, static_cast<int>(s)});
  write("Safety:");
  return ask(Step::severity, std::move(options),
             forced_ != nullptr ? position_in(kSeverities, forced_->severity) : std::nullopt);
}

Status VerdictDecoder::take_severity(const Choice& choice) {
  verdict_.severity = kSeverities[choice.index];
  for (std::size_t i = 0; i < kSeverities.size(); ++i)
    set_probability(verdict_.probabilities, kSeverities[i], choice.probabilities[i]);
  write("\nCategories:");
  if (verdict_.severity == Severity::safe) {
    write(" None");
    if (subject_ == Subject::response) write("\n");
    return end_categories();
  }
  for (std::int32_t c = 0; c < kCategoryCount; ++c) {
    const auto category = static_cast<Category>(c);
    if (category != Category::jailbreak || subject_ == Subject::prompt) left_.push_back(category);
  }
  if (forced_ == nullptr) return ask_category();
  std::copy_if(forced_->categories.begin(), forced_->categories.end(), std::back_inserter(wanted_),
               [&](Category c) { return position_in(left_, c).has_value(); });
  if (!wanted_.empty()) return ask_category();
  write(subject_ == Subject::response ? " None\n" : " None");  // a greedy verdict without a list: no scores
  return end_categories();
}

Status VerdictDecoder::ask_category() {
  std::vector<Option> options;
  options.reserve(left_.size());
  for (const Category c : left_) options.push_back({std::string(" ") + to_string(c), {}, 0});
  return ask(Step::category, std::move(options),
             forced_ != nullptr ? position_in(left_, wanted_[verdict_.categories.size()]) : std::nullopt);
}

Status VerdictDecoder::take_category(const Choice& choice) {
  verdict_.categories.push_back(
      {left_[choice.index], list_probability_ * choice.probabilities[choice.index]});
  left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(choice.index));
  if (!left_.empty()) return ask_for_more();
  if (subject_ == Subject::response) write("\n");
  return end_categories();
}

/// Between two categories the model chooses between "," and the end of the list.
Status VerdictDecoder::ask_for_more() {
  Option end;
  if (subject_ == Subject::prompt) {
    end.end_tokens = end_tokens_;
  } else {
    end.text = "\n";
  }
  std::optional<std::size_t> forced;
  if (forced_ != nullptr) forced = verdict_.categories.size() < wanted_.size() ? 0 : 1;
  return ask(Step::more_categories, {Option{",", {}, 0}, std::move(end)}, forced);
}

Status VerdictDecoder::end_categories() {
  if (subject_ == Subject::prompt) return finish();
  write("Refusal:");
  std::optional<std::size_t> forced;
  if (forced_ != nullptr && forced_->refusal) forced = *forced_->refusal ? 0 : 1;
  return ask(Step::refusal, {Option{" Yes", {}, 0}, Option{" No", {}, 1}}, forced);
}

Status VerdictDecoder::finish() {
  step_ = Step::done;
  return {};
}

}  // namespace qwen3guard::detail
