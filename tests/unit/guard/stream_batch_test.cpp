// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <thread>

#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::check_close;
using test::StreamText;

namespace {

Guard tiny_stream() { return test::load_tiny("stream").value(); }

/// The verdicts of the open turn, as the events leave them.
std::vector<TokenVerdict> verdicts_of(StreamBatch& batch, StreamId id) {
  std::vector<TokenVerdict> out;
  batch.visit(id, [&](StreamSession& session) { out = session.verdicts(); }).throw_if_error();
  return out;
}

void take(const std::vector<StreamEvent>& events, std::vector<TokenVerdict>& verdicts) {
  for (const StreamEvent& event : events) {
    if (event.kind == StreamEvent::Kind::error) FAIL(event.status.error().detail);
    if (event.kind != StreamEvent::Kind::update) continue;
    REQUIRE(event.update.first <= verdicts.size());
    verdicts.resize(event.update.first);
    verdicts.insert(verdicts.end(), event.update.tokens.begin(), event.update.tokens.end());
  }
}

/// A batch may have a thread of its own in this build.
#ifdef Q3G_PARALLEL_NONE
constexpr bool kHasThread = false;
#else
constexpr bool kHasThread = true;
#endif

ErrorCode code_of(const Status& status) { return status.ok() ? ErrorCode{} : status.error().code; }

}  // namespace

TEST_CASE("batch: sessions judged together are judged as alone", "[batch]") {
  constexpr std::uint32_t kSeed = 35001;
  const Guard guard = tiny_stream();
  StreamText random(kSeed);
  StreamBatchOptions options;
  options.max_step_tokens = 24;
  options.max_session_tokens = 7;
  StreamBatch batch = StreamBatch::open(guard, options).value();
  struct Client {
    StreamId id;
    std::string text;
    std::vector<TokenVerdict> verdicts;
  };
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back({batch.add().value(), {}, {}});
    REQUIRE(batch.push_prompt(clients.back().id, "Go on.").ok());
  }
  while (batch.step() > 0) {
  }
  for (Client& client : clients) {
    const auto events = batch.poll(client.id).value();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == StreamEvent::Kind::turn_end);
    CHECK(events[0].turn.prompt.has_value());
  }
  for (int n = 0; n < 300; ++n) {
    Client& client = clients[random.below(clients.size())];
    const std::string more = random.next(1 + random.below(4));
    REQUIRE(batch.push_text(client.id, more).ok());
    client.text += more;
    if (random.below(3) == 0) batch.step(0);
    if (random.below(3) == 0) take(batch.poll(client.id).value(), client.verdicts);
  }
  while (batch.step() > 0) {
  }
  CHECK(batch.stats().n_waiting_sessions == 0);
  for (Client& client : clients) {
    CAPTURE(kSeed, client.id, client.text);
    take(batch.poll(client.id).value(), client.verdicts);
    const auto expected = test::judge_whole(guard, {}, "Go on.", client.text);
    REQUIRE(client.verdicts.size() == expected.size());
    check_close(verdicts_of(batch, client.id), expected);
    for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(client.verdicts[i].id == expected[i].id);
  }
}

