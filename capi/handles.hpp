// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CAPI_HANDLES_HPP
#define QWEN3GUARD_CAPI_HANDLES_HPP

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

#include "call.hpp"
#include "qwen3guard.h"
#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::capi {

/// What a handle points at: a magic word that tells its type and whether it was freed, and the object. A
/// shell is never destroyed nor given back to the system, so that any handle that ever was may be looked at;
/// the opaque types of the header are defined nowhere.
struct HandleShell {
  std::atomic<std::uint32_t> magic;
  /// The owner and the calls that are under way: the last one to leave destroys the object. 0: at rest.
  std::atomic<std::uint32_t> n_users;
  void* object;  // at rest: the shell that was put to rest next
  void (*destroy)(void* object) noexcept;
};

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
#undef Q3G_HANDLE

template <class Handle>
using ObjectOf = typename HandleTraits<std::remove_const_t<Handle>>::Object;

/// A shell in use by its owner; from now on it may be entered. Throws std::bad_alloc. Any thread.
[[nodiscard]] HandleShell* new_shell(std::uint32_t magic, void* object, void (*destroy)(void*) noexcept);
/// Keeps a live shell's object until leave(). False: it is none of that type. Any thread.
[[nodiscard]] bool enter(HandleShell* shell, std::uint32_t magic) noexcept;
/// Any thread.
void leave(HandleShell* shell) noexcept;
/// Makes a live shell dead, once. False: it is none of that type, or another thread was faster. Any thread.
[[nodiscard]] bool kill(HandleShell* shell, std::uint32_t magic) noexcept;
/// Takes the object out of a live shell, which is freed. Null: it is none of that type, or another call is
/// under way, and nothing has changed. Any thread.
[[nodiscard]] void* take_object(HandleShell* shell, std::uint32_t magic) noexcept;

template <class Handle>
[[nodiscard]] HandleShell* shell_of(const Handle* handle) noexcept {
  return reinterpret_cast<HandleShell*>(const_cast<std::remove_const_t<Handle>*>(handle));
}

/// False for pointers that cannot be a handle's, and must not be looked at.
template <class Handle>
[[nodiscard]] bool is_handle_place(const Handle* handle) noexcept {
  return handle != nullptr && reinterpret_cast<std::uintptr_t>(handle) % alignof(HandleShell) == 0;
}

[[noreturn]] void bad_handle(const char* type, bool is_null);

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
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    if (shell_ != nullptr) leave(shell_);
  }
  [[nodiscard]] explicit operator bool() const noexcept { return shell_ != nullptr; }
  [[nodiscard]] Object& operator*() const noexcept { return *static_cast<Object*>(shell_->object); }
  [[nodiscard]] Object* operator->() const noexcept { return &**this; }

 private:
  HandleShell* shell_ = nullptr;
};

/// A handle that a call needs. Throws CallError (Q3G_E_BAD_HANDLE).
template <class Handle>
class Needed : public Use<Handle> {
 public:
  explicit Needed(Handle* handle) : Use<Handle>(handle) {
    if (!*this) bad_handle(Use<Handle>::Traits::kName, handle == nullptr);
  }
};

/// A new handle that owns `object`. Throws std::bad_alloc.
template <class Handle>
[[nodiscard]] Handle* make_handle(ObjectOf<Handle> object) {
  using Object = ObjectOf<Handle>;
  auto owned = std::make_unique<Object>(std::move(object));
  HandleShell* const shell =
      new_shell(HandleTraits<Handle>::kMagic, owned.get(),
                [](void* object_at) noexcept { delete static_cast<Object*>(object_at); });
  (void)owned.release();
  return reinterpret_cast<Handle*>(shell);
}

/// A handle for the time of a callback; the object is somebody else's.
template <class Handle>
class BorrowedHandle {
 public:
  explicit BorrowedHandle(ObjectOf<Handle>& object)
      : shell_(new_shell(HandleTraits<Handle>::kMagic, &object, nullptr)) {}
  BorrowedHandle(const BorrowedHandle&) = delete;
  BorrowedHandle& operator=(const BorrowedHandle&) = delete;
  ~BorrowedHandle() {
    (void)kill(shell_, HandleTraits<Handle>::kMagic);
    leave(shell_);
  }
  [[nodiscard]] Handle* get() const noexcept { return reinterpret_cast<Handle*>(shell_); }

 private:
  HandleShell* shell_;
};

/// Frees a handle; its object goes with the last call that uses it. NULL, one that was freed already, one of
/// another type and one that is borrowed for a callback are left alone.
template <class Handle>
void free_handle(Handle* handle) noexcept {
  const Use<Handle> used(handle);
  HandleShell* const shell = shell_of(handle);
  if (used && shell->destroy != nullptr && kill(shell, HandleTraits<Handle>::kMagic)) leave(shell);
}

/// Takes the object out of a handle, which is freed. Null, and nothing has changed: it is borrowed, or
/// another call uses it. Throws CallError (Q3G_E_BAD_HANDLE).
template <class Handle>
[[nodiscard]] std::unique_ptr<ObjectOf<Handle>> take_from(Handle* handle) {
  HandleShell* const shell = shell_of(handle);
  {
    const Needed used(handle);
    if (shell->destroy == nullptr) return nullptr;
  }
  void* const object = take_object(shell, HandleTraits<Handle>::kMagic);
  return std::unique_ptr<ObjectOf<Handle>>(static_cast<ObjectOf<Handle>*>(object));
}

/// The flag of a handle that may be NULL. Throws CallError.
[[nodiscard]] inline std::shared_ptr<const CancelFlag> flag_of(q3g_cancel* cancel) {
  if (cancel == nullptr) return nullptr;
  return *Needed(cancel);
}

/// A place for a handle that a function makes. Throws CallError when it is NULL.
template <class Handle>
void need_out(Handle** out) {
  if (out == nullptr) throw CallError(Q3G_E_INVALID_ARGUMENT, "out is NULL");
}

}  // namespace qwen3guard::capi

#endif  // QWEN3GUARD_CAPI_HANDLES_HPP
