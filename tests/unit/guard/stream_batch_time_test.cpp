// SPDX-License-Identifier: Apache-2.0
// Budgets and deadlines of batches, by a clock that the tests turn.
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "guard/batch/stream_batch_impl.hpp"
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

namespace {

/// Stands still but when a forward runs, which takes what the test says, or when the test waits.
class TestTime final : public detail::TimeSource {
 public:
  [[nodiscard]] TimePoint now() const noexcept override {
    return TimePoint(
        std::chrono::duration_cast<TimePoint::duration>(std::chrono::duration<double, std::milli>(now_ms)));
  }
  void end_forward(std::size_t n_rows) noexcept override {
    const double took_ms = cost_ms(n_rows);
    now_ms += took_ms;
    busy_ms += took_ms;
    most_rows = std::max(most_rows, n_rows);
  }

  double now_ms = 1000, busy_ms = 0;
  std::size_t most_rows = 0;
  std::function<double(std::size_t)> cost_ms = [](std::size_t) { return 1.0; };
};

/// A batch in frames of a host.
struct Host {
  explicit Host(const StreamBatchOptions& options = {}, const char* guard = "stream")
      : batch(StreamBatch::Impl::open(test::load_tiny(guard).value(), options, time).value()) {}

  /// A session with an open turn of the assistant's.
  StreamId add() {
    const StreamId id = batch.add().value();
    batch.begin_turn(id, Role::assistant).throw_if_error();
    return id;
  }
  void push(StreamId id, std::string_view text, double deadline_ms = -1) {
    batch.push_text(id, text, deadline_ms).throw_if_error();
  }
  /// Frames of 16 ms that have so much left.
  void frame(double budget_ms) {
    const double end_ms = time->now_ms + 16;
    batch.step(budget_ms, false);
    time->now_ms = std::max(time->now_ms, end_ms);
  }
  void judge_all() {
    while (batch.stats().n_waiting_sessions > 0) batch.step();
  }
  std::map<StreamEvent::Kind, int> poll(StreamId id) {
    std::map<StreamEvent::Kind, int> out;
    for (const StreamEvent& event : batch.poll(id).value()) {
      ++out[event.kind];
      last = event;
    }
    return out;
  }

  std::shared_ptr<TestTime> time = std::make_shared<TestTime>();
  StreamBatch batch;
  StreamEvent last;
};

using Kind = StreamEvent::Kind;

std::string novel(int n_words) {
  std::string out;
  for (int i = 0; i < n_words; ++i) out += " and so on";
  return out;
}

}  // namespace

TEST_CASE("batch: one slow forward stops nothing", "[batch]") {
  Host host;
  const StreamId id = host.add();
  host.time->cost_ms = [](std::size_t) { return 13.0; };
  host.push(id, "Once");
  host.judge_all();
  host.time->cost_ms = [](std::size_t) { return 1.0; };
  static_cast<void>(host.poll(id));
  host.push(id, " upon a time", 100);
  double waited_ms = 0;
  for (int i = 0; i < 2000; ++i) {
    host.frame(12);
    if (host.poll(id)[Kind::update] > 0) {
      waited_ms = host.last.waited_ms;
      break;
    }
  }
  CHECK(waited_ms > 0);
  CHECK(waited_ms <= 100 + 2 * 16);
  // And what it has learned from the slow one is forgotten.
  for (int i = 0; i < 20; ++i) {
    host.push(id, " there was", 100);
    host.frame(12);
    CHECK(host.poll(id)[Kind::update] == 1);
    CHECK_FALSE(host.last.is_late);
  }
}

TEST_CASE("batch: no deadline is so far that work would wait for it in vain", "[batch]") {
  Host host;
  const StreamId id = host.add();
  host.time->cost_ms = [](std::size_t) { return 13.0; };
  host.push(id, "Once");
  host.judge_all();
  static_cast<void>(host.poll(id));
  host.push(id, " upon", 1e12);
  int n_frames = 0;
  for (; host.poll(id)[Kind::update] == 0; ++n_frames) {
    REQUIRE(n_frames < 60);
    host.frame(12);
  }
}

