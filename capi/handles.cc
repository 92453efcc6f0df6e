// SPDX-License-Identifier: Apache-2.0
#include "handles.hpp"

#include <array>
#include <mutex>
#include <utility>

namespace qwen3guard::capi {
namespace {

/// The only state of this library that changes and that no handle holds. Never destroyed: handles may be
/// freed by destructors that run at exit.
struct Graveyard {
  std::mutex mutex;
  std::array<HandleShell*, 1024> shells{};
  std::size_t next = 0;
};

Graveyard& graveyard() {
  static Graveyard* const only = new Graveyard;
  return *only;
}

}  // namespace

void bury(HandleShell* shell) noexcept {
  try {
    Graveyard& all = graveyard();
    {
      const std::lock_guard lock(all.mutex);
      std::swap(shell, all.shells[all.next]);
      all.next = (all.next + 1) % all.shells.size();
    }
    delete shell;
  } catch (...) {
    // No memory for the graveyard: the shell stays where it is, for good.
  }
}

}  // namespace qwen3guard::capi
