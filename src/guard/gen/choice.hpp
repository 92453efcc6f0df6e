// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_CHOICE_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_CHOICE_HPP

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guard/gen/gen_context.hpp"
#include "qwen3guard/status.hpp"

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
  /// [options], sum 1, where the choice fell (behind `fed`): the softmax over the best token of each option
  /// among those that fit no other. So that of the option taken is never below another's.
  std::vector<float> probabilities;
  std::vector<TokenId> fed;     ///< tokens that had to be fed to tell the options apart
  std::vector<TokenId> chosen;  ///< the deciding token, not yet fed
};

/// Greedy choice between texts of which none is a prefix of another. A token fits when its bytes are a prefix
/// of what an option has left, so every tokenisation of every option is possible and the choice is the one
/// that unrestricted greedy decoding would take whenever that stays inside the options. Usually one look at
/// the logits of a handful of tokens decides; tokens that fit several options are fed and the rest decided
/// after them. With `forced`, the best token of that option is taken instead of the best of all. Errors:
/// those of GenContext::feed; bad_tokenizer when no token fits (the vocabulary lacks a byte).
[[nodiscard]] Result<Choice> choose(GenContext& context, std::span<const Option> options,
                                    std::optional<std::size_t> forced = std::nullopt);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_CHOICE_HPP
