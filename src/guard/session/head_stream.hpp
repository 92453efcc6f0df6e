// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_HEAD_STREAM_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_HEAD_STREAM_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/loaded/shared_beginning.hpp"
#include "guard/session/final_form.hpp"
#include "guard/session/recorded_session.hpp"
#include "model/kv_cache.hpp"
#include "model/labels.hpp"
#include "util/rollback.hpp"

namespace qwen3guard::detail {

/// A Stream checkpoint's session: the conversation's tape, as much of it as the model has read in the cache,
/// and the verdicts. A change is planned (the tape is changed, and a feed says what is to be judged), run,
/// alone or with those of other sessions (run_feeds), and then committed or taken back. Not thread-safe.
class HeadStream final : public RecordedSession {
 public:
  /// What is to be read and judged after a change of the tape. Indices are those of the tape.
  struct Feed {
    HeadStream* session = nullptr;
    HeadRole role = HeadRole::response;
    std::size_t judge_next = 0, judge_end = 0;  // what is left to judge
    std::size_t read_end = 0;                   // read so far at least, judged or not
    std::size_t keep = 0;                       // the cache holds what is good up to here
    std::size_t first = 0;                      // the first of the turn's tokens that changed
    std::vector<TokenVerdict> verdicts;         // as they come, of the turn as it is written
    std::size_t n_committed = 0;                // of them
    std::size_t n_lead = 0;                     // of them, those of the markup in front
    bool has_slid = false;
    /// What the turn's end is to do: first the rest of its text is judged as it was written, then the turn in
    /// its final form.
    enum class End : std::uint8_t { none, due, running };
    End end = End::none;
    FinalForm form;      // End::running
    std::string pushed;  // for the policy's lists: what the open turn's text ends in now
    Status status;
  };

  HeadStream(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
             std::int32_t capacity_tokens);

  /// Reads and judges for several sessions of `guard` in common forwards. When one fails, all have the error.
  /// Throws nothing. Commit or abandon each afterwards.
  static void run_feeds(const Guard::Impl& guard, std::span<Feed> feeds) noexcept;
  /// Bounds of one forward.
  struct RoundLimits {
    /// Rows: enough for the matrix products to be efficient, few enough for the buffers to stay small and for
    /// nobody to wait long behind a large push.
    std::size_t max_tokens = 256;
    /// Of one session: sessions with little to judge are not held up by one with much.
    std::size_t max_session_tokens = 64;
  };
  /// One forward for as many of the feeds as have something left and fit, the first ones first. Returns its
  /// rows; 0 when nothing is left. Errors: as judge_together(); the feeds are to be abandoned then. What
  /// fails for one feed alone is in its status.
  [[nodiscard]] static Result<std::size_t> run_round(const Guard::Impl& guard, std::span<Feed* const> feeds,
                                                     const RoundLimits& limits);
  [[nodiscard]] static bool is_done(const Feed& feed) noexcept {
    return !feed.status.ok() || (is_read(feed) && feed.end != Feed::End::due);
  }
  [[nodiscard]] static std::size_t n_left(const Feed& feed) noexcept {
    return is_read(feed) ? 0 : feed.read_end - feed.session->cache_.n_tokens();
  }

  /// Changes of an open turn, planned. Errors: as StreamSession's; nothing has changed then.
  [[nodiscard]] Result<Feed> plan_text(std::string_view bytes);
  [[nodiscard]] Result<Feed> plan_tokens(std::span<const TokenId> ids);
  [[nodiscard]] Result<Feed> plan_end();
  /// On a new session: the whole conversation, whose last message is judged as classify() does.
  [[nodiscard]] Result<Feed> plan_conversation(std::span<const Message> messages);
  /// Behind plan_conversation(): what `beginning` holds of the tape, in front of what is to be judged, is not
  /// read again. shared: set to what that is. Throws std::bad_alloc.
  void share_beginning(SharedBeginning& beginning, const Feed& feed, PrefixCache::Shared& shared) {
    beginning.share(ids(), std::min(feed.judge_next, feed.judge_end), cache_, shared);
  }
  /// Makes what was run the session's state. Throws std::bad_alloc; the change is taken back then.
  [[nodiscard]] StreamUpdate commit(Feed& feed);
  /// The same for what plan_end() or plan_conversation() planned; `update`: the tokens that had waited.
  /// judged: may be null; else set to the verdicts that the decision came of, of a prompt the one of its end.
  [[nodiscard]] TurnVerdict commit_end(Feed& feed, StreamUpdate& update, FinalForm::Judged* judged = nullptr);
  /// Takes a planned change back.
  void abandon(Feed& feed) noexcept;

  /// The conversation as the model sees it.
  [[nodiscard]] std::span<const TokenId> ids() const noexcept { return conversation_.ids(); }
  /// Pages that reading `n` more tokens may take, at most.
  [[nodiscard]] std::size_t page_bytes() const noexcept { return cache_.layout().page_bytes(); }

