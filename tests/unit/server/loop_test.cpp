// SPDX-License-Identifier: Apache-2.0
#include "server/http/loop.hpp"

#include <thread>
#include <vector>

#include "q3g_catch.hpp"

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
