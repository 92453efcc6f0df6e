// SPDX-License-Identifier: Apache-2.0
#include "handles.hpp"

#include <mutex>
#include <string>
#include <utility>

namespace qwen3guard::capi {
namespace {

constexpr std::uint32_t kDeadMagic = 0xDEAD5147;
/// How many handles must have been freed after one before its shell is used again.
constexpr std::size_t kRest = 1024;

/// Shells of freed handles, a queue through HandleShell::object. The only state of this library that changes
/// and that no handle holds.
struct Resting {
  std::mutex mutex;
  HandleShell* oldest = nullptr;
  HandleShell* newest = nullptr;
  std::size_t n_shells = 0;
};

/// Never destroyed: handles may be freed by destructors that run at exit.
Resting& resting() noexcept {
  alignas(Resting) static unsigned char storage[sizeof(Resting)];
  static auto* const only = ::new (static_cast<void*>(storage)) Resting;
  return *only;
}

HandleShell* rested_shell() noexcept {
  Resting& all = resting();
  const std::lock_guard lock(all.mutex);
  if (all.n_shells <= kRest) return nullptr;
  --all.n_shells;
  return std::exchange(all.oldest, static_cast<HandleShell*>(all.oldest->object));
}

void put_to_rest(HandleShell* shell) noexcept {
  shell->object = nullptr;
  Resting& all = resting();
  const std::lock_guard lock(all.mutex);
  if (all.n_shells++ == 0) {
    all.oldest = shell;
  } else {
    all.newest->object = shell;
  }
  all.newest = shell;
}

}  // namespace

HandleShell* new_shell(std::uint32_t magic, void* object, void (*destroy)(void*) noexcept) {
  HandleShell* shell = rested_shell();
  if (shell == nullptr) shell = new HandleShell{};
  shell->object = object;
  shell->destroy = destroy;
  shell->magic.store(magic, std::memory_order_relaxed);
  shell->n_users.store(1, std::memory_order_release);
  return shell;
}

bool enter(HandleShell* shell, std::uint32_t magic) noexcept {
  // Before anything is written: it may be no shell at all.
  if (shell->magic.load(std::memory_order_relaxed) != magic) return false;
  // Never up from 0: then nobody keeps the object.
  std::uint32_t n_users = shell->n_users.load(std::memory_order_relaxed);
  do {
    if (n_users == 0) return false;
  } while (!shell->n_users.compare_exchange_weak(n_users, n_users + 1, std::memory_order_acquire,
                                                 std::memory_order_relaxed));
  // Again, now that the object is kept: it may have been freed between the two.
  if (shell->magic.load(std::memory_order_acquire) == magic) return true;
  leave(shell);
  return false;
}

void leave(HandleShell* shell) noexcept {
  if (shell->n_users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (shell->destroy != nullptr) shell->destroy(shell->object);
  put_to_rest(shell);
}

bool kill(HandleShell* shell, std::uint32_t magic) noexcept {
  return shell->magic.compare_exchange_strong(magic, kDeadMagic);
}

void* take_object(HandleShell* shell, std::uint32_t magic) noexcept {
  if (!kill(shell, magic)) return nullptr;
  std::uint32_t only_the_owner = 1;
  void* const object = shell->object;
  if (!shell->n_users.compare_exchange_strong(only_the_owner, 0, std::memory_order_acq_rel)) {
    shell->magic.store(magic, std::memory_order_release);
    return nullptr;
  }
  put_to_rest(shell);
  return object;
}

void bad_handle(const char* type, bool is_null) {
  throw CallError(Q3G_E_BAD_HANDLE,
                  std::string(type) + (is_null ? " is NULL" : ": freed already, or no handle of this type"));
}

}  // namespace qwen3guard::capi
