// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/call_store.hpp"

#include <chrono>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "q3g_catch.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;
using std::chrono::seconds;

namespace {

CallKey key_of(const std::string& call_id) { return {"gateway", "user", call_id}; }

std::shared_ptr<const ChatMessages> said(const std::string& text) {
  ChatMessages out;
  out.messages.push_back({Role::user, text});
  return std::make_shared<const ChatMessages>(std::move(out));
}

/// What a call costs that says nothing.
constexpr std::size_t kEmptyBytes = 128 + sizeof(CallKey) + sizeof(CallStore::Call) + 7 + 4 + 1;

CallStore make_store(const CallLimits& limits) {
  return {limits, [](CallStore::Call&) {}, [](CallStore::Call&) {}};
}

/// A store whose clock the test moves, and the calls whose sessions it has let go of.
struct Fixture {
  explicit Fixture(const Guard& guard, const CallLimits& limits)
      : pool(guard, {}),
        store(
            limits,
            [this](CallStore::Call& call) {
              if (fails) throw std::bad_alloc();
              gone.insert(call.request_id);
            },
            [this](CallStore::Call& call) { recorded.push_back(call.said.front().text); }) {}
  CallStore::Call* open(const std::string& id, bool has_sessions = true) {
    CallStore::Call* call = store.open(key_of(id), now);
    if (call == nullptr) return nullptr;
    call->request_id = id;
    if (has_sessions && !call->sessions)
      store.give(*call, std::make_shared<GuardedCall>(pool, StreamOptions(), HoldBackOptions()));
    return call;
  }
  StreamPool pool;
  std::set<std::string> gone;
  std::vector<std::string> recorded;
  bool fails = false;
  CallStore store;
  CallStore::Clock::time_point now;
};

}  // namespace

TEST_CASE("call store: nobody else's call is found", "[server]") {
  CallStore store = make_store({});
  REQUIRE(store.open(key_of("a"), {}) != nullptr);
  CHECK(store.find(key_of("a")) != nullptr);
  CHECK(store.find({"other", "user", "a"}) == nullptr);
  CHECK(store.find({"gateway", "other", "a"}) == nullptr);
  CHECK(store.find(key_of("b")) == nullptr);
}

TEST_CASE("call store: sessions rest for a while and calls are remembered for longer", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  Fixture f(*guard, {});
  f.open("a");
  f.open("b")->n_steps = 1;
  f.now += seconds(16);
  f.store.sweep(f.now);
  CHECK(f.gone == std::set<std::string>{"a"});
  CHECK(f.store.n_with_sessions() == 1);
  CHECK(f.store.n_calls() == 2);
  f.now += seconds(285);
  f.store.sweep(f.now);
  CHECK(f.store.n_calls() == 1);
  CHECK(f.store.find(key_of("b"))->sessions != nullptr);
  f.store.find(key_of("b"))->n_steps = 0;
  f.store.sweep(f.now);
  CHECK(f.store.n_calls() == 0);
  CHECK(f.store.n_with_sessions() == 0);
}

TEST_CASE("call store: sessions that were used least lately make room, those at work do not", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  CallLimits limits;
  limits.max_sessions = 2;
  Fixture f(*guard, limits);
  f.open("a");
  f.now += seconds(1);
  f.open("b");
  REQUIRE(f.store.make_room_for_sessions());
  CHECK(f.gone == std::set<std::string>{"a"});
  f.now += seconds(1);
  f.open("a")->n_steps = 1;
  f.store.find(key_of("b"))->n_steps = 1;
  CHECK_FALSE(f.store.make_room_for_sessions());
  CHECK_FALSE(f.store.let_go_of_one());
  f.store.end_all();
  CHECK(f.store.n_with_sessions() == 2);
}

