// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_VERDICT_DECODER_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_VERDICT_DECODER_HPP

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "guard/gen/choice.hpp"
#include "guard/gen/verdict_parser.hpp"
#include "model/model.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// Walks the grammar of verdicts, one forward at a time. It runs no model: it says which tokens it needs fed
/// and goes on from the state behind them, so that one conversation is judged alone or many in common
/// forwards:
///
///     VerdictDecoder decoder(model, tokenizer, prompt, subject);
///     while (decoder.needs_tokens()) decoder.answer(/* the state after decoder.tokens() */);
///     return decoder.result();
///
/// In every state only the tokens that keep the text a well-formed verdict compete; text that is fixed is fed
/// together with the token before it.
///
/// Grammar: "Safety: " severity "\nCategories: " ("None" if and only if Safe, else 1..n different categories
/// joined by ", "; Jailbreak for prompts only) and, for responses, "\nRefusal: " ("Yes" | "No"); then an end
/// token.
///
/// Not thread-safe. Constructor and answer() throw std::bad_alloc.
class VerdictDecoder {
 public:
  /// prompt: the ids that the conversation's cache does not hold yet, at least one; fed together with
  /// "Safety:". forced: take this verdict's path instead of the most probable one, to score a text that
  /// greedy decoding wrote. All but the prompt is borrowed for the decoder's life.
  VerdictDecoder(const Model& model, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
                 Subject subject, const ParsedVerdict* forced = nullptr);

  /// False: done, with a verdict or an error.
  [[nodiscard]] bool needs_tokens() const noexcept { return step_ != Step::done; }
  /// What goes through the model next, behind all that did before; at least one while needs_tokens().
  /// Invalid after answer().
  [[nodiscard]] std::span<const TokenId> tokens() const noexcept { return owed_; }
  /// Goes on. hidden: [hidden_size], the final-norm state of the last of tokens(). While needs_tokens().
  void answer(std::span<const float> hidden);

  /// The verdict; its action, latency and tokens.prompt and .cached are left to the caller. Once, after
  /// needs_tokens() is false. Errors: bad_tokenizer; bad_checkpoint (a logit is not finite); internal (not
  /// done).
  [[nodiscard]] Result<Verdict> result();

 private:
  /// What the model is asked.
  enum class Step { severity, category, more_categories, refusal, done };

  /// Owes the tokens of the text so far, and asks which of `options` follows.
  [[nodiscard]] Status ask(Step step, std::vector<Option> options, std::optional<std::size_t> forced);
  [[nodiscard]] Status ask_severity();
  [[nodiscard]] Status ask_category();
  [[nodiscard]] Status ask_for_more();
  [[nodiscard]] Status end_categories();
  [[nodiscard]] Status finish();
  /// Each takes what was chosen, and asks what comes next.
  [[nodiscard]] Status take(std::span<const float> hidden);
  [[nodiscard]] Status take_severity(const Choice& choice);
  [[nodiscard]] Status take_category(const Choice& choice);

  /// Appends text that cannot be otherwise.
  void write(std::string_view text) { verdict_.text += text; }
  /// Ends the walk if there is an error.
  void settle(Status status);

  const Model& model_;
  const Tokenizer& tokenizer_;
  Subject subject_;
  const ParsedVerdict* forced_;
  std::vector<TokenId> end_tokens_;

  Step step_ = Step::severity;
  Chooser chooser_;
  std::vector<TokenId> owed_;     // to be fed before the next look at the logits
  std::vector<TokenId> taken_;    // all tokens of the text so far
  std::vector<Category> left_;    // that the list may still have
  std::vector<Category> wanted_;  // forced_'s list
  float list_probability_ = 1;    // that the list goes on as far as this
  Verdict verdict_;
  Status status_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_VERDICT_DECODER_HPP
