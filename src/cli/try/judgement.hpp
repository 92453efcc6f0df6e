// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_TRY_JUDGEMENT_HPP
#define QWEN3GUARD_SRC_CLI_TRY_JUDGEMENT_HPP

#include <memory>
#include <span>

#include "cli/try/screen.hpp"
#include "qwen3guard/qwen3guard.hpp"

/// What `try` shows of a conversation's last message. Both functions say so when it was not judged, or not
/// all of it. `cancel` stops them.
namespace qwen3guard::cli {

/// A line with the verdict on the whole message. Returns true when there is one.
[[nodiscard]] bool show_verdict(const Guard& guard, std::span<const Message> messages,
                                const std::shared_ptr<const CancelFlag>& cancel, const Screen& screen);

/// An answer by a Stream model: its tokens as they are judged, and a line with what it came to. Returns true
/// when it came to something. A user's message has no such form: the heads that judge it were trained for its
/// end, and what they say before that means nothing.
[[nodiscard]] bool show_tokens(const Guard& guard, std::span<const Message> messages,
                               const std::shared_ptr<const CancelFlag>& cancel, const Screen& screen);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_TRY_JUDGEMENT_HPP
