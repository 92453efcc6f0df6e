// SPDX-License-Identifier: Apache-2.0
// HoldBack over models: sessions of both kinds of checkpoint, and a batch's.
#include <algorithm>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "guard/hold_back/hold_back_impl.hpp"
#include "hold_back_texts.hpp"
#include "iterations.hpp"
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::check_close;
using test::kClean;
using test::kInsult;

namespace {

Guard load(const char* name, std::int32_t max_context_tokens = 0) {
  GuardOptions options;
  options.max_context_tokens = max_context_tokens;
  return test::load_tiny(name, options).value();
}

/// The bytes of the open, or else the last turn up to which text was judged, is settled and may pass.
std::int64_t limit_of(const StreamSession& session) {
  const Decision decision = session.decision();
  std::int64_t end =
      decision.is_complete ? std::numeric_limits<std::int64_t>::max() : decision.unjudged_begin;
  std::int64_t last_written = 0;
  for (const TokenVerdict& token : session.verdicts()) {
    if (token.action == Action::block) {
      return std::min(end, token.source == VerdictSource::written ? last_written : token.byte_begin);
    }
    if (!token.is_settled) return std::min(end, token.byte_begin);
    if (token.source == VerdictSource::written) last_written = token.byte_end;
  }
  return std::min(end, session.turn_bytes());
}

struct Host {
  explicit Host(std::uint32_t seed) : random(seed), text(seed + 1) {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random() % n); }
  std::string next_text() {
    std::string out;
    for (std::size_t i = 1 + below(4); i > 0; --i) {
      const std::size_t kind = below(8);
      out += kind == 0 ? kInsult : kind < 5 ? kClean : text.next(1 + below(6));
    }
    return out;
  }

  std::mt19937 random;
  test::StreamText text;
};

StreamOptions random_stream_options(Host& host) {
  StreamOptions options;
  static constexpr ContextPolicy kContexts[] = {ContextPolicy::error, ContextPolicy::stop,
                                                ContextPolicy::slide};
  options.context = kContexts[host.below(3)];
  options.thinking = host.below(4) == 0 ? Thinking::skip : Thinking::judge;
  options.invalid_utf8 = host.below(2) == 0 ? InvalidUtf8::replace : InvalidUtf8::reject;
  options.judge_unsettled = host.below(4) != 0;
  options.gen_interval_tokens = host.below(2) == 0 ? 8 : 32;
  return options;
}

HoldBackOptions random_hold_options(Host& host) {
  HoldBackOptions options;
  static constexpr std::int32_t kBuffers[] = {0, 1, 8, 40};
  options.buffer_tokens = kBuffers[host.below(4)];
  if (host.below(4) == 0) options.release_after_ms = 1e-6;
  options.max_retries = static_cast<std::int32_t>(host.below(4));
  options.reports_provisional = host.below(4) == 0;
  return options;
}

/// A turn with a random host, which writes up to n_pieces pieces of text.
struct Turn {
  std::string written, shown;
  std::optional<HoldBackState> state;  // at the end; empty: an error

  void run(HoldBack& hold, Host& host, std::size_t n_pieces, StreamSession& session) {
    while (true) {
      for (; n_pieces > 0 && hold.state() == HoldBackState::writing; --n_pieces) {
        std::string_view more;
        const std::string text = host.next_text();
        for (more = text; !more.empty() && hold.state() == HoldBackState::writing;) {
          const std::string_view piece = more.substr(0, 1 + host.below(12));
          if (!hold.put(piece).ok()) return fail(hold);
          written += piece;
          more.remove_prefix(piece.size());
          if (host.below(3) == 0 && !take(hold, session)) return;
        }
      }
      if (hold.state() == HoldBackState::writing && !hold.finish().ok()) return fail(hold);
      std::optional<HoldBackRelease> out = take(hold, session);
      if (!out) return;
      if (!out->block) {
        state = out->state;
        return;
      }
      REQUIRE(out->block->shown_bytes == static_cast<std::int64_t>(shown.size()));
      if (out->block->retries_left == 0) {
        REQUIRE_FALSE(hold.retry().ok());
        if (!hold.withdraw().ok()) return fail(hold);
        state = hold.take().value().state;
        return;
      }
      // Its own border: behind what was shown, somewhere in what is taken back.
      const std::size_t n =
          shown.size() + (host.below(2) == 0 ? 0 : host.below(written.size() - shown.size() + 1));
      const Status status = hold.retry(n == shown.size() ? -1 : static_cast<std::int64_t>(n));
      if (!status.ok()) {
        // The context has slid past that place.
        REQUIRE(hold.state() == HoldBackState::blocked);
        return;
      }
      written.resize(n);
      n_pieces = std::max<std::size_t>(n_pieces, 1);
    }
  }

