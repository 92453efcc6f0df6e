// SPDX-License-Identifier: Apache-2.0
// HoldBack over a StreamBatch: what waits when the answer begins, and threads that step meanwhile.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

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

Guard load(const char* name) { return test::load_tiny(name).value(); }

StreamBatchOptions short_steps() {
  StreamBatchOptions options;
  options.max_step_tokens = options.max_session_tokens = 16;
  return options;
}

/// However slow the machine is.
void step_all(StreamBatch& batch) {
  while (batch.stats().n_waiting_sessions > 0) batch.step();
}

/// What a host's model writes at each try: the next one goes on from where the host has gone back to.
struct Script {
  explicit Script(std::uint32_t seed) {
    std::mt19937 random(seed);
    for (std::string& text : tries) {
      for (std::size_t n = 2 + random() % 5; n > 0; --n) {
        const std::size_t kind = random() % 6;
        text += kind == 0 ? kInsult : kind == 1 ? std::string("\nYes. ") : kClean;
      }
    }
    buffer_tokens = static_cast<std::int32_t>(4 + random() % 3 * 12);  // no shorter than a run that decides
  }

  std::string tries[4];
  std::int32_t buffer_tokens = 0;
};

/// A host that goes through a script.
class Host {
 public:
  Host(const Script& script, HoldBack hold, std::uint32_t seed)
      : script_(script), hold_(std::move(hold)), random_(seed) {}

  /// One piece, or whatever is next. False: the answer is over.
  bool go_on() {
    const std::string& text = script_.tries[i_try_];
    if (hold_.state() == HoldBackState::writing) {
      const std::size_t n =
          std::min<std::size_t>(1 + random_() % 24, text.size() - std::min(at_, text.size()));
      (n > 0 ? hold_.put(std::string_view(text).substr(at_, n)) : hold_.finish()).throw_if_error();
      at_ += n;
    }
    const bool waits = hold_.state() == HoldBackState::finishing;
    const HoldBackRelease out = hold_.take(waits ? 50 : 0).value();
    shown += out.text;
    state = out.state;
    if (out.state == HoldBackState::blocked) {
      begins.push_back(out.block->byte_begin);
      REQUIRE(out.block->shown_bytes == static_cast<std::int64_t>(shown.size()));
      if (i_try_ + 1 == std::size(script_.tries)) {
        hold_.withdraw().throw_if_error();
      } else {
        hold_.retry().throw_if_error();
        at_ = shown.size();
        ++i_try_;
      }
    }
    return out.state != HoldBackState::ended && out.state != HoldBackState::withheld;
  }
  [[nodiscard]] HoldBackStats stats() const { return hold_.stats(); }

  std::string shown;
  std::vector<std::int64_t> begins;  // of what was blocked
  HoldBackState state = HoldBackState::writing;

 private:
  const Script& script_;
  HoldBack hold_;
  std::mt19937 random_;
  std::size_t i_try_ = 0, at_ = 0;
};

HoldBackOptions options_of(const Script& script) {
  HoldBackOptions options;
  options.buffer_tokens = script.buffer_tokens;
  return options;
}

}  // namespace

TEST_CASE("hold back: another thread that steps the batch changes nothing of what comes out",
          "[hold_back][threads]") {
  constexpr std::size_t kSessions = 3;
  int n_blocked = 0;
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = load(name);
    for (int i = 0; i < q3g_test::iterations(6); ++i) {
      CAPTURE(name, i);
      StreamBatch batch = StreamBatch::open(guard, short_steps()).value();
      std::vector<Script> scripts;
      for (std::size_t n = 0; n < kSessions; ++n)
        scripts.emplace_back(static_cast<std::uint32_t>(59000 + 10 * i) + static_cast<std::uint32_t>(n));
      std::atomic<bool> is_over{false};
      std::thread stepping([&] {
        while (!is_over) {
          if (batch.step(0) == 0) std::this_thread::yield();
        }
      });
      {
        const auto stop = std::shared_ptr<void>(nullptr, [&](void*) {
          is_over = true;
          stepping.join();
        });
        std::vector<std::unique_ptr<Host>> hosts;
        std::vector<StreamId> ids;
        for (std::size_t n = 0; n < kSessions; ++n) {
          ids.push_back(batch.add().value());
          batch.push_prompt(ids.back(), "Hello").throw_if_error();
          hosts.push_back(std::make_unique<Host>(
              scripts[n], HoldBack::over(batch, ids.back(), options_of(scripts[n])).value(),
              static_cast<std::uint32_t>(i)));
        }
        std::vector<bool> is_done(kSessions);
        while (std::count(is_done.begin(), is_done.end(), true) < static_cast<std::ptrdiff_t>(kSessions)) {
          for (std::size_t n = 0; n < kSessions; ++n) is_done[n] = is_done[n] || !hosts[n]->go_on();
        }
        for (std::size_t n = 0; n < kSessions; ++n) {
          StreamSession session = guard.open_stream().value();
          session.push_prompt("Hello").throw_if_error();
          Host alone(scripts[n], HoldBack::over(session, options_of(scripts[n])).value(), 1);
          while (alone.go_on()) {
          }
          CAPTURE(n, alone.shown, hosts[n]->shown);
          CHECK(hosts[n]->shown == alone.shown);
          CHECK(hosts[n]->state == alone.state);
          CHECK(hosts[n]->begins == alone.begins);
          CHECK(hosts[n]->stats().n_retries == alone.stats().n_retries);
          n_blocked += static_cast<int>(alone.begins.size());
          // A Gen checkpoint judges so many tokens from where the answer was gone on from, which time
          // decides.
          if (guard.kind() == ModelKind::gen && !alone.begins.empty()) continue;
          std::vector<TokenVerdict> verdicts;
          batch.visit(ids[n], [&](StreamSession& visited) { verdicts = visited.verdicts(); })
              .throw_if_error();
          check_close(verdicts, session.verdicts());
        }
      }
    }
  }
  if (q3g_test::iterations(8) == 8) CHECK(n_blocked > 0);
}

