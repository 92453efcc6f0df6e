// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_GEN_STREAM_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_GEN_STREAM_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/conversation/thinking.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "guard/policy/stream_policy.hpp"
#include "guard/session/stream_session_impl.hpp"
#include "qwen3guard/detail/model/kv_cache.hpp"
#include "tokenizer/incremental_encoder.hpp"

namespace qwen3guard::detail {

/// A Gen checkpoint's session: a verdict is written on the text up to every n-th token of the response, as
/// soon as that token is settled, so that verdicts do not depend on how the text is cut; and at the turn's
/// end. The cache keeps the conversation as the instruction prompt has it; a verdict computes the tokens that
/// are new, the prompt's fixed end and the verdict itself, which are then taken back. Not thread-safe.
class GenStream final : public StreamSession::Impl {
 public:
  GenStream(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
            std::int32_t capacity_tokens);

  [[nodiscard]] Result<TokenVerdict> push_conversation(std::span<const Message> messages) override;
  [[nodiscard]] Status restore(std::span<const Message> messages) override;
  [[nodiscard]] Status begin_turn(Role role) override;
  [[nodiscard]] Result<StreamUpdate> push_text(std::string_view bytes) override;
  [[nodiscard]] Result<StreamUpdate> push_tokens(std::span<const TokenId> ids) override;
  [[nodiscard]] Result<TurnVerdict> end_turn(StreamUpdate& update) override;
  [[nodiscard]] StreamMark mark() const noexcept override;
  [[nodiscard]] Result<StreamUpdate> rewind(const StreamMark& mark) override;
  [[nodiscard]] Result<StreamUpdate> rewind_to_byte(std::int64_t n) override;
  [[nodiscard]] std::unique_ptr<Impl> fork() const override;
  [[nodiscard]] Decision decision() const override;
  [[nodiscard]] std::vector<TokenVerdict> verdicts(std::size_t begin) const override;
  [[nodiscard]] std::size_t first_verdict() const noexcept override;
  [[nodiscard]] std::size_t n_verdicts() const noexcept override;
  [[nodiscard]] std::int32_t position() const noexcept override;
  [[nodiscard]] std::int64_t turn_bytes() const noexcept override;
  [[nodiscard]] std::int32_t max_tokens() const noexcept override {
    return static_cast<std::int32_t>(cache_.capacity_tokens());
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;
  void set_cancel(std::shared_ptr<const CancelFlag> cancel) noexcept override {
    options_.cancel = std::move(cancel);
  }
  void reset() noexcept override;
  [[nodiscard]] LastTurn last_turn() const noexcept override;
  [[nodiscard]] HeadStream* heads() noexcept override { return nullptr; }

 private:
  struct Token {
    TokenVerdict verdict;
    PolicyState state;                            // behind it
    ThinkState thinking = ThinkState::may_begin;  // behind it
  };
  /// A turn; its text is kept whole, as later verdicts read it again. A host's tokens count as the text that
  /// they spell.
  struct Turn {
    Role role = Role::user;
    std::uint64_t serial = 0;
    bool is_open = true;
    bool has_ids = false;                    // written as tokens
    std::optional<IncrementalEncoder> text;  // unless has_ids
    std::string spelled;                     // has_ids
    TokenId model_end = -1;                  // has_ids: the host's model has ended the turn with this token
    std::vector<Token> tokens;               // none of a turn that was restored
    std::size_t n_judged = 0;                // multiples of the interval, in tokens, that have a verdict
    PolicyState end_state;
    std::optional<Verdict> written;        // the last verdict on it, or on what stood there before a rewind
    std::size_t written_bytes = 0;         // that it was about
    std::int64_t thinking_begin_byte = 0;  // Thinking::skip: of a <think> that begins thinking
    std::size_t answer_begin_byte = 0;     // Thinking::skip: behind the thinking
    std::size_t interval_tokens = 0;       // ContextPolicy::slide; 0: not known yet
    // ContextPolicy::slide: turns that are not read for its verdicts, and bytes of its text's beginning.
    std::size_t skip_turns = 0, skip_bytes = 0;
    bool is_stopped = false;
    std::int64_t judged_end_byte = 0;

    [[nodiscard]] std::string_view bytes() const noexcept {
      return has_ids ? std::string_view(spelled) : text ? text->text() : std::string_view();
    }
    /// The same without a last character that is not complete and was left out.
    [[nodiscard]] std::string_view whole() const noexcept {
      return text && text->is_finished() ? bytes().substr(0, bytes().size() - text->n_incomplete_bytes())
                                         : bytes();
    }
    /// Where the text that a verdict is about begins.
    [[nodiscard]] std::size_t window_begin() const noexcept {
      return std::max(skip_bytes, answer_begin_byte);
    }
    [[nodiscard]] std::size_t n_tokens() const noexcept {
      return has_ids ? tokens.size() : text ? text->n_tokens() : 0;
    }
    [[nodiscard]] std::size_t n_settled() const noexcept {
      return has_ids ? tokens.size() : text ? std::min(text->n_settled(), tokens.size()) : 0;
    }
    [[nodiscard]] ThinkState thinking() const noexcept {
      return tokens.empty() ? ThinkState::may_begin : tokens.back().thinking;
    }
  };

  GenStream(const GenStream&) = default;

  [[nodiscard]] Result<Turn*> need_open(bool has_ids);
  [[nodiscard]] Result<std::size_t> first_to_read(std::span<const Message> messages) const;
  /// Finished turns, those before `first` left out but for a system turn at the beginning.
  [[nodiscard]] Status append_turns(std::span<const Message> messages, std::size_t first);
  /// Finds out before it is read that text which has to fit does not. Errors: context_full.
  [[nodiscard]] Status check_text(const Turn& turn, std::string_view bytes, const Tokenizer& tokenizer) const;
  /// The turns before the last one but for the first n_skipped, and `text` as the last one's.
  [[nodiscard]] std::vector<Message> conversation(std::size_t n_skipped, std::string_view text) const;
  /// Indices of the turns that conversation() has and the template leaves out.
  [[nodiscard]] std::vector<std::int32_t> dropped_turns(std::size_t n_skipped) const;
  /// Index of the last user's turn; 0 when there is none.
  [[nodiscard]] std::size_t last_prompt() const noexcept;
  /// Tokens between two verdicts. ContextPolicy::slide: fewer than asked for where the context is small.
  [[nodiscard]] Result<std::size_t> interval();
  /// What the open turn's verdict is about: its first n_bytes bytes, without thinking that is skipped, what
  /// the context has slid past, and a character that is not complete, unless the turn is over and says
  /// U+FFFD.
  [[nodiscard]] std::string_view judged_text(std::size_t n_bytes, bool is_over) const;
  /// A verdict on that, up to the open turn's token `index`. Errors: those of classify(); context_full.
  [[nodiscard]] Result<Verdict> write_verdict(std::size_t index, bool is_over);
  [[nodiscard]] Result<Verdict> write_within_context(std::string_view text);
  /// Writes the verdicts that are due. `first`: lowered to the first token that changed.
  [[nodiscard]] Status judge_due(std::size_t& first);
  [[nodiscard]] Status judge_at(std::size_t index, bool is_over, std::size_t& first);
  /// The open turn's tokens follow its text from token `first` on; returns the first that is new.
  std::size_t follow_text(Turn& turn, std::size_t first);
  void carry_from(Turn& turn, std::size_t first);
  [[nodiscard]] StreamUpdate update_from(std::size_t first) const;
  /// change(), which may open and close turns; on error or a throw they are as before.
  [[nodiscard]] Result<StreamUpdate> cut(std::size_t n_tokens, std::size_t n_bytes, bool keeps_end);
  template <class T, class Change>
  [[nodiscard]] T or_as_before(const Change& change);
  template <class Change>
  [[nodiscard]] Result<StreamUpdate> change_turn(const Change& change);

  std::shared_ptr<const Guard::Impl> guard_;
  StreamOptions options_;
  ThinkTokens think_;
  std::vector<Turn> turns_;
  std::uint64_t next_serial_ = 1;
  KvCache cache_;
  std::vector<TokenId> fed_;  // what is in the cache
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_GEN_STREAM_HPP
