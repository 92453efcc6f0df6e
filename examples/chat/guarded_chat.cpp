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

/// What call() returns; adds the time that it takes.
template <class Call>
auto timed(double& ms, const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  auto result = call();
  ms += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace

GuardedChat::GuardedChat(const Guard& guard, Host& host, const Settings& settings)
    : host_(host), settings_(settings), session_(guard.open_stream(stream_options(settings)).value()) {}

Outcome GuardedChat::say(const std::string& prompt, const Screen& screen) {
  Outcome outcome;
  const StreamMark before = session_.mark();
  outcome.prompt = timed(outcome.guard_ms, [&] { return session_.push_prompt(prompt); }).value();
  if (outcome.prompt.action == Action::block) {
    // The host never hears of it, and neither does the next turn.
    if (!session_.rewind(before).ok()) start_over();
    outcome.prompt_was_refused = true;
    outcome.shown = kRefusal;
    screen.show(kRefusal, {});
    return outcome;
  }
  messages_.push_back({Role::user, prompt});
  host_.begin(messages_).throw_if_error();
  const bool follows = answer(outcome, screen);
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

/// Shows what the answer goes on with, each token's text with its verdict.
void GuardedChat::show(std::string_view text, Outcome& outcome, const Screen& screen) {
  if (text.empty()) return;
  const std::size_t begin = outcome.shown.size();
  outcome.shown += text;
  std::size_t n_shown = 0;
  const auto up_to = [&](std::int64_t byte, const TokenVerdict& verdict) {
    const std::size_t place = std::clamp(static_cast<std::size_t>(byte), begin, outcome.shown.size()) - begin;
    // Tokens can share a character: it is shown with the first.
    if (place > n_shown) screen.show(text.substr(n_shown, place - n_shown), verdict);
    n_shown = std::max(n_shown, place);
  };
  for (const TokenVerdict& verdict : session_.verdicts()) {
    up_to(verdict.byte_begin, {});  // the context has slid over what was said of it
    up_to(verdict.byte_end, verdict);
  }
  up_to(static_cast<std::int64_t>(outcome.shown.size()), {});
}

/// False: the session could not go back to what the user saw.
bool GuardedChat::answer(Outcome& outcome, const Screen& screen) {
  HoldBackOptions options;
  options.buffer_tokens = settings_.buffer_tokens;
  options.max_retries = settings_.max_retries;
  HoldBack hold = HoldBack::over(session_, options).value();
  std::vector<std::size_t> borders{0};  // the host's first n pieces have borders[n] bytes
  HoldBackState state = HoldBackState::writing;
  while (state == HoldBackState::writing) {
    const std::optional<std::string> piece = host_.next().value();
    if (piece) borders.push_back(borders.back() + piece->size());
    if (piece && hold.stats().shown_tokens == 0) ++outcome.n_wait_tokens;
    const HoldBackRelease out = timed(outcome.guard_ms, [&] {
                                  (piece ? hold.put(*piece) : hold.finish()).throw_if_error();
                                  return hold.take();
                                }).value();
    show(out.text, outcome, screen);
    state = out.state;
    if (state != HoldBackState::blocked) continue;
    // A piece that was shown in part stays, unless what is blocked begins in it or before.
    const auto shown = std::lower_bound(borders.begin(), borders.end(), outcome.shown.size());
    const auto begin = static_cast<std::size_t>(out.block->byte_begin);
    const auto place = *shown <= begin ? shown : std::upper_bound(borders.begin(), shown, begin) - 1;
    const Status retried =
        timed(outcome.guard_ms, [&] { return hold.retry(static_cast<std::int64_t>(*place)); });
    outcome.n_discarded_tokens +=
        static_cast<std::size_t>(borders.end() - (retried.ok() ? place : shown)) - 1;
    if (!retried.ok()) break;  // that was the last try, or the context has slid over the place
    borders.erase(place + 1, borders.end());
    host_.rewind(borders.size() - 1).throw_if_error();
    if (borders.back() < outcome.shown.size()) {
      outcome.shown.resize(borders.back());
      screen.take_back(outcome.shown);
    }
    state = hold.state();
  }
  outcome.stats = hold.stats();
  if (state == HoldBackState::ended) return true;
  // What was shown stands; the rest is withheld.
  outcome.gave_up = true;
  screen.show(kGaveUp, {});
  return state == HoldBackState::blocked && hold.withdraw().ok();
}

}  // namespace chat
