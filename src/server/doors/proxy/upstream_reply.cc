// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/upstream_reply.hpp"

#include <algorithm>

namespace qwen3guard::server {
namespace {

/// Of an event: a chunk holds some words, or the arguments of a call.
constexpr std::size_t kMaxEventBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxErrorBytes = std::size_t{64} << 10;

bool is_seconds(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 6 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "text/event-stream; charset=utf-8"
bool is_type(std::string_view value, std::string_view type) noexcept {
  return value.size() >= type.size() && equal_names(value.substr(0, type.size()), type);
}

}  // namespace

UpstreamReply::UpstreamReply(bool is_streamed, int n_choices)
    : is_streamed_(is_streamed), n_choices_(n_choices), events_(kMaxEventBytes) {}

void UpstreamReply::take_head(int status, const Headers& headers) {
  const std::string_view encoding = find(headers, "content-encoding");
  if (status >= 400) {
    error_status_ = status;
    const std::string_view seconds = find(headers, "retry-after");
    if (is_seconds(seconds)) retry_after_ = seconds;
    return;
  }
  if (status != 200) throw UpstreamError("the upstream answered with the status " + std::to_string(status));
  if (!encoding.empty() && !equal_names(encoding, "identity"))
    throw UpstreamError("the upstream's answer is encoded, which it was asked not to do");
  if (is_streamed_ && !is_type(find(headers, "content-type"), "text/event-stream"))
    throw UpstreamError("the upstream's answer is no stream of events");
}

std::vector<AnswerPiece> UpstreamReply::take(std::string_view bytes) {
  std::vector<AnswerPiece> out;
  if (error_status_ != 0) {
    body_ += bytes.substr(0, kMaxErrorBytes - std::min(kMaxErrorBytes, body_.size()));
  } else if (!is_streamed_) {
    body_ += bytes;
  } else if (!is_whole_) {
    for (const std::string& event : events_.read(bytes)) {
      is_whole_ = event == "[DONE]";
      if (is_whole_) break;
      out.push_back(read_chunk(event, n_choices_));
    }
    if (events_.is_too_long()) throw UpstreamError("the upstream's answer has an event that is too long");
  }
  return out;
}

std::vector<AnswerPiece> UpstreamReply::end() {
  if (error_status_ != 0 || is_whole_) return {};
  if (is_streamed_) throw UpstreamError("the upstream closed the connection in the middle of its answer");
  is_whole_ = true;
  std::vector<AnswerPiece> out;
  out.push_back(read_completion(body_, n_choices_));
  return out;
}

std::string UpstreamReply::error_message() const {
  return "the upstream refuses with the status " + std::to_string(error_status_);
}

std::string UpstreamReply::error_words() const { return read_error_message(body_); }

}  // namespace qwen3guard::server
