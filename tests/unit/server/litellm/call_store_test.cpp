// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/call_store.hpp"

#include <chrono>
#include <memory>
#include <set>
#include <string>

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

/// A store whose clock the test moves, and the calls whose sessions it has let go of.
struct Fixture {
  explicit Fixture(const Guard& guard, const CallLimits& limits)
      : pool(guard, {}), store(limits, [this](CallStore::Call& call) { gone.insert(call.request_id); }) {}
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
  CallStore store;
  CallStore::Clock::time_point now;
};

}  // namespace

TEST_CASE("call store: nobody else's call is found", "[server]") {
  CallStore store({}, [](CallStore::Call&) {});
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
  f.store.let_go_of_all();
  CHECK(f.store.n_with_sessions() == 2);
}

TEST_CASE("call store: what waits for its answer is not forgotten for another", "[server]") {
  CallLimits limits;
  limits.max_calls = 2;
  std::size_t n_gone = 0;
  CallStore store(limits, [&](CallStore::Call&) { ++n_gone; });
  CallStore::Clock::time_point now;
  REQUIRE(store.open(key_of("a"), now) != nullptr);
  REQUIRE(store.open(key_of("b"), now) != nullptr);
  now += seconds(20);
  CHECK(store.open(key_of("c"), now) == nullptr);
  CHECK(store.open(key_of("a"), now) != nullptr);
  store.find(key_of("a"))->is_answered = true;
  CHECK(store.open(key_of("c"), now) == nullptr);  // it does not rest yet
  now += seconds(15);
  CHECK(store.open(key_of("c"), now) != nullptr);
  CHECK(store.find(key_of("a")) == nullptr);
  CHECK(n_gone == 0);
}

TEST_CASE("call store: the bytes of conversations are bounded and given back", "[server]") {
  CallLimits limits;
  limits.max_asked_bytes = 10;
  CallStore store(limits, [](CallStore::Call&) {});
  CallStore::Call* call = store.open(key_of("a"), {});
  store.remember(*call, said("0123456789"));
  CHECK(store.open(key_of("b"), {}) == nullptr);
  store.remember(*call, said("012"));
  CHECK(store.open(key_of("b"), {}) != nullptr);
  store.remember(*store.find(key_of("b")), said("0123456789"));
  CHECK(store.open(key_of("c"), {}) == nullptr);
  store.forget(key_of("b"));
  CHECK(store.open(key_of("c"), {}) != nullptr);
}
