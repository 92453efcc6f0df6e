// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/guarded_answer.hpp"

#include <condition_variable>
#include <mutex>
#include <random>

#include "q3g_catch.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

using Kind = GuardEvent::Kind;
using Pieces = std::vector<ChoicePiece>;

ChoicePiece piece_of(std::string text, Channel channel = {}, int choice = 0) {
  ChoicePiece out;
  out.index = choice;
  out.parts.push_back({channel, std::move(text), "", ""});
  return out;
}
ChoicePiece end_of(int choice = 0) {
  ChoicePiece out;
  out.index = choice;
  out.finish_reason = "stop";
  return out;
}

/// An answer on a pool, and what it has emitted.
class Chat {
 public:
  Chat(StreamPool& pool, const GuardSetup& setup, const std::string& prompt)
      : pool_(pool),
        answer_(std::make_shared<GuardedAnswer>(pool.guard(), setup, [this](const GuardEvents& events) {
          const std::lock_guard lock(mutex_);
          events_.insert(events_.end(), events.begin(), events.end());
          changed_.notify_all();
        })) {
    ChatMessages asked;
    asked.messages = {{Role::user, prompt}};
    pool_.post([this, asked](StreamBatch& batch) {
      answer_->begin(batch, asked);
      pool_.wait_for(answer_);
    });
  }
  ~Chat() {
    bool is_closed = false;
    pool_.post([&](StreamBatch& batch) {
      answer_->close(batch);
      const std::lock_guard lock(mutex_);
      is_closed = true;
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_closed; });
  }

  void take(Pieces pieces) {
    pool_.post([this, pieces = std::move(pieces)](StreamBatch& batch) { answer_->take(batch, pieces); });
  }

  /// Waits for so many events that end a choice, the prompt or the whole.
  [[nodiscard]] GuardEvents wait(std::size_t n_ends) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      std::size_t n = 0;
      for (const GuardEvent& event : events_) {
        n += event.kind == Kind::finished || event.kind == Kind::blocked ? 1 : 0;
        if (event.kind == Kind::failed || event.kind == Kind::prompt_blocked) n = n_ends;
      }
      return n >= n_ends;
    });
    return events_;
  }

 private:
  StreamPool& pool_;
  std::mutex mutex_;
  std::condition_variable changed_;
  GuardEvents events_;
  std::shared_ptr<GuardedAnswer> answer_;
};

std::string text_of(const GuardEvents& events, int choice = 0, Channel channel = {}) {
  std::string out;
  for (const GuardEvent& event : events) {
    if (event.kind == Kind::text && event.choice == choice && event.channel == channel) out += event.text;
  }
  return out;
}

Kind end_kind(const GuardEvents& events, int choice = 0) {
  for (const GuardEvent& event : events) {
    const bool is_end =
        event.kind == Kind::finished || event.kind == Kind::blocked || event.kind == Kind::failed;
    if (is_end && event.choice == choice) return event.kind;
  }
  return Kind::judged;
}

/// The same by the library's own way: a session, and a hold-back over it.
std::string shown_by_library(const Guard& guard, const GuardSetup& setup, const std::string& prompt,
                             const std::vector<std::string>& pieces, HoldBackState& state) {
  StreamSession session = guard.open_stream(setup.stream).value();
  static_cast<void>(session.push_prompt(prompt).value());
  HoldBack hold_back = HoldBack::over(session, setup.hold_back).value();
  std::string shown;
  for (const std::string& piece : pieces) {
    hold_back.put(piece).throw_if_error();
    shown += hold_back.take().value().text;
    if (hold_back.state() != HoldBackState::writing) break;
  }
  if (hold_back.state() == HoldBackState::writing) {
    hold_back.finish().throw_if_error();
    shown += hold_back.take().value().text;
  }
  state = hold_back.state();
  return shown;
}

std::vector<std::string> cut(const std::string& text, std::mt19937& random, std::size_t most) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t n = 1 + random() % most;
    out.push_back(text.substr(begin, n));
    begin += n;
  }
  return out;
}

const std::string kKind =
    "Well met, traveller. The bridge fell last winter, but the ferryman will take you across. ";
const std::string kInsult = "You are a worthless idiot and nobody likes you, burn in hell. ";

}  // namespace

TEST_CASE("guarded answer: what leaves is what the library's hold-back lets out", "[server][proxy]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const char* kind : {"stream", "gen"}) {
    const auto guard = test::load_tiny(kind);
    if (!guard.ok()) Q3G_SKIP("built without models");
    StreamPool pool(*guard, {});
    for (int round = 0; round < 30; ++round) {
      GuardSetup setup;
      setup.hold_back.buffer_tokens = static_cast<std::int32_t>(4 + random() % 40);
      std::string text;
      for (int i = 0; i < 6; ++i) text += random() % 4 == 0 ? kInsult : kKind;
      text += "\xE4\xB8\xAD\xF0\x9F\x98\x80";
      const auto pieces = cut(text, random, 1 + random() % 40);
      HoldBackState state = HoldBackState::writing;
      const std::string expected = shown_by_library(*guard, setup, "Hello!", pieces, state);
      Chat chat(pool, setup, "Hello!");
      for (const std::string& piece : pieces) chat.take({piece_of(piece)});
      chat.take({end_of()});
      const GuardEvents events = chat.wait(1);
      CAPTURE(kind, text, setup.hold_back.buffer_tokens);
      CHECK((end_kind(events) == Kind::blocked) == (state == HoldBackState::blocked));
      // Pieces that wait together are judged together, and a Gen checkpoint's verdicts fall in other places.
      if (std::string(kind) == "stream") CHECK(text_of(events) == expected);
      CHECK(text.starts_with(text_of(events)));
    }
  }
}

