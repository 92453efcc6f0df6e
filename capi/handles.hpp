// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CAPI_HANDLES_HPP
#define QWEN3GUARD_CAPI_HANDLES_HPP

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "call.hpp"
#include "qwen3guard.h"
#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::capi {

/// What a handle points at: a magic word that tells its type and whether it was freed, and the object. The
/// opaque types of the header are defined nowhere.
struct HandleShell {
  std::atomic<std::uint32_t> magic;
  /// The owner and the calls under way: the last one to leave destroys the object and this.
  std::atomic<std::uint32_t> n_users;
  void* object;
  void (*destroy)(HandleShell* shell) noexcept;  ///< null: the object and this are somebody else's
};

/// The magic word of a handle that was freed.
inline constexpr std::uint32_t kDeadMagic = 0xDEAD5147;

class HeldAnswer;  // hold_back.cc

/// The object and the magic word of a handle type.
template <class Handle>
struct HandleTraits;
#define Q3G_HANDLE(handle, type, word)            \
  template <>                                     \
  struct HandleTraits<handle> {                   \
    using Object = type;                          \
    static constexpr std::uint32_t kMagic = word; \
    static constexpr const char* kName = #handle; \
  }
Q3G_HANDLE(q3g_guard, Guard, 0x51470001);
Q3G_HANDLE(q3g_tokenizer, Tokenizer, 0x51470002);
Q3G_HANDLE(q3g_decoder, StreamingDecoder, 0x51470003);
Q3G_HANDLE(q3g_stream, StreamSession, 0x51470004);
Q3G_HANDLE(q3g_batch, StreamBatch, 0x51470005);
Q3G_HANDLE(q3g_events, std::vector<StreamEvent>, 0x51470006);
Q3G_HANDLE(q3g_generator, Generator, 0x51470007);
Q3G_HANDLE(q3g_logits, std::vector<HeadLogits>, 0x51470008);
Q3G_HANDLE(q3g_cancel, std::shared_ptr<CancelFlag>, 0x51470009);
Q3G_HANDLE(q3g_policy, Policy, 0x5147000a);
Q3G_HANDLE(q3g_hold_back, HeldAnswer, 0x5147000b);
#undef Q3G_HANDLE

template <class Handle>
using ObjectOf = typename HandleTraits<std::remove_const_t<Handle>>::Object;

/// Keeps a live shell's object until leave(). False: it is none of that type. Any thread.
[[nodiscard]] inline bool enter(HandleShell* shell, std::uint32_t magic) noexcept {
  // Before anything is written: it may be no shell at all.
  if (shell->magic.load(std::memory_order_acquire) != magic) return false;
  shell->n_users.fetch_add(1, std::memory_order_relaxed);
  return true;
}
/// Any thread.
inline void leave(HandleShell* shell) noexcept {
  if (shell->n_users.fetch_sub(1, std::memory_order_acq_rel) == 1) shell->destroy(shell);
}
/// Makes a live shell dead, once. False: it is none of that type. Any thread.
[[nodiscard]] inline bool kill(HandleShell* shell, std::uint32_t magic) noexcept {
  return shell->magic.compare_exchange_strong(magic, kDeadMagic);
}

template <class Handle>
[[nodiscard]] HandleShell* shell_of(const Handle* handle) noexcept {
  return reinterpret_cast<HandleShell*>(const_cast<std::remove_const_t<Handle>*>(handle));
}

/// False for pointers that cannot be a handle's, and must not be looked at.
template <class Handle>
[[nodiscard]] bool is_handle_place(const Handle* handle) noexcept {
  return handle != nullptr && reinterpret_cast<std::uintptr_t>(handle) % alignof(HandleShell) == 0;
}

/// A handle that a call uses: its object lives until the call ends, also when another thread frees the
/// handle.
template <class Handle>
class Use {
 public:
  using Object = std::conditional_t<std::is_const_v<Handle>, const ObjectOf<Handle>, ObjectOf<Handle>>;
  using Traits = HandleTraits<std::remove_const_t<Handle>>;