TEST_CASE("batch: many threads push and take while another steps", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
#ifdef Q3G_PARALLEL_NONE  // the host's own thread
  std::atomic<bool> is_over{false};
  std::thread stepping([&] {
    while (!is_over) {
      batch.step();
      std::this_thread::yield();
    }
  });
#else
  REQUIRE(batch.start().ok());
#endif
  CHECK(code_of(batch.start()) == ErrorCode::invalid_argument);
  std::vector<std::thread> threads;
  std::atomic<int> n_wrong{0};
  std::vector<std::pair<std::string, std::vector<TokenVerdict>>> results(12);
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      StreamText random(static_cast<std::uint32_t>(900 + t));
      for (std::size_t s = 0; s < 3; ++s) {
        const StreamId id = batch.add().value();
        std::string text;
        if (!batch.push_prompt(id, "Go on.").ok()) ++n_wrong;
        for (int n = 0; n < 15; ++n) {
          const std::string more = random.next(2);
          if (!batch.push_text(id, more, 50).ok()) ++n_wrong;
          text += more;
          for (bool is_judged = n % 4 != 0; !is_judged;) {
            // On a slow machine the deadline may pass first.
            const auto events = batch.wait(id, 1e5);
            if (!events.ok()) ++n_wrong;
            is_judged = !events.ok() || events->empty() || events->back().kind != StreamEvent::Kind::overdue;
          }
          if (n == 7) {  // away, and back
            const Status status = batch.visit(id, [&](StreamSession& session) {
              const StreamMark mark = session.mark();
              if (!session.push_text(" something else").ok() || !session.rewind(mark).ok()) ++n_wrong;
            });
            // What was queued then comes behind the visit.
            if (!status.ok()) ++n_wrong;
          }
        }
        if (!batch.end_turn(id).ok()) ++n_wrong;
        for (bool has_ended = false; !has_ended;) {
          for (const StreamEvent& event : batch.wait(id, 1e5).value())
            has_ended = has_ended ||
                        (event.kind == StreamEvent::Kind::turn_end && event.turn.role == Role::assistant);
        }
        results[3 * t + s] = {text, verdicts_of(batch, id)};
        if (s == 1 && !batch.remove(id).ok()) ++n_wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(n_wrong == 0);
  CHECK(batch.stats().n_sessions == 8);
#ifdef Q3G_PARALLEL_NONE
  is_over = true;
  stepping.join();
#endif
  batch.stop();
  batch.stop();
  for (const auto& [text, verdicts] : results) {
    StreamSession fresh = guard.open_stream().value();
    fresh.push_prompt("Go on.").throw_if_error();
    fresh.push_text(text).throw_if_error();
    fresh.end_turn().throw_if_error();
    check_close(verdicts, fresh.verdicts());
  }
}

TEST_CASE("batch: the memory budget holds, and says so", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatchOptions options;
  const auto page_bytes = static_cast<std::size_t>(guard.info().kv_bytes_per_token) * 64;
  options.memory_budget_bytes = 60 * page_bytes;
  StreamBatch batch = StreamBatch::open(guard, options).value();
  StreamText random(36001);
  std::vector<StreamId> ids;
  int n_refused = 0;
  for (int n = 0; n < 400; ++n) {
    if (ids.size() < 8) {
      ids.push_back(batch.add().value());
      REQUIRE(batch.begin_turn(ids.back(), Role::assistant).ok());
    }
    const StreamId id = ids[random.below(ids.size())];
    const Status status = batch.push_text(id, random.next(random.below(8) == 0 ? 300 : 6));
    if (!status.ok()) {
      REQUIRE(status.error().code == ErrorCode::budget_exceeded);
      CHECK(status.error().detail.find("bytes") != std::string::npos);
      ++n_refused;
    }
    REQUIRE(batch.stats().memory_bytes <= options.memory_budget_bytes);
    batch.step();
    std::size_t held = 0;
    for (const StreamId each : ids)
      batch.visit(each, [&](StreamSession& session) { held += session.memory_bytes(); }).throw_if_error();
    REQUIRE(held <= options.memory_budget_bytes);
    for (const StreamId each : ids) REQUIRE(batch.poll(each).ok());
  }
  CHECK(n_refused > 10);
  // What is removed makes room again.
  for (const StreamId id : ids) REQUIRE(batch.remove(id).ok());
  CHECK(batch.stats().memory_bytes == 0);
  const StreamId id = batch.add().value();
  REQUIRE(batch.push_prompt(id, "Hi").ok());
  // Text that waits is bounded, too.
  options.memory_budget_bytes = 0;
  options.max_waiting_bytes = 100;
  StreamBatch narrow = StreamBatch::open(guard, options).value();
  const StreamId one = narrow.add().value();
  REQUIRE(narrow.begin_turn(one, Role::assistant).ok());
  CHECK(code_of(narrow.push_text(one, std::string(101, 'x'))) == ErrorCode::budget_exceeded);
  CHECK(narrow.push_text(one, std::string(100, 'x')).ok());
  CHECK(code_of(narrow.push_text(one, "x")) == ErrorCode::budget_exceeded);
  while (narrow.step() > 0) {
  }
  CHECK(narrow.push_text(one, "x").ok());
}

TEST_CASE("batch: a long text needs room for its tokens, not for its bytes", "[batch]") {
  const Guard guard = tiny_stream();
  std::string text;
  for (int i = 0; i < 300; ++i) text += "The quick brown fox jumps over the lazy dog. ";
  text.resize(6000);
  for (int i = 0; i < 100; ++i) text += "\xF0\x9F\xA6\x8A";  // a fox, whose bytes are tokens of their own
  const std::size_t n_tokens = guard.tokenizer()->encode(text).value().size();
  const auto token_bytes = static_cast<std::size_t>(guard.info().kv_bytes_per_token);
  REQUIRE(2 * n_tokens < text.size());
  StreamOptions stream;
  stream.context = GENERATE(ContextPolicy::error, ContextPolicy::slide);
  StreamBatchOptions options;
  // What the text itself, its verdicts and pages that are begun take stands beside its keys and values.
  const std::size_t rest = 4 * text.size() + n_tokens * 512 + 12 * 64 * token_bytes;
  options.memory_budget_bytes =
      (stream.context == ContextPolicy::slide ? 2 : 1) * (n_tokens + 64) * token_bytes + rest;
  for (const std::size_t n_piece_bytes : {text.size(), std::size_t{1001}, std::size_t{257}}) {
    CAPTURE(n_piece_bytes);
    StreamBatch batch = StreamBatch::open(guard, options).value();
    const StreamId id = batch.add(stream).value();
    batch.begin_turn(id, Role::assistant).throw_if_error();
    for (std::size_t i = 0; i < text.size(); i += n_piece_bytes) {
      batch.push_text(id, std::string_view(text).substr(i, n_piece_bytes)).throw_if_error();
      REQUIRE(batch.stats().memory_bytes <= options.memory_budget_bytes);
      if (n_piece_bytes == text.size()) continue;
      while (batch.step() > 0) REQUIRE(batch.stats().memory_bytes <= options.memory_budget_bytes);
      REQUIRE(batch.poll(id).ok());
    }
    while (batch.step() > 0) REQUIRE(batch.stats().memory_bytes <= options.memory_budget_bytes);
    std::size_t held = 0;
    batch.visit(id, [&](StreamSession& session) { held = session.memory_bytes(); }).throw_if_error();
    CHECK(held <= options.memory_budget_bytes);
    // There is no room for another such session now, and never for one that is twice as long.
    const StreamId other = batch.add(stream).value();
    batch.begin_turn(other, Role::assistant).throw_if_error();
    CHECK(code_of(batch.push_text(other, text)) == ErrorCode::budget_exceeded);
    CHECK(code_of(batch.push_text(other, text + text)) == ErrorCode::context_full);
    CHECK(code_of(batch.push_prompt(batch.add(stream).value(), text + text)) == ErrorCode::context_full);
    batch.remove(id).throw_if_error();
    CHECK(batch.push_text(other, text).ok());
  }
}

TEST_CASE("batch: many short messages need room for few pages", "[batch]") {
  const Guard guard = tiny_stream();
  const auto page_bytes = static_cast<std::size_t>(guard.info().kv_bytes_per_token) * 64;
  StreamBatchOptions options;
  options.memory_budget_bytes = 60 * page_bytes;
  StreamBatch batch = StreamBatch::open(guard, options).value();
  const StreamId id = batch.add().value();
  for (int i = 0; i < 40; ++i) {
    CAPTURE(i);
    batch.begin_turn(id, Role::user).throw_if_error();
    batch.push_text(id, "Go on.").throw_if_error();
    batch.end_turn(id).throw_if_error();
    REQUIRE(batch.stats().memory_bytes <= options.memory_budget_bytes);
  }
  while (batch.step() > 0) REQUIRE(batch.stats().memory_bytes <= options.memory_budget_bytes);
  int n_ends = 0;
  for (const StreamEvent& event : batch.poll(id).value())
    n_ends += event.kind == StreamEvent::Kind::turn_end ? 1 : 0;
  CHECK(n_ends == 40);
}

TEST_CASE("batch: an idle session costs what it holds", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
  for (int i = 0; i < 1000; ++i) {
    const StreamId id = batch.add().value();
    if (i % 10 == 0) REQUIRE(batch.push_prompt(id, "Hello, how are you?").ok());
  }
  while (batch.step() > 0) {
  }
  const auto page_bytes = static_cast<std::size_t>(guard.info().kv_bytes_per_token) * 64;
  CHECK(batch.stats().n_sessions == 1000);
  CHECK(batch.stats().memory_bytes < 100 * (page_bytes + 16384));
}

TEST_CASE("batch: what is wrong is an event, and the rest goes on", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
  const StreamId id = batch.add().value();
  REQUIRE(batch.push_text(id, "no turn is open").ok());
  batch.step();
  auto events = batch.poll(id).value();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == StreamEvent::Kind::error);
  CHECK(code_of(events[0].status) == ErrorCode::invalid_argument);

  // A prompt is judged as a whole or not at all.
  REQUIRE(batch.push_prompt(id, "bad \xFF text").ok());
  REQUIRE(batch.push_prompt(id, "Good text").ok());
  REQUIRE(batch.push_text(id, "An answer").ok());
  REQUIRE(batch.push_tokens(id, std::vector<TokenId>{1, 2}).ok());
  REQUIRE(batch.end_turn(id).ok());
  while (batch.step() > 0) {
  }
  events = batch.poll(id).value();
  REQUIRE(events.size() == 5);
  CHECK(code_of(events[0].status) == ErrorCode::invalid_utf8);
  CHECK(events[1].turn.prompt.has_value());
  CHECK(events[2].kind == StreamEvent::Kind::update);
  CHECK(code_of(events[3].status) == ErrorCode::invalid_argument);
  // What failed was not judged, though what the turn came to without it is Safe.
  CHECK(events[2].decision.severity == Severity::safe);
  CHECK_FALSE(events[3].decision.is_complete);
  CHECK(events[3].decision.severity == Severity::not_judged);
  CHECK(events[4].turn.role == Role::assistant);
  StreamSession fresh = guard.open_stream().value();
  fresh.push_prompt("Good text").throw_if_error();
  fresh.push_text("An answer").throw_if_error();
  fresh.end_turn().throw_if_error();
  check_close(verdicts_of(batch, id), fresh.verdicts());

  CHECK(code_of(batch.push_text(77, "x")) == ErrorCode::invalid_argument);
  CHECK(code_of(batch.remove(77)) == ErrorCode::invalid_argument);
  CHECK(batch.poll(77).error().code == ErrorCode::invalid_argument);
  CHECK(code_of(batch.visit(77, [](StreamSession&) {})) == ErrorCode::invalid_argument);
}

