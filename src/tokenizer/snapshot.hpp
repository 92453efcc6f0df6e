// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_SNAPSHOT_HPP
#define QWEN3GUARD_SRC_TOKENIZER_SNAPSHOT_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

/// A tokenizer as one block of bytes: its tables as they lie in memory, so that reading is checking. The
/// layout is in docs/tokenizer.md. The block holds all that is needed; no other tokenizer file is read.
namespace qwen3guard::detail {

/// Its name among the files of a packed model.
inline constexpr const char* kSnapshotFile = "tokenizer.snapshot";

/// The snapshot's version. A change to the layout, to hash_bytes(), mix64() or table_slots() makes a new one.
inline constexpr std::uint32_t kSnapshotVersion = 1;

/// The snapshot of `tokenizer`; the same bytes for the same tokenizer, however it was loaded.
/// Errors: unsupported_model (a big-endian machine); invalid_argument (4 GiB of text); out_of_memory.
[[nodiscard]] Result<std::vector<std::byte>> write_snapshot(const Tokenizer& tokenizer);

/// The tokenizer that `bytes` is a snapshot of. It encodes and decodes as the one that was written.
/// `bytes` must not change while the tokenizer, or a copy of it, lives; `owner` keeps them alive (null when
/// they outlive everything). On an 8-byte boundary nothing is copied but the added tokens and the patterns;
/// elsewhere all is. `display_name` names the snapshot in errors.
/// All that could make a later call fail is checked here, in one pass over the tables, whatever the bytes
/// are. Whether they are the bytes that were written is for the checksum of the file around them.
/// Errors: bad_tokenizer (truncated, misshapen, an id or a length out of range ...: what, where and what was
/// expected); unsupported_model (another version; a big-endian machine); out_of_memory.
[[nodiscard]] Result<Tokenizer> read_snapshot(std::span<const std::byte> bytes,
                                              std::shared_ptr<const void> owner,
                                              const std::string& display_name);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_SNAPSHOT_HPP