TEST_CASE("hold back: turns that wait in front of a batch's answer let none of it out", "[hold_back]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = load(name);
    for (std::size_t n_steps = 0; n_steps < 12; ++n_steps) {
      CAPTURE(name, n_steps);
      StreamBatch batch = StreamBatch::open(guard, short_steps()).value();
      const StreamId id = batch.add().value();
      batch.push_prompt(id, "Hello").throw_if_error();
      batch.push_text(id, kClean + kClean).throw_if_error();
      batch.end_turn(id).throw_if_error();
      batch.push_prompt(id, "And what do you think of my cooking?").throw_if_error();
      for (std::size_t i = 0; i < n_steps; ++i) batch.step(0);
      HoldBackOptions options;
      options.buffer_tokens = 0;
      HoldBack hold = HoldBack::over(batch, id, options).value();
      hold.put(kClean + kInsult + kInsult).throw_if_error();
      hold.finish().throw_if_error();
      CHECK(hold.take().value().text.empty());
      std::string shown;
      HoldBackRelease out;
      while (batch.stats().n_waiting_sessions > 0) {
        batch.step(0);
        out = hold.take().value();
        shown += out.text;
        REQUIRE(out.state != HoldBackState::ended);
      }
      REQUIRE(hold.prompt() != nullptr);
      CHECK(hold.prompt()->role == Role::user);
      CHECK(out.state == HoldBackState::blocked);
      CHECK(shown.size() < kClean.size() + kInsult.size());
      REQUIRE(hold.retry(0).ok());
      hold.put("Fine.").throw_if_error();
      hold.finish().throw_if_error();
      step_all(batch);
      out = hold.take().value();
      CHECK(out.state == HoldBackState::ended);
      CHECK(out.text == "Fine.");
      // Nothing that belongs to another turn is taken behind the end.
      batch.push_prompt(id, "Thank you.").throw_if_error();
      step_all(batch);
      CHECK(hold.take().value().state == HoldBackState::ended);
      CHECK(batch.poll(id).value().back().kind == StreamEvent::Kind::turn_end);
      batch.visit(id, [&](StreamSession& session) { CHECK(session.rewind_to_byte(0).ok()); })
          .throw_if_error();
    }
  }
}

TEST_CASE("hold back: an answer that is withdrawn before its prompt was judged", "[hold_back]") {
  const Guard guard = load("stream");
  StreamBatch batch = StreamBatch::open(guard, short_steps()).value();
  const StreamId id = batch.add().value();
  batch.push_prompt(id, "Hello").throw_if_error();
  batch.push_text(id, kClean).throw_if_error();
  batch.end_turn(id).throw_if_error();
  batch.step(0);
  batch.push_prompt(id, "And now?").throw_if_error();
  HoldBack hold = HoldBack::over(batch, id).value();
  hold.put(kClean).throw_if_error();
  REQUIRE(hold.withdraw().ok());
  step_all(batch);
  CHECK(hold.take().value().state == HoldBackState::withheld);
  REQUIRE(hold.prompt() != nullptr);
  std::vector<std::int64_t> n_bytes;
  batch
      .visit(id,
             [&](StreamSession& session) {
               n_bytes.push_back(session.turn_bytes());
               // The answer before stands.
               CHECK(session.rewind({session.mark().turn - 2, static_cast<std::int64_t>(kClean.size()), true})
                         .ok());
               n_bytes.push_back(session.turn_bytes());
             })
      .throw_if_error();
  CHECK(n_bytes == std::vector<std::int64_t>{0, static_cast<std::int64_t>(kClean.size())});
}

TEST_CASE("hold back: a batch's session without an answer to hold, or with text of it that waits",
          "[hold_back]") {
  const Guard guard = load("stream");
  StreamBatch batch = StreamBatch::open(guard).value();
  const StreamId id = batch.add().value();
  const auto opens = [&] { return HoldBack::over(batch, id).ok(); };
  CHECK_FALSE(opens());
  batch.begin_turn(id, Role::user).throw_if_error();
  CHECK_FALSE(opens());
  batch.push_text(id, "Hello").throw_if_error();
  batch.end_turn(id).throw_if_error();
  CHECK_FALSE(opens());
  step_all(batch);
  CHECK_FALSE(opens());
  batch.begin_turn(id, Role::assistant).throw_if_error();
  CHECK(opens());
  batch.push_text(id, "Good morning").throw_if_error();
  CHECK_FALSE(opens());
  step_all(batch);
  CHECK(opens());
  batch.end_turn(id).throw_if_error();
  CHECK_FALSE(opens());
  step_all(batch);
  CHECK_FALSE(opens());
}