TEST_CASE("batch: a turn that lacks what failed is not Safe", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
  const StreamId id = batch.add().value();
  const auto judge = [&] {
    while (batch.stats().n_waiting_sessions > 0) batch.step();
    std::vector<StreamEvent> out;
    for (StreamEvent& event : batch.poll(id).value()) {
      if (event.kind != StreamEvent::Kind::overdue) out.push_back(std::move(event));
    }
    return out;
  };
  const auto push = [&](std::string_view text) { batch.push_text(id, text).throw_if_error(); };
  const auto open = [&](Role role) {
    batch.begin_turn(id, role).throw_if_error();
    push("Hello there.");
    REQUIRE(judge().size() == 1);
    push("\xFF, you");
    REQUIRE(judge().back().kind == StreamEvent::Kind::error);
  };
  const auto close = [&] {
    batch.end_turn(id).throw_if_error();
    return judge().back();
  };

  open(Role::assistant);
  push(" Goodbye.");
  const std::vector<StreamEvent> more = judge();
  REQUIRE(more.size() == 1);
  CHECK(more[0].decision.severity != Severity::safe);
  CHECK_FALSE(more[0].decision.is_complete);
  CHECK(more[0].decision.unjudged_begin == 12);
  // Who only looks changes nothing.
  REQUIRE(batch.visit(id, [](StreamSession& session) { CHECK(session.decision().is_complete); }).ok());
  const StreamEvent end = close();
  REQUIRE(end.kind == StreamEvent::Kind::turn_end);
  for (const Decision& decision : {end.decision, end.turn.decision}) {
    CHECK(decision.severity != Severity::safe);
    CHECK_FALSE(decision.is_complete);
  }

  open(Role::user);
  const StreamEvent prompt = close();
  REQUIRE(prompt.turn.prompt);
  CHECK(prompt.turn.prompt->severity != Severity::safe);
  CHECK(prompt.turn.prompt->source == VerdictSource::heads);

  // A turn of its own has all that was said, and so has one that went back before what is missing.
  batch.begin_turn(id, Role::assistant).throw_if_error();
  push("Hello there.");
  CHECK(close().turn.decision.is_complete);
  open(Role::assistant);
  push(" Goodbye.");
  REQUIRE(judge().size() == 1);
  REQUIRE(batch.visit(id, [](StreamSession& session) { session.rewind_to_byte(12).throw_if_error(); }).ok());
  push(", you.");
  CHECK(judge().back().decision.is_complete);
}