TEST_CASE("batch: where no forward ever fits, all is judged and the host keeps half of its time", "[batch]") {
  for (const double budget_ms : {12.0, 0.5, 0.0, -3.0}) {
    CAPTURE(budget_ms);
    Host host;
    host.time->cost_ms = [](std::size_t n) { return 40 + 0.1 * static_cast<double>(n); };
    const StreamId one = host.add(), two = host.add();
    std::map<StreamId, int> n_judged, n_pushed;
    int n_overdue = 0, n_late = 0;
    const auto take = [&] {
      for (const StreamId id : {one, two}) {
        for (const StreamEvent& event : host.batch.poll(id).value()) {
          n_judged[id] += event.kind == Kind::update ? 1 : 0;
          n_overdue += event.kind == Kind::overdue ? 1 : 0;
          n_late += event.kind == Kind::update && event.is_late ? 1 : 0;
        }
      }
    };
    const double begin_ms = host.time->now_ms, begin_busy_ms = host.time->busy_ms;
    for (int i = 0; i < 600; ++i) {
      if (i % 60 == 0) {
        host.push(i % 120 == 0 ? one : two, " there was", 50);
        ++n_pushed[i % 120 == 0 ? one : two];
      }
      host.frame(budget_ms);
      take();
    }
    CHECK(n_judged == n_pushed);
    CHECK(n_overdue == n_late);
    CHECK(host.time->busy_ms - begin_busy_ms <= (host.time->now_ms - begin_ms) / 2);
    CHECK(host.batch.stats().n_waiting_sessions == 0);
  }
}

TEST_CASE("batch: a checkpoint that writes its verdicts keeps to budgets, too", "[batch]") {
  StreamBatchOptions options;
  options.max_step_tokens = options.max_session_tokens = 1;
  Host host(options, "gen");
  host.time->cost_ms = [](std::size_t n) { return 30.0 * static_cast<double>(n); };
  std::vector<StreamId> ids;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(host.batch.add().value());
    host.batch.push_prompt(ids.back(), "Hello there", 1000).throw_if_error();
  }
  host.judge_all();
  for (const StreamId id : ids) CHECK(host.poll(id)[Kind::turn_end] == 1);
  for (const StreamId id : ids) host.push(id, "Well met.", 1000);
  CHECK(host.batch.step(29, false) == 0);
  CHECK(host.batch.step(31, false) > 0);  // one of them
  CHECK(host.batch.stats().n_waiting_sessions == 5);
  for (int i = 0; i < 60; ++i) host.frame(0);
  CHECK(host.batch.stats().n_waiting_sessions == 5);
  for (int i = 0; i < 60; ++i) host.frame(0);  // past the deadline
  CHECK(host.batch.stats().n_waiting_sessions == 0);
}

TEST_CASE("batch: without a budget there is one short forward when it must run, or none in time", "[batch]") {
  Host host;
  host.time->cost_ms = [](std::size_t n) { return static_cast<double>(n); };
  const StreamId id = host.add();
  host.push(id, novel(300), 100);
  CHECK(host.batch.step(0, false) == 0);
  CHECK(host.time->most_rows == 0);
  for (int i = 0; i < 10; ++i) {
    const auto n_steps = host.batch.stats().n_steps;
    host.batch.step(0, true);
    CHECK(host.batch.stats().n_steps == n_steps + 1);
  }
  CHECK(host.time->most_rows <= 8);
  // Past its deadline, and in time again after as long as it took.
  host.time->now_ms += 100;
  host.time->cost_ms = [](std::size_t) { return 40.0; };
  auto n_steps = host.batch.stats().n_steps;
  host.batch.step(0, false);
  CHECK(host.batch.stats().n_steps == ++n_steps);
  host.batch.step(0, false);
  host.time->now_ms += 39;
  host.batch.step(0, false);
  CHECK(host.batch.stats().n_steps == n_steps);
  host.time->now_ms += 2;
  host.batch.step(0, false);
  CHECK(host.batch.stats().n_steps == ++n_steps);
}

