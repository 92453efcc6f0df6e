// SPDX-License-Identifier: Apache-2.0
#include "server/judging/stream_fork.hpp"

#include <optional>
#include <utility>

namespace qwen3guard::server {

Result<StreamId> add_fork(StreamBatch& batch, StreamId of) {
  std::optional<Result<StreamSession>> fork;
  Status status = batch.visit(of, [&](StreamSession& first) { fork.emplace(first.fork()); });
  if (!status.ok()) return std::move(status).error();
  if (!fork->ok()) return std::move(*fork).error();
  return batch.add(std::move(**fork));
}

}  // namespace qwen3guard::server
