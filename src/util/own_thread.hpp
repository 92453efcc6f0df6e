// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_OWN_THREAD_HPP
#define QWEN3GUARD_SRC_UTIL_OWN_THREAD_HPP

#include <memory>
#include <thread>

#include "qwen3guard/status.hpp"
#include "util/block_signals.hpp"
#include "util/error.hpp"
#include "util/exceptions.hpp"

namespace qwen3guard::detail {

#ifdef Q3G_PARALLEL_NONE
/// There is none.
struct OwnThread {
  void join() noexcept {}
};

template <class Body>
[[nodiscard]] Result<std::unique_ptr<OwnThread>> start_own_thread(const char* what, const Body& /*body*/) {
  return error(ErrorCode::invalid_argument, what,
               ": no thread: this library was built to start none (Q3G_PARALLEL=none)");
}
#else
using OwnThread = std::thread;

/// A thread of the library's that calls a copy of body(), which must not throw, and that no signal of the
/// host's reaches. Errors: out_of_memory (the system has none); invalid_argument (this build starts none).
template <class Body>
[[nodiscard]] Result<std::unique_ptr<OwnThread>> start_own_thread(const char* what, const Body& body) {
  const BlockSignals blocked;
  std::unique_ptr<OwnThread> thread;
  if (if_nothing_throws([&] { thread = std::make_unique<OwnThread>(body); })) return thread;
  return error(ErrorCode::out_of_memory, what, ": the system gives no thread");
}
#endif

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_OWN_THREAD_HPP
