// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_OUT_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_OUT_HPP

#include <memory>
#include <string>
#include <string_view>

#include "qwen3guard/verdict.hpp"
#include "server/doors/proxy/answer_parts.hpp"
#include "server/http/exchange.hpp"

namespace qwen3guard::server {

/// Why a choice ended here and not where the upstream ended it.
struct Blocked {
  Severity severity = Severity::not_judged;
  Ruling ruling;
  const char* where = "";  ///< "prompt", or the field: "content", ...
};

/// The reply to a chat completion, from what was let through. Loop thread only.
class AnswerOut {
 public:
  AnswerOut() = default;
  AnswerOut(const AnswerOut&) = delete;
  AnswerOut& operator=(const AnswerOut&) = delete;
  virtual ~AnswerOut() = default;

  /// Before anything else.
  virtual void set_head(const AnswerHead& head) = 0;
  /// The choice has begun, though nothing of it may be shown yet.
  virtual void begin_choice(int choice) = 0;
  /// Behind what the channel has.
  virtual void text(int choice, const Channel& channel, std::string_view text) = 0;
  /// In front of a call's arguments.
  virtual void call(int choice, const Channel& channel, std::string_view call_id, std::string_view name) = 0;
  /// blocked: null when the choice ended as the upstream ended it.
  virtual void finish_choice(int choice, std::string_view reason, const Blocked* blocked) = 0;
  /// All choices are over. usage_json: "" when it is not known.
  virtual void end(std::string_view usage_json) = 0;
};

/// As "chat.completion.chunk" events. The reply begins with the first of them.
[[nodiscard]] std::unique_ptr<AnswerOut> make_streamed_answer(std::shared_ptr<Exchange> exchange,
                                                              bool includes_usage);
/// As one "chat.completion". A choice that was blocked has no calls: one might not be whole.
[[nodiscard]] std::unique_ptr<AnswerOut> make_plain_answer(std::shared_ptr<Exchange> exchange);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_OUT_HPP