  std::optional<HoldBackRelease> take(HoldBack& hold, StreamSession& session) {
    const bool has_ended = hold.turn() != nullptr;
    Result<HoldBackRelease> out = hold.take();
    REQUIRE(out.ok());
    shown += out->text;
    CAPTURE(written, shown, out->text, to_string(out->state));
    REQUIRE(written.compare(0, shown.size(), shown) == 0);
    if (!out->text.empty() && !has_ended)
      REQUIRE(static_cast<std::int64_t>(shown.size()) <= limit_of(session));
    return *std::move(out);
  }

  void fail(HoldBack& hold) {
    const std::string before = shown;
    CHECK(hold.state() == HoldBackState::failed);
    CHECK_FALSE(hold.take().ok());
    CHECK_FALSE(hold.put("x").ok());
  }
};

}  // namespace

TEST_CASE("hold back: over sessions, whatever the options, text and split", "[hold_back]") {
  int n_ended = 0, n_withheld = 0;
  for (const char* name : {"stream", "gen"}) {
    for (const std::int32_t context : {0, 400}) {
      const Guard guard = load(name, context);
      for (int i = 0; i < q3g_test::iterations(context == 0 ? 12 : 24); ++i) {
        const auto seed = static_cast<std::uint32_t>(55000 + 100 * i + context);
        CAPTURE(name, context, seed);
        Host host(seed);
        StreamSession session = guard.open_stream(random_stream_options(host)).value();
        for (int turn = 0; turn < 2; ++turn) {
          if (!session.push_prompt("What do you think of my cooking?").ok()) break;
          HoldBack hold = HoldBack::over(session, random_hold_options(host)).value();
          Turn told;
          told.run(hold, host, 1 + host.below(8), session);
          if (!told.state) break;
          const HoldBackStats stats = hold.stats();
          CHECK(stats.put_bytes == stats.shown_bytes + stats.withdrawn_bytes);
          CHECK(hold.turn() != nullptr);
          n_ended += *told.state == HoldBackState::ended ? 1 : 0;
          n_withheld += *told.state == HoldBackState::withheld ? 1 : 0;
          if (*told.state == HoldBackState::ended) CHECK(told.shown == told.written);
        }
      }
    }
  }
  CHECK(n_ended > q3g_test::iterations(10));
  CHECK(n_withheld > 0);
}

