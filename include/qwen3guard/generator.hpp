// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_GENERATOR_HPP
#define QWEN3GUARD_GENERATOR_HPP

/// @file
/// Text by a causal checkpoint.

#include <cstdint>
#include <memory>
#include <span>

#include "qwen3guard/cancel.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard {

/// How the next token is drawn. In this order: logits are divided by the temperature; the top_k most probable
/// tokens stay; of these the fewest whose probabilities sum to top_p; one of them is drawn. A plain value.
struct SamplingOptions {
  float temperature = 0.7F;  ///< 0: always the most probable token; finite, at least 0
  std::int32_t top_k = 20;   ///< 0: all
  float top_p = 0.8F;        ///< in (0, 1]; 1: all
  std::uint64_t seed = 0;    ///< the same seed draws the same on every platform, from the same logits
  std::shared_ptr<const CancelFlag> cancel =
      nullptr;  ///< stops a running next() from another thread; may be null
};

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