TEST_CASE("batch: what did not fit is not Safe", "[batch]") {
  const StreamEvent fresh;
  CHECK(fresh.decision.severity == Severity::not_judged);
  CHECK(fresh.turn.decision.severity == Severity::not_judged);
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
  StreamOptions options;
  options.context = ContextPolicy::stop;
  options.max_tokens = 40;
  const StreamId id = batch.add(options).value();
  batch.push_prompt(id, "Hi", 1e9).throw_if_error();
  std::string text;
  for (int i = 0; i < 30; ++i) text += " and so on";
  batch.push_text(id, text, 1e9).throw_if_error();
  batch.end_turn(id, 1e9).throw_if_error();
  while (batch.stats().n_waiting_sessions > 0) batch.step();
  const auto events = batch.poll(id).value();
  REQUIRE(events.size() == 3);
  CHECK(events[1].update.stopped_at_byte.has_value());
  CHECK(events[1].decision.severity != Severity::safe);
  CHECK_FALSE(events[2].decision.is_complete);
  CHECK(events[2].decision.severity != Severity::safe);
  CHECK_FALSE(events[2].turn.decision.is_complete);
  CHECK(events[2].turn.decision.severity != Severity::safe);
  CHECK(events[2].turn.decision.unjudged_end == static_cast<std::int64_t>(text.size()));
}