TEST_CASE("hold back: the session has what was shown in its past, and nothing else", "[hold_back]") {
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = load(name);
    StreamSession session = guard.open_stream().value();
    session.push_prompt("What do you think of my cooking?").throw_if_error();
    std::string shown;
    const auto write = [&](HoldBack& hold, const std::string& text) {
      for (std::size_t i = 0; i < text.size() && hold.state() == HoldBackState::writing; i += 5)
        hold.put(std::string_view(text).substr(i, 5)).throw_if_error();
      if (hold.state() == HoldBackState::writing) hold.finish().throw_if_error();
      HoldBackRelease out = hold.take().value();
      shown += out.text;
      return out;
    };
    HoldBackOptions options;
    options.buffer_tokens = 20;
    options.max_retries = 1;
    {
      HoldBack hold = HoldBack::over(session, options).value();
      HoldBackRelease out = write(hold, kClean + kClean + kInsult + kInsult);
      REQUIRE(out.state == HoldBackState::blocked);
      CHECK(shown.size() > 20);
      CHECK(out.block->decision.action == Action::block);
      CHECK(out.block->byte_begin <= static_cast<std::int64_t>(2 * kClean.size() + kInsult.size()));
      REQUIRE(hold.retry().ok());
      const std::string rest = (kClean + kClean).substr(shown.size()) + "Enjoy your meal.";
      out = write(hold, rest);
      CHECK(out.state == HoldBackState::ended);
      CHECK(shown == kClean + kClean + "Enjoy your meal.");
      CHECK(hold.stats().n_retries == 1);
      CHECK(hold.stats().withdrawn_tokens > 0);
    }
    StreamSession fresh = guard.open_stream().value();
    fresh.push_prompt("What do you think of my cooking?").throw_if_error();
    fresh.push_text(shown).throw_if_error();
    fresh.end_turn().throw_if_error();
    CHECK(fresh.position() == session.position());
    check_close(session.verdicts(), fresh.verdicts());
    // The same where the rest is withdrawn.
    session.push_prompt("And now?").throw_if_error();
    fresh.push_prompt("And now?").throw_if_error();
    shown.clear();
    {
      HoldBack hold = HoldBack::over(session, options).value();
      REQUIRE(write(hold, kClean + kClean + kInsult + kInsult).state == HoldBackState::blocked);
      REQUIRE(hold.withdraw().ok());
      CHECK(hold.take().value().state == HoldBackState::withheld);
      CHECK_FALSE(hold.retry().ok());
    }
    fresh.push_text(shown).throw_if_error();
    fresh.end_turn().throw_if_error();
    CHECK(fresh.position() == session.position());
    CHECK(session.turn_bytes() == static_cast<std::int64_t>(shown.size()));
    CHECK(session.push_prompt("Thank you.").ok());
  }
}

TEST_CASE("hold back: skipped thinking leaves with the answer behind it", "[hold_back]") {
  const Guard guard = load("stream");
  StreamOptions stream;
  stream.thinking = Thinking::skip;
  StreamSession session = guard.open_stream(stream).value();
  session.push_prompt("Hello").throw_if_error();
  HoldBackOptions options;
  options.buffer_tokens = 0;
  HoldBack hold = HoldBack::over(session, options).value();
  hold.put("<think>\nSome words to begin with, and more of them.").throw_if_error();
  CHECK(hold.take().value().text.empty());
  hold.put("\n</think>\n\nGood morning to").throw_if_error();
  CHECK(hold.take().value().text.starts_with("<think>"));
  hold.finish().throw_if_error();
  CHECK(hold.take().value().state == HoldBackState::ended);
}

TEST_CASE("hold back: what the turn had before counts as shown", "[hold_back]") {
  const Guard guard = load("stream");
  StreamSession session = guard.open_stream().value();
  CHECK_FALSE(HoldBack::over(session).ok());
  session.begin_turn(Role::user).throw_if_error();
  CHECK_FALSE(HoldBack::over(session).ok());
  session.push_text("Hello").throw_if_error();
  session.end_turn().throw_if_error();
  CHECK_FALSE(HoldBack::over(session).ok());
  session.begin_turn(Role::assistant).throw_if_error();
  session.push_text("Good morning").throw_if_error();
  HoldBackOptions options;
  options.buffer_tokens = 0;
  HoldBack hold = HoldBack::over(session, options).value();
  hold.put(" to you, and").throw_if_error();
  CHECK(hold.take().value().text == " to you,");
  CHECK(hold.put(" " + kInsult + kInsult).ok());
  const HoldBackRelease out = hold.take().value();
  REQUIRE(out.block);
  CHECK(out.block->shown_bytes >= 20);
  CHECK_FALSE(hold.retry(3).ok());
  CHECK(hold.withdraw().ok());
  CHECK(session.turn_bytes() == out.block->shown_bytes);
}

