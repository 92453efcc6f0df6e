// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_GEN_STREAM_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_GEN_STREAM_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/session/recorded_session.hpp"
#include "model/kv_cache.hpp"
#include "util/rollback.hpp"

namespace qwen3guard::detail {

/// A Gen checkpoint's session: a verdict is written on the text up to every n-th token of the response, as
/// soon as that token is settled, so that verdicts do not depend on how the text is cut; and at the turn's
/// end. The cache keeps the conversation as the instruction prompt has it; a verdict computes the tokens that
/// are new, the prompt's fixed end and the verdict itself, which are then taken back. A host's tokens count
/// as the text that they spell. Not thread-safe.
class GenStream final : public RecordedSession {
 public:
  GenStream(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
            std::int32_t capacity_tokens);

  [[nodiscard]] Result<TokenVerdict> push_conversation(std::span<const Message> messages) override;
  [[nodiscard]] Status restore(std::span<const Message> messages) override;
  [[nodiscard]] Status begin_turn(Role role) override;
  [[nodiscard]] Result<StreamUpdate> push_text(std::string_view bytes) override;
  [[nodiscard]] Result<StreamUpdate> push_tokens(std::span<const TokenId> ids) override;
  [[nodiscard]] Result<TurnVerdict> end_turn(StreamUpdate& update) override;
  [[nodiscard]] Result<StreamUpdate> rewind(const StreamMark& mark) override;
  [[nodiscard]] Result<StreamUpdate> rewind_to_byte(std::int64_t n) override;
  [[nodiscard]] std::unique_ptr<Impl> fork() const override;
  [[nodiscard]] Decision decision() const override;
  [[nodiscard]] std::vector<TokenVerdict> verdicts(std::size_t begin) const override;
  [[nodiscard]] std::size_t n_verdicts() const noexcept override;
  [[nodiscard]] std::int32_t position() const noexcept override;
  [[nodiscard]] std::int32_t max_tokens() const noexcept override {
    return static_cast<std::int32_t>(cache_.capacity_tokens());
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;
  [[nodiscard]] HeadStream* heads() noexcept override { return nullptr; }

 private:
  GenStream(const GenStream&) = default;

  [[nodiscard]] std::size_t capacity() const noexcept { return cache_.capacity_tokens(); }
  /// Runs change(); on error or a throw the conversation and what was found are as before.
  template <class Change>
  [[nodiscard]] auto changed(const Change& change) -> decltype(change()) {
    Rollback undone([&] { log_.rollback(); });
    auto result = change();
    if (result.ok()) {
      undone.keep();
      log_.commit();
      forget_before_window();
    }
    return result;
  }

  // Changes of the conversation. What they do is in the log.
  [[nodiscard]] Status open_turn(Role role);
  /// Whether a turn of `role` can follow the finished ones.
  [[nodiscard]] Status check_next(Role role) const;
  [[nodiscard]] Result<std::size_t> first_to_read(std::span<const Message> messages) const;
  /// Finished turns, those before `first` left out but for a system turn at the beginning.
  [[nodiscard]] Status append_turns(std::span<const Message> messages, std::size_t first);
  /// Finds out before it is read that text which has to fit does not. Errors: context_full.
  [[nodiscard]] Status check_text(std::string_view bytes) const;
  /// ContextPolicy::stop: as much of a response as a verdict that is due can be about, and some more; else
  /// all.
  [[nodiscard]] std::string_view readable(std::string_view bytes) const;
  /// The open turn goes on with `bytes`, of which `read` is looked at if judging stops there.
  [[nodiscard]] Result<StreamUpdate> add_text(std::string_view read, std::string_view bytes);
  [[nodiscard]] StreamUpdate add_unread(std::size_t n_bytes);
  /// The update of a change of which nothing can fail any more, with what the policy's lists find.
  [[nodiscard]] StreamUpdate with_lists(StreamUpdate update, std::string_view pushed);
  [[nodiscard]] Result<TurnVerdict> close(StreamUpdate& update);
  /// Goes back to a finished turn, which is open again (opens) or the last one.
  [[nodiscard]] Status go_back(std::size_t turn, bool opens);
  /// Takes the open turn back to a place in it. is_new: the turn was opened again for this.
  [[nodiscard]] Result<StreamUpdate> take_back(const StreamMark& place, bool is_new);
  /// The record follows the open turn, which was cut behind its token `first`.
  [[nodiscard]] Result<StreamUpdate> follow_cut(std::size_t first, bool is_unread);

  // What was found out about the open turn's tokens. Tokens count from its beginning.
  /// The record's tokens are the turn's again, from `first` on without verdicts.
  void follow(std::size_t first);
  [[nodiscard]] TurnToken new_token(std::size_t index) const;
  [[nodiscard]] std::size_t n_open_tokens() const noexcept;
  [[nodiscard]] std::size_t n_settled_tokens() const noexcept;
  /// How many tokens the record has in common with the turn, at most n.
  [[nodiscard]] std::size_t n_same_tokens(std::size_t n) const noexcept;
  /// Writes the verdicts that are due, and carries them on to the tokens behind. `first`: the first token
  /// that has neither; lowered to the first one that changed.
  [[nodiscard]] Status judge(std::size_t& first);
  [[nodiscard]] Status judge_at(std::size_t index, bool is_over);
  /// ContextPolicy::stop: whether more tokens behind `last` are not settled than any verdict has room for.
  [[nodiscard]] bool is_endless(const TurnToken& last) const noexcept;
  void stop(const PolicyState& state);
  /// Where the text ends that verdicts are about.
  [[nodiscard]] std::int64_t judged_end(const PolicyState& state, bool is_over) const;
  /// Carries what is known behind token begin - 1 on to [begin, end).
  void carry(std::size_t begin, std::size_t end);
  [[nodiscard]] StreamUpdate update_from(std::size_t first) const;
  /// What the decision is behind `state`. is_over: the open turn is, and its text is finished.
  [[nodiscard]] Decision decide(const PolicyState& state, bool is_over) const;
  /// ContextPolicy::slide: lets go of what no verdict of the open turn reads again.
  void forget_before_window() noexcept;
  [[nodiscard]] std::size_t n_behind_window() const noexcept;

  // Writing verdicts.
  /// The finished turns but for the first n_skipped, and `text` as the open one's.
  [[nodiscard]] std::vector<Message> conversation(std::size_t n_skipped, std::string_view text) const;
  /// Indices of the turns that conversation() has and the template leaves out.
  [[nodiscard]] std::vector<std::int32_t> dropped_turns(std::size_t n_skipped) const;
  /// Index of the last user's turn; 0 when there is none.
  [[nodiscard]] std::size_t last_prompt() const noexcept;
  /// Tokens between two verdicts. ContextPolicy::slide: fewer than asked for where the context is small.
  [[nodiscard]] Result<std::size_t> interval();
  /// Where the text that is kept of the open turn begins.
  [[nodiscard]] std::size_t kept_begin() const noexcept;
  /// The open turn's text, as far as it is kept, up to byte n.
  [[nodiscard]] std::string_view text_up_to(std::size_t n) const noexcept;
  /// Bytes of the open turn without a last character that is not complete and was left out.
  [[nodiscard]] std::size_t n_whole_bytes() const noexcept;
  /// What the open turn's verdict is about: its first n_bytes bytes, without thinking that is skipped, what
  /// the context has slid past, and a character that is not complete, unless the turn is over and says
  /// U+FFFD.
  [[nodiscard]] std::string_view judged_text(std::size_t n_bytes, bool is_over) const;
  /// A verdict on that, up to the open turn's token `index`. Errors: those of classify(); context_full.
  [[nodiscard]] Result<Verdict> write_verdict(std::size_t index, bool is_over);
  [[nodiscard]] Result<Verdict> write_within_context(std::string_view text);
  /// The verdict on a user's turn.
  [[nodiscard]] Result<TokenVerdict> judge_prompt();

  /// The open turn's record, whose values are about to change.
  TurnRecord& changing();
  [[nodiscard]] std::shared_ptr<TurnRecord> new_record() const;

  KvCache cache_;
  std::vector<TokenId> fed_;  // what is in the cache
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_GEN_STREAM_HPP
