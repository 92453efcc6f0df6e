// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_BLOCK_SIGNALS_HPP
#define QWEN3GUARD_SRC_UTIL_BLOCK_SIGNALS_HPP

#if !defined(_WIN32) && !defined(Q3G_PARALLEL_NONE)
#include <pthread.h>
#include <signal.h>
#endif

namespace qwen3guard::detail {

#if !defined(_WIN32) && !defined(Q3G_PARALLEL_NONE)
/// A host's signals are for its own threads: workers are started with all of them blocked.
class BlockSignals {
 public:
  BlockSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};
#else
struct BlockSignals {
  BlockSignals() noexcept {}  // NOLINT: not trivial, so that an object of it is no unused variable
};
#endif

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_BLOCK_SIGNALS_HPP
