// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_UPSTREAM_REPLY_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_UPSTREAM_REPLY_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server/doors/proxy/answer_in.hpp"
#include "server/doors/proxy/sse_reader.hpp"
#include "server/http/message.hpp"

namespace qwen3guard::server {

/// The reply of a chat server as it comes: pieces of an answer, and whether it came to its end.
class UpstreamReply {
 public:
  /// Of a whole reply: one that is streamed is not kept.
  [[nodiscard]] static constexpr std::size_t max_bytes(bool is_streamed) noexcept {
    return std::size_t{is_streamed ? 64U : 8U} << 20;
  }

  UpstreamReply(bool is_streamed, int n_choices);

  /// Throws UpstreamError: it is no answer.
  void take_head(int status, const Headers& headers);
  /// The pieces that are whole with these bytes. Throws UpstreamError.
  [[nodiscard]] std::vector<AnswerPiece> take(std::string_view bytes);
  /// The body has ended. Throws UpstreamError, when the answer has not.
  [[nodiscard]] std::vector<AnswerPiece> end();

  /// The answer has come to its end; the body may go on.
  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }
  /// The status of a reply that is an error; else 0. Then end() returns nothing, and there are these. @{
  [[nodiscard]] int error_status() const noexcept { return error_status_; }
  [[nodiscard]] std::string error_message() const;
  /// What the upstream says of it, printable: for the operator alone, as nobody has judged it.
  [[nodiscard]] std::string error_words() const;
  /// Seconds, as digits; "" when it did not say.
  [[nodiscard]] const std::string& retry_after() const noexcept { return retry_after_; }  /// @}

 private:
  const bool is_streamed_;
  const int n_choices_;
  SseReader events_;
  std::string body_;  // of a plain reply, or an error
  std::string retry_after_;
  int error_status_ = 0;
  bool is_whole_ = false;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_UPSTREAM_REPLY_HPP
