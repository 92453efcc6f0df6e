// SPDX-License-Identifier: Apache-2.0
// What a session is after each of its allocations has failed once. Replaces operator new.
#include <algorithm>
#include <cstdlib>
#include <new>

#include "stream_fixture.hpp"
#include "tiny_models.hpp"

namespace {

/// Allocations of this thread until one fails; below 0: none does.
thread_local long n_until_failure = -1;

void* allocate(std::size_t size, std::size_t alignment) {
  if (n_until_failure == 0) throw std::bad_alloc();
  if (n_until_failure > 0) --n_until_failure;
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace qwen3guard;

namespace {

/// Runs `change` on the session with the first, the second, ... allocation failing until it succeeds; the
/// session must be as before after every failure. Returns how often it failed.
template <class Change>
int fail_everywhere(StreamSession& session, const Change& change) {
  for (int n = 0;; ++n) {
    const auto before = session.verdicts();
    const std::int32_t position = session.position();
    const std::int64_t n_bytes = session.turn_bytes();
    n_until_failure = n;
    const auto status = change(session);
    n_until_failure = -1;
    if (status.ok()) return n;
    CAPTURE(n, status.error().detail);
    REQUIRE(status.error().code == ErrorCode::out_of_memory);
    REQUIRE(session.position() == position);
    REQUIRE(session.turn_bytes() == n_bytes);
    test::check_close(session.verdicts(), before);
  }
}

}  // namespace

TEST_CASE("memory: a session survives the failure of any allocation", "[stream][memory]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = guard.open_stream().value();
  const std::string first = "The quick brown fox jumps over the lazy dog. ";
  std::string text;
  int n_failed = fail_everywhere(session, [](StreamSession& s) { return s.push_prompt("Go on."); });
  for (int i = 0; i < 6; ++i) {
    n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.push_text(first); });
    text += first;
  }
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.rewind_to_byte(100); });
  text.resize(100);
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.push_text(" you idi"); });
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.push_text("ot."); });
  text += " you idiot.";
  test::check_close(session.verdicts(), test::judge_whole(guard, {}, "Go on.", text));
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.end_turn(); });
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.begin_turn(Role::user); });
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.push_text("And"); });
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.push_text(" then?"); });
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.end_turn(); });
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.begin_turn(Role::assistant); });
  const auto ids = guard.tokenizer()->encode("Nothing, it ended there.").value();
  std::vector<TokenVerdict> out(ids.size());
  n_failed += fail_everywhere(session, [&](StreamSession& s) { return s.push_tokens(ids, out); });
  CHECK(n_failed > 100);
  StreamSession fresh = guard.open_stream().value();
  fresh
      .push_conversation(
          std::vector<Message>{{Role::user, "Go on."}, {Role::assistant, text}, {Role::user, "And then?"}})
      .throw_if_error();
  std::vector<TokenVerdict> expected(ids.size());
  REQUIRE(fresh.push_tokens(ids, expected).ok());
  test::check_close(out, expected);
}

TEST_CASE("memory: so does one over a Gen checkpoint", "[stream][memory]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamOptions options;
  options.gen_interval_tokens = 4;
  StreamSession session = guard.open_stream(options).value(), fresh = guard.open_stream(options).value();
  const std::string text = "A short answer, in which there is little to see.";
  fail_everywhere(session, [](StreamSession& s) { return s.push_prompt("Go on."); });
  const int n_failed = fail_everywhere(session, [&](StreamSession& s) { return s.push_text(text); });
  CHECK(n_failed > 20);
  fresh.push_prompt("Go on.").throw_if_error();
  fresh.push_text(text).throw_if_error();
  const auto a = session.verdicts(), b = fresh.verdicts();
  fail_everywhere(session, [&](StreamSession& s) { return s.rewind_to_byte(20); });
  fail_everywhere(session, [&](StreamSession& s) { return s.push_text(" to see."); });
  fail_everywhere(session, [&](StreamSession& s) { return s.end_turn(); });
  CHECK(session.decision().is_complete);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    REQUIRE(std::abs(a[i].probabilities.safe - b[i].probabilities.safe) < test::kMargin);
}

TEST_CASE("memory: a batch steps on after the failure of any allocation", "[stream][memory]") {
  const Guard guard = test::load_tiny("stream").value();
  int n_failed = 0, n_late = 0;
  for (bool has_failed = true; has_failed; ++n_failed) {
    CAPTURE(n_failed);
    StreamBatch batch = StreamBatch::open(guard).value();
    const StreamId id = batch.add().value();
    batch.push_prompt(id, "Go on.").throw_if_error();
    batch.push_text(id, "You idiot.").throw_if_error();
    batch.end_turn(id).throw_if_error();
    n_until_failure = n_failed;
    const std::size_t n_first = batch.step();
    has_failed = n_until_failure == 0;
    n_until_failure = -1;
    // What was put off is judged now; no session stays busy for ever.
    const std::size_t n_then = batch.step();
    n_late += n_then > 0 ? 1 : 0;
    CHECK(batch.stats().n_waiting_sessions == 0);
    const auto events = batch.poll(id).value();
    const bool is_told = std::any_of(events.begin(), events.end(), [](const StreamEvent& event) {
      return event.kind == StreamEvent::Kind::error && event.status.error().code == ErrorCode::out_of_memory;
    });
    const bool is_whole =
        events.size() == 3 && n_first + n_then > 0 && events[2].turn.role == Role::assistant;
    CHECK((is_told || is_whole));
    CHECK(batch.remove(id).ok());
  }
  CHECK(n_failed > 50);
  CHECK(n_late > 0);
}
