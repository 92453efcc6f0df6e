// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_CHOICE_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_CHOICE_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/model.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// One way a verdict text can go on: the bytes `text`, or (text empty) one of the tokens that end the text.
struct Option {
  std::string text;
  std::span<const TokenId> end_tokens;
  int rank = 0;  ///< of two options that are equally probable, the one with the higher rank is taken
};

/// Which option the model takes, and what it thought of the others.
struct Choice {
  std::size_t index = 0;
  /// [options], sum 1, where the choice fell: the softmax over the best token of each option among those that
  /// fit no other. So that of the option taken is never below another's.
  std::vector<float> probabilities;
  /// The tokens that were taken: of several, all but the last only told some of the options apart.
  std::vector<TokenId> tokens;
};

/// A greedy choice between texts of which none is a prefix of another, one look at the logits at a time. A
/// token fits when its bytes are a prefix of what an option has left, so every tokenisation of every option
/// is possible and the choice is the one that unrestricted greedy decoding would take whenever that stays
/// inside the options. Usually one look at the logits of a handful of tokens decides; a token that fits
/// several options has to be fed, and the rest is decided behind it.
class Chooser {
 public:
  Chooser() = default;
  /// options: 1 to 32. With `forced`, the best token of that option is taken instead of the best of all.
  explicit Chooser(std::vector<Option> options, std::optional<std::size_t> forced = std::nullopt)
      : options_(std::move(options)), forced_(forced), active_(all_of(options_.size())) {}

  /// Takes the best token. hidden: [hidden_size], the final-norm state of the last token that was fed. True:
  /// the choice has fallen. False: it falls behind choice().tokens.back(), which is to be fed before the next
  /// look. Errors: bad_tokenizer when no token fits (the vocabulary lacks a byte); bad_checkpoint (a logit is
  /// not finite); internal (the number of options).
  [[nodiscard]] Result<bool> look(const Model& model, const Tokenizer& tokenizer,
                                  std::span<const float> hidden);

  [[nodiscard]] const Choice& choice() const noexcept { return choice_; }
  /// The option that was taken. Once look() has returned true.
  [[nodiscard]] const Option& chosen() const noexcept { return options_[choice_.index]; }

 private:
  [[nodiscard]] static std::uint32_t all_of(std::size_t n_options) noexcept {
    return n_options < 32 ? (std::uint32_t{1} << n_options) - 1 : ~std::uint32_t{0};
  }

  std::vector<Option> options_;
  std::optional<std::size_t> forced_;
  std::uint32_t active_ = 0;  // options that the tokens taken so far fit
  std::size_t n_bytes_ = 0;   // of those options, spelled by these tokens
  Choice choice_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_CHOICE_HPP
