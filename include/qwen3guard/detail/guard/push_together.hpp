// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_GUARD_PUSH_TOGETHER_HPP
#define QWEN3GUARD_DETAIL_GUARD_PUSH_TOGETHER_HPP

#include <span>

#include "qwen3guard/detail/guard/guard_impl.hpp"
#include "qwen3guard/detail/guard/stream_session_impl.hpp"

namespace qwen3guard::detail {

/// Guard::push_batch(): judges the next tokens of several sessions in common forwards; a status per push.
/// sessions[i] is that of pushes[i], or null. A session of another guard, or one that is there twice, gets
/// invalid_argument. Throws std::bad_alloc; then no session has changed.
void push_together(const Guard::Impl& guard, std::span<StreamPush> pushes,
                   std::span<StreamSession::Impl* const> sessions);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_GUARD_PUSH_TOGETHER_HPP
