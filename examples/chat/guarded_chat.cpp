// SPDX-License-Identifier: Apache-2.0
#include "guarded_chat.hpp"

#include <algorithm>
#include <chrono>

namespace chat {

using namespace qwen3guard;

namespace {

StreamOptions stream_options(const Settings& settings) {
  StreamOptions options;
  options.policy = settings.policy;
  options.context = ContextPolicy::slide;
  options.invalid_utf8 = InvalidUtf8::replace;  // a host model may write half a character
  return options;
}

/// Adds the time of its life to a sum.
class Timer {
 public:
  explicit Timer(double& ms) : ms_(ms) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() {
    ms_ += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double& ms_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

GuardedChat::GuardedChat(const Guard& guard, Host& host, const Settings& settings)
    : host_(host), settings_(settings), session_(guard.open_stream(stream_options(settings)).value()) {}

Outcome GuardedChat::say(const std::string& prompt, const Show& show) {
  Outcome outcome;
  const StreamMark before = session_.mark();
  {
    const Timer timer(outcome.guard_ms);
    outcome.prompt = session_.push_prompt(prompt).value();
  }
  if (outcome.prompt.action == Action::block) {
    // The host never hears of it, and neither does the next turn.
    if (!session_.rewind(before).ok()) start_over();
    outcome.prompt_was_refused = true;
    outcome.shown = kRefusal;
    show(kRefusal, {});
    return outcome;
  }
  messages_.push_back({Role::user, prompt});
  host_.begin(messages_).throw_if_error();
  text_.clear();
  piece_ends_.clear();
  verdicts_.clear();
  const bool follows = answer(outcome, show);
  messages_.push_back({Role::assistant, outcome.shown});
  if (!follows) start_over();
  return outcome;
}

/// The context has slid over the place to go back to: the session reads the conversation as the user saw it
/// again, without its oldest turns when it does not fit.
void GuardedChat::start_over() {
  for (std::size_t first = 0;; first += 2) {
    session_.reset();
    const auto kept = std::span<const Message>(messages_).subspan(std::min(first, messages_.size()));
    if (kept.empty() || session_.restore(kept).ok()) return;
  }
}

/// Shows the answer's next tokens up to the n-th.
void GuardedChat::release(Outcome& outcome, const Show& show, std::size_t n_tokens) {
  while (outcome.n_shown_tokens < n_tokens) {
    const TokenVerdict& verdict = verdicts_[outcome.n_shown_tokens++];
    // Tokens can share a character: it is shown with the first.
    const std::size_t end = static_cast<std::size_t>(verdict.byte_end);
    if (end <= outcome.shown.size()) continue;
    const std::string_view text =
        std::string_view(text_).substr(outcome.shown.size(), end - outcome.shown.size());
    outcome.shown += text;
    show(text, verdict);
  }
}

/// False: the session could not go back to what the user saw.
bool GuardedChat::answer(Outcome& outcome, const Show& show) {
  for (bool has_ended = false; !has_ended;) {
    const std::optional<std::string> piece = host_.next().value();
    has_ended = !piece;
    const StreamMark open = session_.mark();
    bool is_flagged = false;
    if (piece) {
      text_ += *piece;
      piece_ends_.push_back(text_.size());
      const Timer timer(outcome.guard_ms);
      const StreamUpdate update = session_.push_text(*piece).value();
      verdicts_.resize(update.first);
      verdicts_.insert(verdicts_.end(), update.tokens.begin(), update.tokens.end());
      is_flagged = session_.decision().action == Action::block;
    } else {
      const Timer timer(outcome.guard_ms);
      is_flagged = session_.end_turn().value().decision.action == Action::block;
      // Those that the context slid over are gone from the session, not from the answer.
      const std::vector<TokenVerdict> last = session_.verdicts();
      verdicts_.resize(session_.first_verdict());
      verdicts_.insert(verdicts_.end(), last.begin(), last.end());
    }
    if (piece && outcome.n_shown_tokens == 0) ++outcome.n_wait_tokens;
    if (!is_flagged) {
      const std::size_t n_held = has_ended ? 0 : settings_.buffer_tokens;
      // The last word may still change; what is settled stays what it is.
      std::size_t n_free = verdicts_.size() > n_held ? verdicts_.size() - n_held : 0;
      while (n_free > 0 && !verdicts_[n_free - 1].is_settled) --n_free;
      if (n_free > outcome.n_shown_tokens) release(outcome, show, n_free);
      continue;
    }
    // What the user has not seen is discarded.
    std::size_t n_pieces = 0, n_bytes = 0;
    while (n_bytes < outcome.shown.size()) n_bytes = piece_ends_[n_pieces++];
    outcome.n_discarded_tokens += piece_ends_.size() - n_pieces;
    if (has_ended) session_.rewind(open).throw_if_error();
    const bool is_last_try = outcome.n_retries == settings_.max_retries;
    const Result<StreamUpdate> update = [&] {
      const Timer timer(outcome.guard_ms);
      return session_.rewind_to_byte(static_cast<std::int64_t>(is_last_try ? outcome.shown.size() : n_bytes));
    }();
    if (is_last_try || !update.ok()) {
      // What was shown stands; the rest is withheld.
      if (update.ok()) session_.end_turn().throw_if_error();
      outcome.gave_up = true;
      show(kGaveUp, {});
      return update.ok();
    }
    ++outcome.n_retries;
    host_.rewind(n_pieces).throw_if_error();
    verdicts_.resize(update->first);
    verdicts_.insert(verdicts_.end(), update->tokens.begin(), update->tokens.end());
    text_.resize(n_bytes);
    piece_ends_.resize(n_pieces);
    has_ended = false;
  }
  return true;
}

}  // namespace chat
