// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_TURN_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_TURN_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "guard/conversation/chat_markup.hpp"
#include "guard/conversation/undo_log.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "tokenizer/incremental_encoder.hpp"

namespace qwen3guard::detail {

/// A turn that is over. Immutable; conversations that forked share it.
struct ClosedTurn {
  Role role = Role::user;
  std::uint64_t serial = 0;            ///< no other turn of the conversation has it
  bool is_ids = false;                 ///< written as tokens
  bool is_partial = false;             ///< the context has slid over its beginning
  std::string text;                    ///< as the host gave it; what the ids spell
  std::vector<TokenId> ids;            ///< is_ids: the host's
  std::size_t n_shown = 0;             ///< is_ids: so many of them were shown to the model
  TokenId model_end = -1;              ///< is_ids: the host's model ended the turn with this token
  std::size_t n_incomplete_bytes = 0;  ///< at the end of `text`, of a character that was left out
  std::int64_t n_bytes = 0;            ///< of the host's text, what is gone of it included
  std::int64_t n_ids = 0;              ///< is_ids: the same
  std::size_t n_stripped_bytes = 0;    ///< line breaks in front of a response that the template strips

  /// What is read of it.
  [[nodiscard]] std::string_view whole_text() const noexcept {
    return std::string_view(text).substr(0, text.size() - n_incomplete_bytes);
  }
};

/// What a rewind to a byte that is gone comes to.
[[nodiscard]] Error slid_past(std::int64_t byte);

/// The turn that is being written, as text or as tokens. With markup, the encoded text has the beginning of
/// the turn in front, as the published string has; line breaks in front of a response, which the template
/// strips, are counted and left out. Changes note the way back in the log that they are given. A plain value.
class OpenTurn {
 public:
  enum class Input : std::uint8_t { none, text, tokens };

  /// markup: null for a Gen checkpoint, whose prompt has all turns as one text. Throws std::bad_alloc.
  OpenTurn(const Tokenizer& tokenizer, std::shared_ptr<const ChatMarkup> markup, Role role,
           std::uint64_t serial, InvalidUtf8 invalid_utf8);

  /// Both leave the turn as it is on error: invalid_argument (it is written the other way; the model ended
  /// it); invalid_utf8. Throw std::bad_alloc, with the same guarantee. @{
  [[nodiscard]] Status append_text(std::string_view bytes, UndoLog& log);
  /// Of the ids, the first n_fit are shown to the model.
  [[nodiscard]] Status append_ids(std::span<const TokenId> ids, std::size_t n_fit, UndoLog& log);  /// @}
  /// No more text comes.
  [[nodiscard]] Status finish(UndoLog& log);
  /// Keeps the first n bytes of the text. Precondition: 0 <= n <= n_bytes(). Errors: invalid_argument (what
  /// stays begins behind n).
  [[nodiscard]] Status truncate_text(std::size_t n, UndoLog& log);
  /// Keeps the first n of the ids that are still there, and (keeps_end) the end that the model set.
  void truncate_ids(std::size_t n, bool keeps_end, UndoLog& log);
  /// The model has ended the turn.
  void set_model_end(TokenId id, UndoLog& log);

  /// Forgets the first n tokens of tokens(), for good.
  void drop_front(std::size_t n);

  [[nodiscard]] Role role() const noexcept { return role_; }
  [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }
  [[nodiscard]] Input input() const noexcept { return input_; }
  [[nodiscard]] TokenId model_end() const noexcept { return model_end_; }
  /// Whether the turn is one of an assistant and opens with an empty think block: unless it begins with
  /// <think> itself.
  [[nodiscard]] bool has_think_block() const noexcept { return has_think_block_; }
  /// The encoded text, prefix included.
  [[nodiscard]] const IncrementalEncoder& text() const noexcept { return text_; }
  /// Bytes of the prefix in text().
  [[nodiscard]] std::size_t prefix_bytes() const noexcept { return prefix_bytes_; }
  /// Line breaks at the beginning of the host's text that are not in text().
  [[nodiscard]] std::size_t n_stripped_bytes() const noexcept { return n_stripped_; }
  /// The host's text as far as it is kept, without stripped line breaks; what the ids spell.
  [[nodiscard]] std::string_view host_text() const noexcept;
  /// The host's ids that are still there, those that the model is shown, and where each of all ends. @{
  [[nodiscard]] std::span<const TokenId> given() const noexcept { return given_; }
  [[nodiscard]] std::span<const TokenId> shown() const noexcept { return given().first(n_shown_); }
  [[nodiscard]] std::span<const std::int64_t> given_ends() const noexcept { return given_ends_; }  /// @}
  /// Bytes of the host's text: given so far, stripped and dropped ones included.
  [[nodiscard]] std::int64_t n_bytes() const noexcept;
  /// Where bytes of text() come from in the host's text.
  [[nodiscard]] ByteRange host_range(ByteRange range) const noexcept;
  /// Bytes at the end that no token covers.
  [[nodiscard]] std::size_t n_incomplete_bytes() const noexcept {
    return input_ == Input::tokens ? 0 : text_.n_incomplete_bytes();
  }
  /// Where the last of the ids that are gone ends.
  [[nodiscard]] std::int64_t dropped_end() const noexcept { return dropped_end_; }
  /// Tokens of the run (prefix and text, or prefix and given ids) that are gone.
  [[nodiscard]] std::size_t n_dropped() const noexcept { return n_dropped_; }
  /// Tokens at the run's beginning, those dropped included, that belong to the prefix alone.
  [[nodiscard]] std::size_t n_prefix_tokens() const noexcept { return n_prefix_tokens_; }
  /// True when append_text(bytes) would give the run more than n_tokens tokens; see IncrementalEncoder.
  [[nodiscard]] bool exceeds(std::string_view bytes, std::size_t n_tokens) const;

  /// The turn as one that is over. Throws std::bad_alloc.
  [[nodiscard]] ClosedTurn closed() const;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  struct TextState;
  [[nodiscard]] Status check_input(Input input) const;
  /// A text of the prefix alone.
  [[nodiscard]] IncrementalEncoder new_text(const std::string& prefix, std::size_t n_stripped) const;
  /// Starts the text again, with `host` in it.
  [[nodiscard]] Status restart(bool has_think_block, std::size_t n_stripped, std::string_view host,
                               UndoLog& log);
  [[nodiscard]] const std::string& prefix(bool has_think_block) const noexcept;
  void count_prefix_tokens() noexcept;

  Tokenizer tokenizer_;
  std::shared_ptr<const ChatMarkup> markup_;
  Role role_;
  std::uint64_t serial_;
  InvalidUtf8 invalid_utf8_;
  Input input_ = Input::none;
  bool has_think_block_ = false;
  std::size_t prefix_bytes_ = 0, n_stripped_ = 0, n_prefix_tokens_ = 0, n_dropped_ = 0;
  IncrementalEncoder text_;
  std::vector<TokenId> given_;
  std::vector<std::int64_t> given_ends_;
  std::size_t n_shown_ = 0;
  std::int64_t dropped_end_ = 0;  // where the last of the ids that are gone ends
  std::string spelled_;           // by the ids; empty when their beginning is gone
  TokenId model_end_ = -1;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_TURN_HPP
