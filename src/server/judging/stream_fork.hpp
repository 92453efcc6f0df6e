// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_JUDGING_STREAM_FORK_HPP
#define QWEN3GUARD_SRC_SERVER_JUDGING_STREAM_FORK_HPP

#include <cstddef>

#include "qwen3guard/stream_batch.hpp"

namespace qwen3guard::server {

/// Of one push: far below what a session may have waiting.
inline constexpr std::size_t kPushBytes = std::size_t{16} << 10;

/// A session in the batch that goes on from another's past. Errors: StreamBatch::visit(), add(),
/// StreamSession::fork().
[[nodiscard]] Result<StreamId> add_fork(StreamBatch& batch, StreamId of);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_JUDGING_STREAM_FORK_HPP