TEST_CASE("batch: sessions come with their past, and fork inside", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
  StreamSession session = guard.open_stream().value();
  session.push_prompt("Go on.").throw_if_error();
  session.push_text("Once upon").throw_if_error();
  const StreamId id = batch.add(std::move(session)).value();
  std::optional<StreamSession> copy;
  batch.visit(id, [&](StreamSession& s) { copy = s.fork().value(); }).throw_if_error();
  const StreamId fork = batch.add(std::move(*copy)).value();
  REQUIRE(batch.push_text(id, " a time").ok());
  REQUIRE(batch.push_text(fork, " a mattress").ok());
  while (batch.step() > 0) {
  }
  check_close(verdicts_of(batch, id), test::judge_whole(guard, {}, "Go on.", "Once upon a time"));
  check_close(verdicts_of(batch, fork), test::judge_whole(guard, {}, "Go on.", "Once upon a mattress"));
  // What is refused stays whole.
  const Guard other = tiny_stream();
  StreamSession foreign = other.open_stream().value();
  foreign.push_prompt("Go on.").throw_if_error();
  CHECK(batch.add(std::move(foreign)).error().code == ErrorCode::invalid_argument);
  CHECK(foreign.push_text("Once upon").ok());
  // A visitor's exception passes, and the session is free again.
  CHECK_THROWS_AS(static_cast<void>(batch.visit(id, [](StreamSession&) { throw 7; })), int);
  CHECK(batch.push_text(id, " x").ok());
  CHECK(batch.step() > 0);
}