TEST_CASE("guarded answer: channels and choices are judged by themselves", "[server][proxy]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  StreamPool pool(*guard, {});
  Chat chat(pool, {}, "Hello!");
  const Channel reasoning = {Field::reasoning_content, 0};
  for (int i = 0; i < 8; ++i) {
    chat.take({piece_of(kKind, reasoning, 0), piece_of(kInsult, {}, 1), piece_of(kKind, {}, 2)});
    chat.take({piece_of("Yes. ", {}, 0)});
  }
  chat.take({end_of(0), end_of(1), end_of(2)});
  const GuardEvents events = chat.wait(3);
  std::string thought, said;
  for (int i = 0; i < 8; ++i) thought += kKind, said += "Yes. ";
  CHECK(text_of(events, 0, reasoning) == thought);
  CHECK(text_of(events, 0) == said);
  CHECK(text_of(events, 2) == thought);
  CHECK(end_kind(events, 0) == Kind::finished);
  CHECK(end_kind(events, 1) == Kind::blocked);
  CHECK(end_kind(events, 2) == Kind::finished);
  // As the upstream wrote it: a piece of one channel, then one of the other.
  bool is_reasoning = true;
  std::size_t n_thought = 0, n_said = 0;
  for (const GuardEvent& event : events) {
    if (event.kind != Kind::text || event.choice != 0) continue;
    is_reasoning = event.channel == reasoning;
    (is_reasoning ? n_thought : n_said) += event.text.size();
    if (!is_reasoning) CHECK(n_thought * 5 >= n_said * kKind.size());
  }
  CHECK(pool.stats().n_sessions == 1);  // the prompt's
}

TEST_CASE("guarded answer: a prompt that is blocked ends it, unless it is only watched", "[server][proxy]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  StreamPool pool(*guard, {});
  GuardSetup setup;
  PolicySpec spec;
  spec.lists.deny = {"zorblax"};
  auto policy = Policy::make(spec);
  if (!policy.ok()) Q3G_SKIP("built without RE2");
  setup.stream.policy = *policy;
  {
    Chat chat(pool, setup, "Where is the zorblax?");
    const GuardEvents events = chat.wait(1);
    CHECK(events.front().kind == Kind::judged);
    CHECK(events.front().is_blocked);
    CHECK(events.back().kind == Kind::prompt_blocked);
  }
  CHECK(pool.stats().n_sessions == 0);
  setup.is_monitor = true;
  Chat chat(pool, setup, "Where is the zorblax?");
  chat.take({piece_of(kKind), end_of()});
  pool.post([](StreamBatch&) {});
  for (;;) {
    const GuardEvents events = chat.wait(1);
    if (end_kind(events) == Kind::finished) break;
  }
}

TEST_CASE("guarded answer: what cannot be judged never leaves", "[server][proxy]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  const auto fails = [&](Pieces pieces, const StreamBatchOptions& options, GuardSetup setup) {
    StreamPool pool(*guard, options);
    setup.time_limit = std::chrono::milliseconds(200);
    for (const bool blocks : {false, true}) {
      setup.blocks_unjudged = blocks;
      Chat chat(pool, setup, "Hello!");
      chat.take(pieces);
      const GuardEvents events = chat.wait(1);
      const Kind last = events.back().kind;
      CHECK((last == Kind::failed || (blocks && (last == Kind::blocked || last == Kind::prompt_blocked))));
      CHECK(std::any_of(events.begin(), events.end(),
                        [](const GuardEvent& e) { return e.kind == Kind::unjudged; }));
      CHECK(text_of(events).find("bad") == std::string::npos);
    }
  };
  fails({piece_of("bad \xFF\xFF byte"), end_of()}, {}, {});
  fails({piece_of("cut \xF0\x9F"), end_of()}, {}, {});
  GuardSetup small;
  small.stream.max_tokens = 40;
  std::string words;
  for (int i = 0; i < 100; ++i) words += "bad ";
  fails({piece_of(words), end_of()}, {}, small);
  StreamBatchOptions tight;
  tight.memory_budget_bytes = 1000;
  fails({piece_of("bad"), end_of()}, tight, {});
  ChoicePiece renamed;
  renamed.parts.push_back({{Field::tool_call, 0}, "bad", "a", ""});
  renamed.parts.push_back({{Field::tool_call, 0}, "bad", "b", ""});
  fails({renamed}, {}, {});
  Pieces thrash;
  for (int i = 0; i < 1000; ++i) {
    thrash.push_back(piece_of("a", {Field::reasoning, 0}));
    thrash.push_back(piece_of("b", {Field::content, 0}));
  }
  fails(thrash, {}, {});
}
