// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_THINKING_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_THINKING_HPP

#include <cstdint>
#include <span>
#include <string_view>

#include "qwen3guard/tokenizer.hpp"

/// The one rule for what a response's thinking is: line breaks at most, then <think>, then everything up to
/// the first </think>. A <think> anywhere else opens nothing, and a block that is not closed is not thinking
/// that an answer follows. Both borders are the tokenizer's added tokens; without them nothing is thinking.
namespace qwen3guard::detail {

/// How far a response is with its thinking, behind one of its tokens.
enum class ThinkState : std::uint8_t {
  may_begin,  ///< nothing but line breaks so far
  inside,
  ended,  ///< nothing but line breaks since; they are the template's
  over,   ///< the answer has begun, or can no longer be anything else
};

class ThinkTokens {
 public:
  /// tokenizer: may be null; then nothing is thinking.
  explicit ThinkTokens(const Tokenizer* tokenizer);

  /// Takes the response's next token, whose bytes are `bytes`.
  [[nodiscard]] ThinkState next(ThinkState state, TokenId id, std::string_view bytes) const noexcept;

 private:
  TokenId begin_ = -1, end_ = -1;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_THINKING_HPP