TEST_CASE("hold back: somebody else's change of the session is an error", "[hold_back]") {
  const Guard guard = load("stream");
  StreamSession session = guard.open_stream().value();
  session.push_prompt("Hello").throw_if_error();
  HoldBack hold = HoldBack::over(session).value();
  session.push_text(kClean).throw_if_error();
  CHECK_FALSE(hold.put("Good morning").ok());
  CHECK_FALSE(hold.take().ok());
  CHECK(hold.state() == HoldBackState::failed);
}

TEST_CASE("hold back: over a batch as over a session", "[hold_back]") {
  int n_blocked = 0;
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = load(name);
    for (int i = 0; i < q3g_test::iterations(16); ++i) {
      const auto seed = static_cast<std::uint32_t>(56000 + i);
      CAPTURE(name, seed);
      Host host(seed);
      HoldBackOptions options = random_hold_options(host);
      options.release_after_ms = 0;
      options.reports_provisional = false;
      options.max_retries = 3;
      StreamBatchOptions small;
      small.max_session_tokens = 16;
      StreamBatch batch = StreamBatch::open(guard, small).value();
      const StreamId id = batch.add().value();
      StreamSession session = guard.open_stream().value();
      batch.push_prompt(id, "Hello").throw_if_error();
      session.push_prompt("Hello").throw_if_error();
      if (i % 2 == 0) batch.step();
      HoldBack over_batch = HoldBack::over(batch, id, options).value();
      HoldBack over_session = HoldBack::over(session, options).value();
      std::string shown, expected;
      const auto drain = [&] {
        HoldBackRelease out;
        std::string all;
        do {
          batch.step();
          out = over_batch.take().value();
          shown += out.text;
        } while (batch.stats().n_waiting_sessions > 0 && !out.block);
        return out;
      };
      for (bool is_over = false; !is_over;) {
        const std::string text = host.next_text();
        for (std::size_t at = 0; at < text.size();) {
          const std::size_t n = std::min(1 + host.below(30), text.size() - at);
          const std::string_view piece = std::string_view(text).substr(at, n);
          at += n;
          // The batch's host does not know yet what is blocked.
          if (over_batch.state() == HoldBackState::writing) over_batch.put(piece).throw_if_error();
          if (over_session.state() == HoldBackState::writing) over_session.put(piece).throw_if_error();
          if (host.below(4) == 0) batch.step(0);
          if (host.below(4) == 0) shown += over_batch.take().value().text;
        }
        const bool ends = host.below(3) == 0;
        if (ends && over_batch.state() == HoldBackState::writing) over_batch.finish().throw_if_error();
        if (ends && over_session.state() == HoldBackState::writing) over_session.finish().throw_if_error();
        const HoldBackRelease got = drain(), want = over_session.take().value();
        expected += want.text;
        CAPTURE(shown, expected);
        REQUIRE(shown == expected);
        REQUIRE(got.state == want.state);
        REQUIRE(got.block.has_value() == want.block.has_value());
        if (got.block) {
          ++n_blocked;
          REQUIRE(got.block->byte_begin == want.block->byte_begin);
          REQUIRE(got.block->shown_bytes == want.block->shown_bytes);
          if (got.block->retries_left > 0) {
            REQUIRE(over_batch.retry().ok());
            REQUIRE(over_session.retry().ok());
          } else {
            REQUIRE(over_batch.withdraw().ok());
            REQUIRE(over_session.withdraw().ok());
            CHECK(over_batch.state() == HoldBackState::finishing);
            CHECK(drain().state == HoldBackState::withheld);
            is_over = true;
          }
        }
        is_over = is_over || got.state == HoldBackState::ended || got.state == HoldBackState::withheld;
      }
      CHECK(over_batch.turn() != nullptr);
      std::vector<TokenVerdict> verdicts;
      batch.visit(id, [&](StreamSession& visited) { verdicts = visited.verdicts(); }).throw_if_error();
      check_close(verdicts, session.verdicts());
      CHECK(over_batch.stats().shown_bytes == static_cast<std::int64_t>(shown.size()));
      REQUIRE(batch.push_prompt(id, "And now?").ok());
    }
  }
  CHECK(n_blocked > 0);
}