  /// There is nothing to use unless it is a live handle of its type.
  explicit Use(Handle* handle) noexcept {
    if (is_handle_place(handle) && enter(shell_of(handle), Traits::kMagic)) shell_ = shell_of(handle);
  }
  Use(Use&& other) noexcept : shell_(std::exchange(other.shell_, nullptr)) {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  Use& operator=(Use&&) = delete;
  ~Use() {
    if (shell_ != nullptr) leave(shell_);
  }
  [[nodiscard]] explicit operator bool() const noexcept { return shell_ != nullptr; }
  [[nodiscard]] Object& operator*() const noexcept { return *static_cast<Object*>(shell_->object); }
  [[nodiscard]] Object* operator->() const noexcept { return &**this; }

 private:
  HandleShell* shell_ = nullptr;
};

/// A handle that a call needs. Errors: Q3G_E_BAD_HANDLE.
template <class Handle>
[[nodiscard]] Result<Use<Handle>> needed(Handle* handle) {
  Use<Handle> use(handle);
  if (use) return use;
  return failure(Q3G_E_BAD_HANDLE, Use<Handle>::Traits::kName,
                 handle == nullptr ? " is NULL" : ": no handle of this type");
}

/// A shell with its object.
template <class Handle>
struct OwningShell : HandleShell {
  explicit OwningShell(ObjectOf<Handle>&& owned)
      : HandleShell{HandleTraits<Handle>::kMagic, 1, &value, destroy_shell}, value(std::move(owned)) {}
  static void destroy_shell(HandleShell* shell) noexcept { delete static_cast<OwningShell*>(shell); }
  ObjectOf<Handle> value;
};

/// A new handle that owns `object`. Throws std::bad_alloc.
template <class Handle>
[[nodiscard]] Handle* make_handle(ObjectOf<Handle> object) {
  HandleShell* const shell = new OwningShell<Handle>(std::move(object));
  return reinterpret_cast<Handle*>(shell);
}

/// A handle for the time of a callback; the object is somebody else's.
template <class Handle>
class BorrowedHandle {
 public:
  explicit BorrowedHandle(ObjectOf<Handle>& object)
      : shell_{HandleTraits<Handle>::kMagic, 1, &object, nullptr} {}
  BorrowedHandle(const BorrowedHandle&) = delete;
  BorrowedHandle& operator=(const BorrowedHandle&) = delete;
  ~BorrowedHandle() { (void)kill(&shell_, HandleTraits<Handle>::kMagic); }
  [[nodiscard]] Handle* get() noexcept { return reinterpret_cast<Handle*>(&shell_); }

 private:
  HandleShell shell_;
};

/// Whether the handle is lent for the time of a callback. handle: a live one.
template <class Handle>
[[nodiscard]] bool is_borrowed(const Handle* handle) noexcept {
  return shell_of(handle)->destroy == nullptr;
}

/// Whether somebody else than its owner and one call uses the handle: a hold-back over it.
template <class Handle>
[[nodiscard]] bool is_in_use(const Handle* handle) noexcept {
  return shell_of(handle)->n_users.load(std::memory_order_acquire) > 2;
}

/// Frees a handle; its object goes with the last call that uses it. NULL, one of another type and one that is
/// borrowed for a callback are left alone.
template <class Handle>
void free_handle(Handle* handle) noexcept {
  const Use<Handle> used(handle);
  if (used && !is_borrowed(handle) && kill(shell_of(handle), HandleTraits<Handle>::kMagic))
    leave(shell_of(handle));
}

/// The flag of a handle that may be NULL. Errors: Q3G_E_BAD_HANDLE.
[[nodiscard]] inline Result<std::shared_ptr<const CancelFlag>> flag_of(q3g_cancel* cancel) {
  std::shared_ptr<const CancelFlag> flag;
  if (cancel != nullptr) {
    Q3G_ASSIGN(const auto held, needed(cancel));
    flag = *held;
  }
  return flag;
}

/// The policy of a handle that may be NULL: the default one. Errors: Q3G_E_BAD_HANDLE.
[[nodiscard]] inline Result<Policy> policy_of(const q3g_policy* policy) {
  if (policy == nullptr) return Policy();
  Q3G_ASSIGN(const auto held, needed(policy));
  return *held;
}

/// A place for a handle that a function makes. An error when it is NULL.
template <class Handle>
[[nodiscard]] Status need_out(Handle** out) {
  if (out == nullptr) return bad_argument("out is NULL");
  return {};
}

}  // namespace qwen3guard::capi

#endif  // QWEN3GUARD_CAPI_HANDLES_HPP
