// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_UTIL_TEAM_LOOPS_HPP
#define QWEN3GUARD_TESTS_UNIT_UTIL_TEAM_LOOPS_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

namespace q3g_test {

/// True when every item of a loop was run exactly once, and its writes are visible.
template <class Team>
bool runs_each_once(Team& team, std::size_t n_items) {
  std::vector<int> counts(n_items, 0);
  team.run(n_items, [&](std::size_t i) { ++counts[i]; });
  for (const int n : counts) {
    if (n != 1) return false;
  }
  return true;
}

/// Runs a loop that ends when all threads of the team are in it, so that none is still starting when the
/// process forks: a thread that starts may hold a lock of the sanitizers' allocator, which the child would
/// wait for. False when a thread has not come after a minute.
template <class Team>
bool all_have_come(Team& team) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  const int n_threads = team.n_threads();
  std::atomic<int> n_inside{0};
  team.run(static_cast<std::size_t>(n_threads), [&](std::size_t) {
    ++n_inside;
    while (n_inside < n_threads && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  });
  return n_inside == n_threads && std::chrono::steady_clock::now() < end;
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_UNIT_UTIL_TEAM_LOOPS_HPP
