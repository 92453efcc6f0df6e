// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_GENERATOR_HPP
#define QWEN3GUARD_GENERATOR_HPP

/// @file
/// Text by a causal checkpoint.

#include <cstdint>
#include <memory>
#include <span>

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard {

/// A causal checkpoint (Qwen3ForCausalLM) writing text: the host model of a chat, on the same transformer as
/// the guard. Made by Guard::open_generator(). Move-only. Thread-safety: one thread at a time per generator.
class Generator {
 public:
  /// What was moved from may only be assigned to or destroyed. @{
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;  /// @}
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;
  ~Generator();

  /// Sets what was said so far, the last message the user's, in the Qwen3 chat markup with thinking off, and
  /// opens the answer. What agrees with what was read before is not read again. Errors: invalid_argument (the
  /// last message is not the user's); invalid_utf8; bad_tokenizer; context_full. On error nothing has
  /// changed.
  [[nodiscard]] Status set_conversation(std::span<const Message> messages);
  /// The same as token ids, at least one. Errors: token_out_of_range (index); context_full.
  [[nodiscard]] Status set_tokens(std::span<const TokenId> ids);

  /// Draws the next token and takes it as said. The model reads what is new in one forward. Errors:
  /// invalid_argument (nothing was said yet); context_full; bad_checkpoint (a logit is not finite);
  /// out_of_memory. On error nothing has changed.
  [[nodiscard]] Result<TokenId> next();

  /// True for the tokens that end an answer.
  [[nodiscard]] bool is_end(TokenId id) const noexcept;

  /// Tokens so far.
  [[nodiscard]] std::int32_t position() const noexcept;
  /// Takes back all tokens from `position` on, but not the random numbers: another try is another answer.
  /// Errors: invalid_argument (position out of range).
  [[nodiscard]] Status rewind(std::int32_t position);

  class Impl;  ///< internal

 private:
  friend class Guard;
  explicit Generator(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_GENERATOR_HPP