TEST_CASE("batch: what would wait for its own visit is an error", "[batch]") {
  StreamBatch batch = StreamBatch::open(tiny_stream()).value();
  const StreamId id = batch.add().value(), other = batch.add().value();
  int n_inner = 0;
  const auto count = [&](StreamSession&) { ++n_inner; };
  batch
      .visit(id,
             [&](StreamSession&) {
               CHECK(code_of(batch.remove(id)) == ErrorCode::invalid_argument);
               CHECK(code_of(batch.visit(id, count)) == ErrorCode::invalid_argument);
               CHECK(batch.wait(id, 1e9).value().empty());
               CHECK(batch.visit(other, count).ok());
               CHECK(batch.remove(other).ok());
             })
      .throw_if_error();
  CHECK(n_inner == 1);
  // Afterwards the session is as any other, also when the visit ended by an exception.
  CHECK_THROWS_AS(batch.visit(id, [](StreamSession&) { throw 7; }).ok(), int);
  CHECK(batch.visit(id, count).ok());
  CHECK(batch.remove(id).ok());
}

TEST_CASE("batch: options out of range are named", "[batch]") {
  const Guard guard = tiny_stream();
  const auto detail = [&](const auto& change) {
    StreamBatchOptions options;
    change(options);
    const auto batch = StreamBatch::open(guard, options);
    return batch.ok() ? std::string() : batch.error().detail;
  };
  CHECK(detail([](StreamBatchOptions&) {}).empty());
  CHECK(detail([](StreamBatchOptions& o) { o.max_step_tokens = 0; }).find("max_step_tokens") !=
        std::string::npos);
  CHECK(detail([](StreamBatchOptions& o) { o.max_session_tokens = 300; }).find("max_session_tokens") !=
        std::string::npos);
  CHECK(detail([](StreamBatchOptions& o) { o.default_deadline_ms = -1; }).find("default_deadline_ms") !=
        std::string::npos);
  CHECK(detail([](StreamBatchOptions& o) { o.max_waiting_bytes = 0; }).find("max_waiting_bytes") !=
        std::string::npos);
}

TEST_CASE("batch: nothing runs when nothing waits or the time is over", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
  CHECK(batch.step() == 0);
  const StreamId id = batch.add().value();
  REQUIRE(batch.begin_turn(id, Role::assistant).ok());
  REQUIRE(batch.push_text(id, "Hello there", 1e9).ok());
  CHECK(batch.step(0, false) == 0);
  CHECK(batch.wait(id, 1).value().empty());
  while (batch.stats().n_waiting_sessions > 0) batch.step(0, true);
  CHECK(batch.wait(id, 1e5).value().size() == 1);
  CHECK(batch.wait(id, 1e5).value().empty());  // nothing is left to wait for
}

TEST_CASE("batch: a budget in which nothing fits does not end judging", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
  const StreamId id = batch.add().value();
  REQUIRE(batch.push_prompt(id, "Hello there").ok());
  REQUIRE(batch.step() > 0);  // it knows what a forward takes
  REQUIRE(batch.poll(id).value().size() == 1);
  REQUIRE(batch.push_text(id, "Go on.", 0).ok());
  bool is_judged = false;
  for (int i = 0; i < 20000 && !is_judged; ++i) {
    batch.step(1e-9, false);
    for (const StreamEvent& event : batch.poll(id).value())
      is_judged = is_judged || event.kind == StreamEvent::Kind::update;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  CHECK(is_judged);
}

TEST_CASE("batch: whoever waits is told when a deadline has passed", "[batch]") {
  const Guard guard = tiny_stream();
  StreamBatch batch = StreamBatch::open(guard).value();
  // Nobody steps.
  CHECK(batch.start().ok() == kHasThread);
  batch.stop();
  const StreamId id = batch.add().value(), other = batch.add().value();
  REQUIRE(batch.push_prompt(id, "Hello there", 1).ok());
  REQUIRE(batch.push_prompt(other, "Hello there", 1).ok());
  const auto events = batch.wait(id, 1e8).value();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == StreamEvent::Kind::overdue);
  // Who waits for a session that goes is told as well.
  std::thread remover([&] { batch.remove(other).throw_if_error(); });
  for (bool is_there = true; is_there;) {
    const auto more = batch.wait(other, 1e8);
    is_there = more.ok();
    if (!is_there) CHECK(more.error().code == ErrorCode::invalid_argument);
  }
  remover.join();
}
