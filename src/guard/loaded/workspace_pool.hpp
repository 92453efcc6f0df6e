// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LOADED_WORKSPACE_POOL_HPP
#define QWEN3GUARD_SRC_GUARD_LOADED_WORKSPACE_POOL_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "model/kv_cache.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "util/mutex.hpp"

namespace qwen3guard::detail {

/// What one running call needs beside the weights.
struct CallScratch {
  Workspace workspace;
  KvCache cache;
};

/// Scratch memory that calls borrow and give back, so that a steady stream of calls allocates little.
/// Bounded: at most kMaxIdle sets are kept, and of a cache at most kMaxIdlePages pages: a single long
/// conversation does not hold its memory for ever. Thread-safe.
class WorkspacePool {
 public:
  /// Gives the scratch back when it dies. Must not outlive the pool.
  class Lease {
   public:
    Lease(WorkspacePool& pool, std::unique_ptr<CallScratch> scratch)
        : pool_(&pool), scratch_(std::move(scratch)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (scratch_ != nullptr) pool_->give_back(std::move(scratch_));
    }
    [[nodiscard]] CallScratch* operator->() noexcept { return scratch_.get(); }

   private:
    WorkspacePool* pool_;
    std::unique_ptr<CallScratch> scratch_;
  };

  WorkspacePool() { idle_.reserve(kMaxIdle); }

  /// Scratch with an empty cache of room for n_tokens. Throws std::bad_alloc.
  [[nodiscard]] Lease borrow(const Model& model, std::size_t n_tokens) {
    std::unique_ptr<CallScratch> scratch;
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        scratch = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (scratch == nullptr) {
      scratch.reset(new CallScratch{Workspace(model.memory()), model.new_cache(n_tokens)});
    }
    scratch->cache.set_capacity(n_tokens);
    return Lease(*this, std::move(scratch));
  }

 private:
  static constexpr std::size_t kMaxIdle = 8, kMaxIdlePages = 4;

  void give_back(std::unique_ptr<CallScratch> scratch) noexcept {
    scratch->cache.truncate(0);
    scratch->cache.trim_spare(kMaxIdlePages);
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(scratch));  // reserved: does not throw
  }

  Mutex mutex_;
  std::vector<std::unique_ptr<CallScratch>> idle_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LOADED_WORKSPACE_POOL_HPP
