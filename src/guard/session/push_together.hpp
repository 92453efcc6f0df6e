// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_PUSH_TOGETHER_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_PUSH_TOGETHER_HPP

#include <span>

#include "guard/loaded/guard_impl.hpp"
#include "guard/session/stream_session_impl.hpp"

namespace qwen3guard::detail {

/// Guard::push_batch(): judges the next tokens of several sessions in common forwards; a status per push.
/// sessions[i] is that of pushes[i], or null. A session of another guard, or one that is there twice, gets
/// invalid_argument. Throws std::bad_alloc; then no session has changed.
void push_together(const Guard::Impl& guard, std::span<StreamPush> pushes,
                   std::span<StreamSession::Impl* const> sessions);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_PUSH_TOGETHER_HPP
