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

/// What stands behind every handle: a magic word that tells its type and whether it was freed, and the
/// object. Shells are never given back to the system (bury()), so that using a freed handle is an error and
/// not a crash.
struct HandleShell {
  std::atomic<std::uint32_t> magic;
  bool is_borrowed;  // lives for a callback; the object is somebody else's
  void* object;      // of a buried shell: the one that was buried next
};

// clang-format off
struct q3g_guard : HandleShell {};
struct q3g_tokenizer : HandleShell {};
struct q3g_decoder : HandleShell {};
struct q3g_stream : HandleShell {};
struct q3g_batch : HandleShell {};
struct q3g_events : HandleShell {};
struct q3g_generator : HandleShell {};
struct q3g_logits : HandleShell {};
struct q3g_cancel : HandleShell {};
// clang-format on

namespace qwen3guard::capi {

/// The object and the magic word of a handle type.
template <class Handle>
struct HandleTraits;
#define Q3G_HANDLE(handle, type, word)            \
  template <>                                     \
  struct HandleTraits<handle> {                   \
    using Object = type;                          \
    static constexpr std::uint32_t kMagic = word; \
    static constexpr const char* kName = #handle; \
  };                                              \
  static_assert(sizeof(handle) == sizeof(HandleShell))
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

inline constexpr std::uint32_t kDeadMagic = 0xDEAD5147;

template <class Handle>
using ObjectOf = typename HandleTraits<std::remove_const_t<Handle>>::Object;

/// Room for a shell: that of one that was freed, when 1024 others were freed after it, or new. Throws
/// std::bad_alloc. Any thread.
[[nodiscard]] void* shell_storage();
/// Keeps a freed handle's shell, dead, for shell_storage(). Any thread.
void bury(HandleShell* shell) noexcept;

/// True for a live handle of its type.
template <class Handle>
[[nodiscard]] bool is_live(const Handle* handle) noexcept {
  return handle != nullptr && reinterpret_cast<std::uintptr_t>(handle) % alignof(HandleShell) == 0 &&
         handle->magic.load(std::memory_order_acquire) == HandleTraits<Handle>::kMagic;
}

/// The handle's object. Throws CallError (Q3G_E_BAD_HANDLE).
template <class Handle>
[[nodiscard]] auto& get(Handle* handle) {
  using Plain = std::remove_const_t<Handle>;
  if (!is_live<Plain>(handle)) {
    const char* const name = HandleTraits<Plain>::kName;
    if (handle == nullptr) throw CallError(Q3G_E_BAD_HANDLE, std::string(name) + " is NULL");
    throw CallError(Q3G_E_BAD_HANDLE, std::string(name) + ": freed already, or no handle of this type");
  }
  using Object = std::conditional_t<std::is_const_v<Handle>, const ObjectOf<Plain>, ObjectOf<Plain>>;
  return *static_cast<Object*>(handle->object);
}

/// A new handle that owns `object`. Throws std::bad_alloc.
template <class Handle>
[[nodiscard]] Handle* make_handle(ObjectOf<Handle> object) {
  auto owned = std::make_unique<ObjectOf<Handle>>(std::move(object));
  auto* handle = ::new (shell_storage()) Handle;
  handle->is_borrowed = false;
  handle->object = owned.release();
  handle->magic.store(HandleTraits<Handle>::kMagic, std::memory_order_release);
  return handle;
}

/// A handle for the time of a callback.
template <class Handle>
class BorrowedHandle {
 public:
  explicit BorrowedHandle(ObjectOf<Handle>& object) : handle_(::new (shell_storage()) Handle) {
    handle_->is_borrowed = true;
    handle_->object = &object;
    handle_->magic.store(HandleTraits<Handle>::kMagic, std::memory_order_release);
  }
  BorrowedHandle(const BorrowedHandle&) = delete;
  BorrowedHandle& operator=(const BorrowedHandle&) = delete;
  ~BorrowedHandle() {
    handle_->magic.store(kDeadMagic, std::memory_order_release);
    bury(handle_);
  }
  [[nodiscard]] Handle* get() const noexcept { return handle_; }

 private:
  Handle* handle_;
};

/// Takes the object out of a handle, which is freed. Null when there is nothing to take: NULL, freed already,
/// borrowed, or of another type.
template <class Handle>
[[nodiscard]] std::unique_ptr<ObjectOf<Handle>> take(Handle* handle) noexcept {
  if (!is_live(handle) || handle->is_borrowed) return nullptr;
  std::uint32_t expected = HandleTraits<Handle>::kMagic;
  // Of two threads that free it, one does.
  if (!handle->magic.compare_exchange_strong(expected, kDeadMagic)) return nullptr;
  std::unique_ptr<ObjectOf<Handle>> object(static_cast<ObjectOf<Handle>*>(handle->object));
  bury(handle);
  return object;
}

/// The flag of a handle that may be NULL. Throws CallError.
[[nodiscard]] inline std::shared_ptr<const CancelFlag> flag_of(q3g_cancel* cancel) {
  if (cancel == nullptr) return nullptr;
  return get(cancel);
}

/// A place for a handle that a function makes. Throws CallError when it is NULL.
template <class Handle>
void need_out(Handle** out) {
  if (out == nullptr) throw CallError(Q3G_E_INVALID_ARGUMENT, "out is NULL");
}

}  // namespace qwen3guard::capi

#endif  // QWEN3GUARD_CAPI_HANDLES_HPP
