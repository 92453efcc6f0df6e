// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_GUARD_GEN_STREAM_HPP
#define QWEN3GUARD_DETAIL_GUARD_GEN_STREAM_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/detail/guard/guard_impl.hpp"
#include "qwen3guard/detail/guard/stream_policy.hpp"
#include "qwen3guard/detail/guard/stream_session_impl.hpp"
#include "qwen3guard/detail/model/kv_cache.hpp"
#include "qwen3guard/detail/tokenizer/incremental_encoder.hpp"

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
  [[nodiscard]] Status push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out) override;
  [[nodiscard]] Result<TurnVerdict> end_turn() override;
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
  [[nodiscard]] std::int32_t max_tokens() const noexcept override { return cache_.capacity_tokens(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;
  void set_cancel(std::shared_ptr<const CancelFlag> cancel) noexcept override {
    options_.cancel = std::move(cancel);
  }
  void reset() noexcept override;
  [[nodiscard]] HeadStream* heads() noexcept override { return nullptr; }

 private:
  struct Token {
    TokenVerdict verdict;
    PolicyState state;  // behind it
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
    std::vector<Token> tokens;
    std::size_t n_judged = 0;  // multiples of the interval, in tokens, that have a verdict
    PolicyState end_state;
    std::optional<Verdict> written;  // the last verdict on it, or on what stood there before a rewind
    std::size_t written_bytes = 0;   // that it was about
    std::size_t skip_bytes = 0;      // ContextPolicy::slide: of the text's beginning, no longer read
    bool is_stopped = false;
    std::int64_t judged_end_byte = 0;

    [[nodiscard]] std::string_view bytes() const noexcept {
      return has_ids ? std::string_view(spelled) : text ? text->text() : std::string_view();
    }
  };

  GenStream(const GenStream&) = default;

  [[nodiscard]] Result<Turn*> need_open(bool has_ids);
  /// The turns before the last one, and `text` as the last one's.
  [[nodiscard]] std::vector<Message> conversation(std::string_view text) const;
  /// A verdict on the open turn's first n_bytes bytes. Errors: those of classify(); context_full.
  [[nodiscard]] Result<Verdict> write_verdict(std::size_t n_bytes);
  [[nodiscard]] Result<Verdict> write_within_context(std::size_t n_bytes);
  /// Writes the verdicts that are due. `first`: lowered to the first token that changed.
  [[nodiscard]] Status judge_due(std::size_t& first);
  [[nodiscard]] Status judge_at(std::size_t index, std::size_t& first);
  /// The open turn's tokens follow its text from token `first` on.
  void follow_text(Turn& turn, std::size_t first);
  void carry_from(Turn& turn, std::size_t first);
  [[nodiscard]] StreamUpdate update_from(std::size_t first) const;
  /// change(), which may open and close turns; on error or a throw they are as before.
  template <class T, class Change>
  [[nodiscard]] T or_as_before(const Change& change);
  template <class Change>
  [[nodiscard]] Result<StreamUpdate> change_turn(const Change& change);

  std::shared_ptr<const Guard::Impl> guard_;
  StreamOptions options_;
  std::vector<Turn> turns_;
  std::uint64_t next_serial_ = 1;
  std::size_t skip_turns_ = 0;  // ContextPolicy::slide: turns that are no longer read
  KvCache cache_;
  std::vector<TokenId> fed_;  // what is in the cache
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_GUARD_GEN_STREAM_HPP
