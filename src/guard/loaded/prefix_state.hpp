// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_STATE_HPP
#define QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_STATE_HPP

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "guard/loaded/prefix_blob.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/detail/model/kv_cache.hpp"
#include "qwen3guard/detail/model/model.hpp"
#include "qwen3guard/detail/model/workspace.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// Keys and values of the Gen prompt's constant beginning, which every call shares. Computed by the first
/// call that needs them; the caches of all calls then share its pages. Thread-safe.
class PrefixState {
 public:
  /// Makes the empty `cache` share the longest kept beginning of `ids` (at least one token of which is left
  /// over). Returns how many tokens that is, and how many of them were kept rather than computed now.
  struct Filled {
    std::int32_t n_tokens = 0;
    std::int32_t n_cached = 0;
  };
  /// last_role: whose message is judged; selects the template. cancel: may be null. Errors: those of
  /// Model::forward and Tokenizer::encode.
  [[nodiscard]] Result<Filled> fill(const Model& model, const Tokenizer& tokenizer, Role last_role,
                                    std::span<const TokenId> ids, KvCache& cache, Workspace& workspace,
                                    const CancelFlag* cancel);

  /// Sets what was computed before (a packed file's prefix). Before any fill().
  void preset(KeptPrefix prefix) { kept_ = std::make_shared<const KeptPrefix>(std::move(prefix)); }

  /// Computes what every prompt of the template starts with. Errors: as fill().
  [[nodiscard]] static Result<KeptPrefix> compute(const Model& model, const Tokenizer& tokenizer,
                                                  Role last_role, Workspace& workspace,
                                                  const CancelFlag* cancel);

 private:
  std::mutex mutex_;  // guards the pointer; what it points to is immutable
  std::shared_ptr<const KeptPrefix> kept_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_STATE_HPP
