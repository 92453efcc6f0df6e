// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_NO_TEAM_HPP
#define QWEN3GUARD_SRC_UTIL_NO_TEAM_HPP

#include <cstddef>

namespace qwen3guard::detail {

/// What a call has in place of threads where there are to be none: every loop runs on the caller. The same
/// functions as ThreadTeam. Thread-safe.
class NoTeam {
 public:
  /// The number that the user asked for changes nothing.
  explicit NoTeam(int /*n_threads*/ = 0) noexcept {}
  NoTeam(const NoTeam&) = delete;
  NoTeam& operator=(const NoTeam&) = delete;
  ~NoTeam() = default;

  [[nodiscard]] int n_threads() const noexcept { return 1; }

  class Call {
   public:
    explicit Call(NoTeam& /*team*/) noexcept {}
  };

  /// body(item) for every item in [0, n_items), in order. body must not throw.
  template <class Body>
  void run(std::size_t n_items, const Body& body) {
    for (std::size_t i = 0; i < n_items; ++i) body(i);
  }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_NO_TEAM_HPP
