// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDRAIL_REPLY_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDRAIL_REPLY_HPP

#include <string>
#include <vector>

#include "server/doors/litellm/guarded_call.hpp"
#include "server/replies.hpp"

namespace qwen3guard::server {

/// What the gateway reads of a reply.
struct GuardrailReply {
  std::string json;
  bool is_blocked = false;
};

/// How answers are shown at the gateway. A plain value.
struct AnswerRules {
  /// The gateway shows what the reply lets it show, and holds the rest. Without it, what is not blocked is
  /// shown.
  bool is_incremental = false;
  bool is_monitor = false;  ///< nothing is blocked or held
  bool knows_prompt = true;
};

[[nodiscard]] GuardrailReply reply_to_request(const std::vector<JudgedPrompt>& prompts, bool is_monitor);
/// texts: as they came, with their judgements in the same order.
[[nodiscard]] GuardrailReply reply_to_response(const std::vector<AnswerText>& texts,
                                               const std::vector<AnswerJudgement>& judgements,
                                               const AnswerRules& rules);
/// What is blocked because it was not judged.
[[nodiscard]] GuardrailReply reply_unjudged(const Ruling& ruling, const Error& error, bool is_monitor);
/// What was sent is to blame. The gateway tells its clients the reason of a block, but nothing of an error.
[[nodiscard]] bool is_for_the_client(const Error& error);

/// Errors of this door. The gateway takes 502, 503 and 504 for a guard that is not there, which it may be
/// told to do without; here they say that something was not judged.
[[nodiscard]] Response spell_guardrail_error(const ApiError& error);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDRAIL_REPLY_HPP