TEST_CASE("call store: what throws leaves the sessions counted, and the next time goes on", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  Fixture f(*guard, {});
  f.open("a");
  f.now += seconds(16);
  f.fails = true;
  CHECK_THROWS_AS(f.store.sweep(f.now), std::bad_alloc);
  CHECK_THROWS_AS(f.store.end_all(), std::bad_alloc);
  CHECK(f.store.n_with_sessions() == 1);
  f.fails = false;
  f.store.sweep(f.now);
  CHECK(f.gone == std::set<std::string>{"a"});
  CHECK(f.store.n_with_sessions() == 0);
}

TEST_CASE("call store: what was said is recorded when it is over, not when its sessions make room",
          "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  Fixture f(*guard, {});
  f.store.say(*f.open("a"), {{"so far", {}}});
  REQUIRE(f.store.let_go_of_one());
  CHECK(f.recorded.empty());
  f.store.say(*f.open("a"), {{"so far, and more", {}}});
  f.now += seconds(16);
  f.store.sweep(f.now);
  f.store.sweep(f.now);
  f.store.end_all();
  CHECK(f.recorded == std::vector<std::string>{"so far, and more"});
}

TEST_CASE("call store: what was answered is forgotten first, then what rests of whoever has most",
          "[server]") {
  CallLimits limits;
  limits.max_calls = 4;
  CallStore store = make_store(limits);
  CallStore::Clock::time_point now;
  const CallKey other{"gateway", "other", "a"};
  REQUIRE(store.open(other, now) != nullptr);
  for (const char* const id : {"a", "b", "c"}) REQUIRE(store.open(key_of(id), now += seconds(1)) != nullptr);
  CHECK(store.open(key_of("d"), now) == nullptr);  // nothing rests yet
  now += seconds(15);
  store.find(key_of("b"))->is_answered = true;
  CHECK(store.open(key_of("d"), now) != nullptr);
  CHECK(store.find(key_of("b")) == nullptr);
  store.find(key_of("a"))->n_steps = 1;
  CHECK(store.open(key_of("e"), now) != nullptr);
  CHECK(store.find(key_of("c")) == nullptr);
  CHECK(store.find(key_of("a")) != nullptr);
  CHECK(store.find(other) != nullptr);  // it is the oldest, but one against three
}

TEST_CASE("call store: what is at work is not forgotten", "[server]") {
  CallStore store = make_store({});
  store.open(key_of("a"), {})->n_steps = 1;
  store.forget(key_of("a"));
  store.sweep(CallStore::Clock::time_point() + std::chrono::hours(1));
  REQUIRE(store.find(key_of("a")) != nullptr);
  store.find(key_of("a"))->n_steps = 0;
  store.forget(key_of("a"));
  CHECK(store.n_calls() == 0);
}

TEST_CASE("call store: the bytes of all that is remembered are bounded and given back", "[server]") {
  CallLimits limits;
  limits.max_bytes = kEmptyBytes + sizeof(ChatMessages) + sizeof(Message) + 10;
  CallStore store = make_store(limits);
  CallStore::Call* call = store.open(key_of("a"), {});
  store.remember(*call, said("0123456789"));
  CHECK(store.open(key_of("b"), {}) == nullptr);
  store.remember(*call, said("012"));
  CHECK(store.open(key_of("b"), {}) != nullptr);
  store.forget(key_of("b"));
  // Messages without a word, and answers, cost memory, too.
  ChatMessages empty;
  empty.messages.resize(2);
  store.remember(*call, std::make_shared<const ChatMessages>(empty));
  CHECK(store.open(key_of("b"), {}) == nullptr);
  store.remember(*call, said(""));
  store.say(*call, {{"0123456789", {}}});
  CHECK(store.open(key_of("b"), {}) == nullptr);
  store.end(*call);
  CHECK(store.open(key_of("b"), {}) != nullptr);
}

TEST_CASE("call store: calls that say nothing fill it, too", "[server]") {
  CallLimits limits;
  limits.max_bytes = 3 * kEmptyBytes;
  CallStore store = make_store(limits);
  for (const char* const id : {"a", "b", "c"}) CHECK(store.open(key_of(id), {}) != nullptr);
  CHECK(store.open(key_of("d"), {}) == nullptr);
}