TEST_CASE("batch: a deadline that passes is said once for each push", "[batch]") {
  Host host;
  const StreamId id = host.add();
  // The opening of a turn has no verdict.
  host.time->now_ms += 1e6;
  CHECK(host.batch.poll(id).value().empty());
  CHECK(host.batch.stats().oldest_waiting_ms == 0);

  host.push(id, "One", 100);
  host.time->now_ms += 60;
  host.push(id, " two", 100);  // waits with it
  CHECK(host.batch.stats().n_overdue_sessions == 0);
  CHECK(host.batch.stats().oldest_waiting_ms == Approx(60));
  CHECK(host.batch.poll(id).value().empty());
  host.time->now_ms += 50;
  CHECK(host.batch.stats().n_overdue_sessions == 1);
  CHECK(host.poll(id) == std::map<Kind, int>{{Kind::overdue, 1}});
  CHECK(host.last.waited_ms == Approx(110));
  CHECK(host.last.is_late);
  CHECK(host.last.update.tokens.empty());
  CHECK(host.last.decision.severity == Severity::not_judged);
  CHECK_FALSE(host.last.decision.is_complete);
  CHECK(host.last.status.ok());
  CHECK(host.batch.poll(id).value().empty());
  host.time->now_ms += 60;
  CHECK(host.poll(id) == std::map<Kind, int>{{Kind::overdue, 1}});
  host.time->now_ms += 1e6;
  CHECK(host.batch.poll(id).value().empty());
  CHECK(host.batch.stats().oldest_waiting_ms == Approx(1e6 + 170));

  // Another push has another deadline.
  REQUIRE(host.batch.end_turn(id, 10).ok());
  REQUIRE(host.batch.push_prompt(id, "Hello", 20).ok());
  host.time->now_ms += 15;
  CHECK(host.poll(id) == std::map<Kind, int>{{Kind::overdue, 1}});
  host.time->now_ms += 15;
  CHECK(host.poll(id) == std::map<Kind, int>{{Kind::overdue, 1}});  // once for a prompt
  host.judge_all();
  CHECK(host.poll(id) == std::map<Kind, int>{{Kind::update, 1}, {Kind::turn_end, 2}});
  const StreamBatchStats stats = host.batch.stats();
  CHECK(stats.n_late == 3);
  CHECK(stats.n_overdue_sessions == 0);
  CHECK(stats.oldest_waiting_ms == 0);

  // A verdict that comes late but before anybody asks is late, not overdue.
  REQUIRE(host.batch.push_text(id, "Hello", 10).ok());
  host.time->now_ms += 50;
  host.judge_all();
  CHECK(host.poll(id) == std::map<Kind, int>{{Kind::update, 1}});
  CHECK(host.last.is_late);
}

TEST_CASE("batch: text that is judged by parts is overdue until its verdict comes", "[batch]") {
  StreamBatchOptions options;
  options.max_step_tokens = options.max_session_tokens = 16;
  Host host(options);
  const StreamId id = host.add();
  host.push(id, novel(50), 5);
  host.batch.step(1, true);
  host.time->now_ms += 10;
  REQUIRE(host.batch.stats().n_waiting_sessions == 1);
  CHECK(host.batch.stats().n_overdue_sessions == 1);
  CHECK(host.poll(id) == std::map<Kind, int>{{Kind::overdue, 1}});
  host.judge_all();
  CHECK(host.poll(id) == std::map<Kind, int>{{Kind::update, 1}});
}

TEST_CASE("batch: what is taken away while it waits takes nothing with it", "[batch]") {
  StreamBatchOptions options;
  options.max_step_tokens = options.max_session_tokens = 16;
  Host host(options);
  const StreamId id = host.add(), other = host.add();
  host.push(id, novel(50), 5);
  host.push(other, novel(50), 50);
  host.batch.step(1, true);
  host.time->now_ms += 10;
  REQUIRE(host.batch.stats().n_overdue_sessions == 1);
  REQUIRE(host.batch.remove(id).ok());
  CHECK(host.batch.stats().n_overdue_sessions == 0);
  CHECK(host.batch.stats().n_waiting_sessions == 1);
  CHECK(host.batch.poll(id).error().code == ErrorCode::invalid_argument);
  host.judge_all();
  CHECK(host.poll(other) == std::map<Kind, int>{{Kind::update, 1}});
  REQUIRE(host.batch.remove(other).ok());
  CHECK(host.batch.stats().memory_bytes == 0);
}

