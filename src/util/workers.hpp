// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_WORKERS_HPP
#define QWEN3GUARD_SRC_UTIL_WORKERS_HPP

#include <cstddef>

#include "util/no_team.hpp"
#include "util/openmp_team.hpp"
#include "util/thread_team.hpp"

namespace qwen3guard::detail {

// What runs the loops is chosen when the library is built: CMake's Q3G_PARALLEL, or these macros.
#if defined(Q3G_PARALLEL_OPENMP) && defined(Q3G_PARALLEL_NONE)
#error "Q3G_PARALLEL_OPENMP and Q3G_PARALLEL_NONE exclude each other"
#elif defined(Q3G_PARALLEL_OPENMP)
using Team = OpenMpTeam;
#elif defined(Q3G_PARALLEL_NONE)
using Team = NoTeam;
#else
using Team = ThreadTeam;
#endif

/// How much work is worth sharing, in multiplications of float32: some 10 microseconds.
inline constexpr std::size_t kMinParallelWork = std::size_t{1} << 18;

/// The threads that a call may use. A plain value, passed by copy; the team is borrowed, and without one
/// everything runs on the caller. Work is cut into items whose size does not depend on the number of threads,
/// so that results do not either.
class Workers {
 public:
  explicit Workers(Team* team = nullptr) noexcept
      : team_(team), n_threads_(team == nullptr ? 1 : team->n_threads()) {}

  /// At most so many items run at once. The same as long as this lives, whatever the host sets meanwhile.
  [[nodiscard]] int n_threads() const noexcept { return n_threads_; }

  /// body(item) for every item in [0, n_items); serially when `work` multiplications are not worth more.
  template <class Body>
  void run(std::size_t n_items, std::size_t work, const Body& body) const {
    if (team_ != nullptr && work >= kMinParallelWork) return team_->run(n_items, body);
    for (std::size_t i = 0; i < n_items; ++i) body(i);
  }

 private:
  Team* team_;
  int n_threads_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_WORKERS_HPP
