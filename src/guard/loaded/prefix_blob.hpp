// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_BLOB_HPP
#define QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_BLOB_HPP

#include <cstddef>
#include <string>
#include <vector>

#include "model/kv_cache.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// Tokens and what a model computed for them.
struct KeptPrefix {
  std::vector<TokenId> ids;
  KvCache cache;
};

/// The file of a packed model that holds the kept prefix for prompts, or for responses.
[[nodiscard]] std::string prefix_file_name(Role last_role);

/// A prefix as bytes: docs/packed_format.md. Its cache is packed.
[[nodiscard]] std::vector<std::byte> write_prefix(const KeptPrefix& prefix);

/// The prefix in `blob`, whose pages are used where they are and never written. Errors: bad_checkpoint (no
/// prefix of this model, or its keys and values are of another type than `type`, the model's: the detail says
/// what was found and expected). Throws std::bad_alloc.
[[nodiscard]] Result<KeptPrefix> read_prefix(const Blob& blob, const ModelConfig& config, KvType type,
                                             const std::string& name);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_BLOB_HPP