TEST_CASE("hold back: a batch's prompt is waited for, and blocks the answer", "[hold_back]") {
  const Guard guard = load("stream");
  constexpr const char* kThreat = "You are a worthless idiot and I will burn your house down, kill yourself.";
  for (const bool is_judged_before : {false, true}) {
    CAPTURE(is_judged_before);
    StreamBatch batch = StreamBatch::open(guard).value();
    const StreamId id = batch.add().value();
    batch.push_prompt(id, kThreat).throw_if_error();
    if (is_judged_before) batch.step();
    HoldBackOptions options;
    options.buffer_tokens = 0;
    HoldBack hold = HoldBack::over(batch, id, options).value();
    if (!is_judged_before) {
      CHECK(hold.prompt() == nullptr);
      hold.put(kClean).throw_if_error();
      CHECK(hold.take().value().text.empty());
    }
    batch.step();
    const HoldBackRelease out = hold.take().value();
    CHECK(out.text.empty());
    CHECK(out.state == HoldBackState::blocked);
    REQUIRE(out.block);
    CHECK(out.block->is_prompt);
    CHECK(out.block->decision.action == Action::block);
    CHECK(out.block->retries_left == 0);
    REQUIRE(hold.prompt() != nullptr);
    CHECK_FALSE(hold.retry().ok());
    REQUIRE(hold.withdraw().ok());
    batch.step();
    CHECK(hold.take(1000).value().state == HoldBackState::withheld);
    std::int64_t n_bytes = -1;
    batch.visit(id, [&](StreamSession& session) { n_bytes = session.turn_bytes(); }).throw_if_error();
    CHECK(n_bytes == 0);
  }
}

TEST_CASE("hold back: text that a batch has no room for is put again, and errors come with take()",
          "[hold_back]") {
  const Guard guard = load("stream", 128);
  StreamBatchOptions small;
  small.max_waiting_bytes = 64;
  StreamBatch batch = StreamBatch::open(guard, small).value();
  const StreamId id = batch.add().value();
  batch.push_prompt(id, "Hello").throw_if_error();
  batch.step();
  HoldBackOptions options;
  options.buffer_tokens = 0;
  HoldBack hold = HoldBack::over(batch, id, options).value();
  CHECK(hold.prompt() != nullptr);
  const Status refused = hold.put(kClean + kClean);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::budget_exceeded);
  CHECK(hold.state() == HoldBackState::writing);
  CHECK(hold.stats().put_bytes == 0);
  std::string shown;
  bool has_failed = false;
  for (int i = 0; i < 100 && !has_failed; ++i) {
    hold.put("Good morning to you. ").throw_if_error();
    batch.step();
    const auto out = hold.take();
    has_failed = !out.ok();
    if (out.ok()) shown += out->text;
  }
  REQUIRE(has_failed);  // ContextPolicy::error
  CHECK(hold.state() == HoldBackState::failed);
  CHECK_FALSE(hold.take().ok());
  REQUIRE(hold.withdraw().ok());
  batch.step();
  CHECK(hold.take().value().state == HoldBackState::withheld);
  std::int64_t n_bytes = -1;
  batch.visit(id, [&](StreamSession& session) { n_bytes = session.turn_bytes(); }).throw_if_error();
  CHECK(n_bytes == static_cast<std::int64_t>(shown.size()));
  CHECK_FALSE(HoldBack::over(batch, id + 1).ok());
}