TEST_CASE("batch: the earliest deadline goes first, and a long text holds nobody up", "[batch]") {
  StreamBatchOptions options;
  options.max_step_tokens = 64;
  options.max_session_tokens = 32;
  Host host(options);
  host.time->cost_ms = [](std::size_t) { return 10.0; };
  const StreamId warm = host.add();
  host.push(warm, novel(100), 1000);
  const StreamId warm_too = host.add();
  host.push(warm_too, novel(100), 1000);
  host.judge_all();
  const auto one_forward = [&] {
    const auto n_steps = host.batch.stats().n_steps;
    host.batch.step(10);
    REQUIRE(host.batch.stats().n_steps == n_steps + 1);
  };
  const StreamId big = host.add(), first = host.add(), second = host.add();
  host.push(big, novel(500), 1000);
  one_forward();
  CHECK(host.batch.poll(big).value().empty());  // not all of it is judged
  host.push(second, "Hello there", 900);
  host.push(first, "Hello there", 10);
  one_forward();
  CHECK(host.batch.poll(first).value().size() == 1);
  CHECK(host.batch.poll(second).value().size() == 1);
  CHECK(host.poll(big)[Kind::update] == 0);
  CHECK(host.batch.stats().n_waiting_sessions == 1);
  // Late comers with later deadlines do not starve it.
  for (int i = 0; i < 400 && host.batch.stats().n_waiting_sessions > 0; ++i) {
    if (i < 100) host.push(second, " x", 5000);
    one_forward();
  }
  int n_tokens = 0;
  for (const StreamEvent& event : host.batch.poll(big).value())
    n_tokens += static_cast<int>(event.update.tokens.size());
  CHECK(n_tokens >= 1500);
}

TEST_CASE("batch: under overload everybody has a share", "[batch]") {
  StreamBatchOptions options;
  options.max_step_tokens = 8;  // a long text fills a forward by itself
  options.max_session_tokens = 8;
  Host host(options);
  host.time->cost_ms = [](std::size_t) { return 10.0; };
  std::vector<StreamId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(host.add());
  // Three say more than can be judged for a long time, in one piece and in many; three say a word.
  for (int i = 0; i < 2; ++i) host.push(ids[static_cast<std::size_t>(i)], novel(250), 50);
  for (int i = 0; i < 8; ++i) host.push(ids[2], novel(30), 50);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 3; i < 6; ++i) host.push(ids[i], " word", 50);
    for (int n = 0; n < 14; ++n) host.frame(12);
    for (std::size_t i = 3; i < 6; ++i) CHECK(host.poll(ids[i])[Kind::update] == 1);
    for (std::size_t i = 0; i < 2; ++i) CHECK(host.poll(ids[i])[Kind::update] == 0);
  }
  // Fresh ones with short deadlines do not keep the late ones from going on, nor does a host that looks at
  // them.
  for (int n = 0; n < 20000 && host.batch.stats().n_waiting_sessions > 0; ++n) {
    for (std::size_t i = 3; i < 6; ++i) {
      if (n < 200) host.push(ids[i], " w", 1);
      static_cast<void>(host.poll(ids[i]));
    }
    host.frame(12);
    for (std::size_t i = 0; i < 2; ++i) host.batch.visit(ids[i], [](StreamSession&) {}).throw_if_error();
  }
  CHECK(host.batch.stats().n_waiting_sessions == 0);
}

TEST_CASE("batch: where there is no time for everything, one is finished after the other", "[batch]") {
  Host host;
  host.time->cost_ms = [](std::size_t n) { return 25.0 * static_cast<double>(n); };
  std::vector<StreamId> ids;
  for (int i = 0; i < 20; ++i) {
    ids.push_back(host.add());
    host.push(ids.back(), novel(7), i);
  }
  // 25 rows each, and the opening of a turn.
  while (host.batch.stats().n_waiting_sessions > 15) {
    REQUIRE(host.batch.stats().n_steps < 250);
    host.frame(12);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) CHECK(host.poll(ids[i])[Kind::update] == (i < 5 ? 1 : 0));
}

TEST_CASE("batch: what waits in front of something urgent is as urgent", "[batch]") {
  StreamBatchOptions options;
  options.max_step_tokens = options.max_session_tokens = 1;
  Host host(options);
  const StreamId one = host.add(), two = host.add();
  host.push(two, "Hello there", 500);
  host.push(one, "Hello", 1000);
  REQUIRE(host.batch.end_turn(one, 5).ok());
  const StreamId joined = host.add();
  host.push(joined, "Hello", 2000);
  host.push(joined, " there", 10);
  std::vector<StreamId> order;
  while (order.size() < 4) {
    host.batch.step(0, true);
    for (const StreamId id : {one, two, joined}) {
      for (const StreamEvent& event : host.batch.poll(id).value()) {
        if (event.kind != Kind::overdue) order.push_back(id);
      }
    }
  }
  CHECK(order == std::vector<StreamId>{one, one, joined, two});
}
