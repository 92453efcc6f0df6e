// SPDX-License-Identifier: Apache-2.0
#include "server/http/client_exchange.hpp"

#include <optional>

#include "server/http/reply_head.hpp"

namespace qwen3guard::server {

ClientExchange::~ClientExchange() {
  if (has_ended_ || pipe_->is_closed()) return;
  if (has_begun_) {
    pipe_->abort();
  } else {
    ClientExchange::reply(pipe_->no_reply(request_.path));
  }
}

void ClientExchange::reply(Response response) {
  if (!may_begin()) return;
  constexpr int kNoContent = 204;  // has no length either: RFC 9110, section 8.6
  std::optional<std::size_t> length;
  if (response.status != kNoContent) length = response.body.size();
  std::string bytes = reply_head(response.status, with_id(std::move(response.headers)),
                                 {length, false, pipe_->keeps_alive()});
  if (!is_head_) bytes += response.body;
  pipe_->send(bytes);
  finish();
}

void ClientExchange::begin(int status, Headers headers) {
  if (!may_begin()) return;
  is_chunked_ = pipe_->version() >= 11;
  if (!is_chunked_) pipe_->close_behind();
  pipe_->send(reply_head(status, with_id(std::move(headers)),
                         {std::nullopt, is_chunked_, is_chunked_ && pipe_->keeps_alive()}));
  if (is_head_) finish();  // the head is all of it
}

void ClientExchange::write(std::string_view piece) {
  if (!is_open() || !has_begun_ || piece.empty() || is_head_) return;
  pipe_->send(is_chunked_ ? chunk(piece) : std::string(piece));
}

void ClientExchange::end() {
  if (!is_open() || !has_begun_) return;
  if (is_chunked_ && !is_head_) pipe_->send(kLastChunk);
  finish();
}

void ClientExchange::abort() {
  if (std::exchange(has_ended_, true)) return;
  pipe_->abort();
}

void ClientExchange::on_drained(std::function<void()> callback) {
  if (!is_open()) return;
  if (waiting_bytes() == 0) return pipe_->post(std::move(callback));
  pipe_->on_drained = std::move(callback);
}

void ClientExchange::on_closed(std::function<void()> callback) {
  if (has_ended_) return;
  if (pipe_->is_closed()) return pipe_->post(std::move(callback));
  pipe_->on_closed = std::move(callback);
}

bool ClientExchange::may_begin() {
  if (has_begun_ || !is_open()) return false;
  return has_begun_ = true;
}

Headers ClientExchange::with_id(Headers headers) const {
  if (!request_id.empty()) headers.push_back({"x-request-id", request_id});
  return headers;
}

void ClientExchange::finish() {
  has_ended_ = true;
  pipe_->finish();
}

}  // namespace qwen3guard::server
