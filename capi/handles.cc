// SPDX-License-Identifier: Apache-2.0
#include "handles.hpp"

#include <mutex>
#include <utility>

namespace qwen3guard::capi {
namespace {

/// How many handles must have been freed after one before its shell is used again.
constexpr std::size_t kRest = 1024;

/// The shells of freed handles, a queue through HandleShell::object. The only state of this library that
/// changes and that no handle holds.
struct Graveyard {
  std::mutex mutex;
  HandleShell* oldest = nullptr;
  HandleShell* newest = nullptr;
  std::size_t n_shells = 0;
};

/// Never destroyed: handles may be freed by destructors that run at exit.
Graveyard& graveyard() noexcept {
  alignas(Graveyard) static unsigned char storage[sizeof(Graveyard)];
  static auto* const only = ::new (static_cast<void*>(storage)) Graveyard;
  return *only;
}

}  // namespace

void* shell_storage() {
  Graveyard& all = graveyard();
  {
    const std::lock_guard lock(all.mutex);
    if (all.n_shells > kRest) {
      --all.n_shells;
      return std::exchange(all.oldest, static_cast<HandleShell*>(all.oldest->object));
    }
  }
  return ::operator new(sizeof(HandleShell));
}

void bury(HandleShell* shell) noexcept {
  shell->object = nullptr;
  Graveyard& all = graveyard();
  const std::lock_guard lock(all.mutex);
  if (all.n_shells++ == 0) {
    all.oldest = shell;
  } else {
    all.newest->object = shell;
  }
  all.newest = shell;
}

}  // namespace qwen3guard::capi
