// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "q3g_catch.hpp"
#include "server/http/posted.hpp"

using namespace qwen3guard::server;
using namespace std::chrono_literals;

TEST_CASE("loop: what other threads post is done in their order", "[server]") {
  Loop loop;
  std::vector<int> seen;
  std::thread poster([&] {
    for (int i = 0; i < 100; ++i) loop.post([&seen, i] { seen.push_back(i); });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  poster.join();
  REQUIRE(seen.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("loop: a timer that is let go of is never called", "[server]") {
  Loop loop;
  bool is_called = false;
  auto dropped = loop.after(1ms, [&] { is_called = true; });
  // Let go of when it is due already, and before its turn.
  const auto kept = loop.after(0ms, [&] {
    std::this_thread::sleep_for(20ms);
    dropped.reset();
  });
  const auto end = loop.after(50ms, [&] { loop.stop(); });
  loop.run();
  CHECK_FALSE(is_called);
}

TEST_CASE("posted functions: called by other threads they are run, and in any case destroyed, on the loop",
          "[server]") {
  struct Owned {
    std::thread::id& destroyed_on;
    explicit Owned(std::thread::id& on) : destroyed_on(on) {}
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { destroyed_on = std::this_thread::get_id(); }
  };
  Loop loop;
  std::thread::id called_on, destroyed_on, never_called_on;
  std::string seen;
  std::thread other(
      [&,
       called =
           posted<std::string>(loop,
                               [&, owned = std::make_shared<Owned>(destroyed_on)](const std::string& text) {
                                 called_on = std::this_thread::get_id();
                                 seen = text;
                               }),
       dropped = posted<>(loop, [owned = std::make_shared<Owned>(never_called_on)] {})]() mutable {
        called("hello");
        called = nullptr;
        dropped = nullptr;
        loop.post([&] { loop.post([&] { loop.stop(); }); });
      });
  loop.run();
  other.join();
  CHECK(seen == "hello");
  for (const std::thread::id& id : {called_on, destroyed_on, never_called_on})
    CHECK(id == std::this_thread::get_id());
}