  // StreamSession's functions.
  [[nodiscard]] Result<TokenVerdict> push_conversation(std::span<const Message> messages) override;
  [[nodiscard]] Status restore(std::span<const Message> messages) override;
  [[nodiscard]] Status begin_turn(Role role) override;
  [[nodiscard]] Result<StreamUpdate> push_text(std::string_view bytes) override;
  [[nodiscard]] Result<StreamUpdate> push_tokens(std::span<const TokenId> ids) override;
  [[nodiscard]] Result<TurnVerdict> end_turn(StreamUpdate& update) override;
  [[nodiscard]] Result<StreamUpdate> rewind(const StreamMark& mark) override;
  [[nodiscard]] Result<StreamUpdate> rewind_to_byte(std::int64_t n) override;
  [[nodiscard]] std::unique_ptr<Impl> fork() const override;
  /// A window may fill beside the one that is read (ContextPolicy::slide).
  [[nodiscard]] bool slides() const noexcept { return options_.context == ContextPolicy::slide; }
  [[nodiscard]] Decision decision() const override;
  [[nodiscard]] std::vector<TokenVerdict> verdicts(std::size_t begin) const override;
  [[nodiscard]] std::size_t first_verdict() const noexcept override;
  [[nodiscard]] std::size_t n_verdicts() const noexcept override;
  [[nodiscard]] std::int32_t position() const noexcept override;
  [[nodiscard]] std::int32_t max_tokens() const noexcept override {
    return static_cast<std::int32_t>(cache_.capacity_tokens());
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;
  void reset() noexcept override;
  [[nodiscard]] HeadStream* heads() noexcept override { return this; }

 private:
  /// ContextPolicy::slide: a response has at least twice so many tokens, or its verdicts would be worth
  /// little.
  static constexpr std::size_t kMinWindowTokens = 64;

  HeadStream(const HeadStream&) = default;

  [[nodiscard]] static bool is_read(const Feed& feed) noexcept {
    return feed.session->cache_.n_tokens() >= feed.read_end;
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return cache_.capacity_tokens(); }
  /// Of a turn of `role`, all that came before included.
  [[nodiscard]] std::size_t capacity_for(Role role) const noexcept {
    return capacity() - (role == Role::assistant ? std::min(capacity(), FinalForm::kClosingTokens) : 0);
  }
  /// The verdict on a user's turn that is over, and the decision, noted in its record.
  [[nodiscard]] TokenVerdict end_prompt(const Feed& feed, const ClosedTurn& turn, TurnRecord& record);
  [[nodiscard]] Status check_usable() const;
  [[nodiscard]] Status check_ids(std::span<const TokenId> ids) const;
  static constexpr std::size_t kTooManyTokens = std::size_t{1} << 48;  ///< more than were counted
  [[nodiscard]] Status check_room(std::size_t n_tokens, Role role) const;
  /// Finds out before it is read that text which has to fit does not. Errors: context_full.
  [[nodiscard]] Status check_text(std::string_view bytes) const;
  /// ContextPolicy::stop: as much of a response as there is room for, and some more; else all.
  [[nodiscard]] std::string_view readable(std::string_view bytes) const;

  /// Runs change(), which plans something; on error or a throw the conversation is as before.
  template <class Change>
  [[nodiscard]] auto planned(const Change& change) -> decltype(change()) {
    if (Status status = check_usable(); !status.ok()) return std::move(status).error();
    Rollback undone([&] { log_.rollback(); });
    auto result = change();
    if (result.ok()) undone.keep();
    return result;
  }
  [[nodiscard]] Result<StreamUpdate> run(Result<Feed> planned);
  /// The feed for an open turn whose tape has changed from `keep` on.
  [[nodiscard]] Result<Feed> plan_change(std::size_t keep);
  [[nodiscard]] Status fit_context();
  [[nodiscard]] Feed plan_unread(std::string_view bytes);
  /// Takes the open turn back to a place in it.
  [[nodiscard]] Result<Feed> plan_rewind(const StreamMark& place);
  /// Opens a turn, or puts finished ones into the conversation, after making room for them.
  [[nodiscard]] Result<std::size_t> open_turn(Role role);
  [[nodiscard]] Result<std::size_t> append_turns(std::span<const Message> messages);
  std::size_t make_room();
  /// Goes back to a finished turn, which is open again (opens) or the last one.
  [[nodiscard]] Result<std::size_t> go_back(std::size_t turn, bool opens);
  /// Lets the turn end when its text is judged, and plans what its final form takes.
  [[nodiscard]] Status close(Feed& feed);

  /// How many tokens of the tape can be read next, after sliding or opening the next window when it is time.
  [[nodiscard]] std::size_t begin_round(Feed& feed);
  void append_verdicts(Feed& feed);
  [[nodiscard]] TurnToken judged_token(const TokenVerdict& verdict, std::size_t index) const;
  /// Tokens of the markup in front of the open turn's text that are judged along.
  [[nodiscard]] std::size_t n_lead_tokens() const noexcept;
  /// The tokens of the open turn that the next text can no longer change.
  [[nodiscard]] std::size_t n_settled_tokens() const noexcept;
  [[nodiscard]] StreamUpdate take_update(Feed& feed);
  /// The line breaks in front of a response that the template strips, as an entry of the turn's verdicts.
  [[nodiscard]] std::optional<TokenVerdict> stripped() const;
  /// 1 where there is one, also when the context has slid over it: the verdicts keep their numbers.
  [[nodiscard]] std::size_t n_front() const noexcept;
  /// The update that says that the last turn is as it was.
  [[nodiscard]] StreamUpdate unchanged() const;
  /// What of an assistant's turn was not judged, as it was written.
  [[nodiscard]] UnjudgedText unjudged(const TurnRecord& record, std::int64_t n_bytes) const;
  /// The cache holds nothing of the tape from n on.
  void forget_cache(std::size_t n) noexcept;

  /// Of the open or else the last turn.
  [[nodiscard]] std::size_t n_stripped_bytes() const noexcept;

  KvCache cache_;
  /// ContextPolicy::slide: while the window fills, the cache that takes over when it is full. It holds what
  /// stays of the conversation, then the tokens from slide_from_ on.
  std::optional<KvCache> next_cache_;
  std::size_t slide_head_ = 0, slide_from_ = 0;
  bool is_lost_ = false;  // the context slid in a call that failed
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_HEAD_STREAM_HPP
