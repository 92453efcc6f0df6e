// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_CLIENT_EXCHANGE_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_CLIENT_EXCHANGE_HPP

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "server/http/exchange.hpp"

namespace qwen3guard::server {

/// The connection that a reply goes out by, of whatever transport.
class ReplyPipe {
 public:
  ReplyPipe() = default;
  ReplyPipe(const ReplyPipe&) = delete;
  ReplyPipe& operator=(const ReplyPipe&) = delete;
  virtual ~ReplyPipe() = default;

  virtual void send(std::string_view bytes) = 0;
  /// All of the reply was sent.
  virtual void finish() = 0;
  /// Breaks the connection now.
  virtual void abort() = 0;
  /// The connection's end is the body's.
  virtual void close_behind() noexcept = 0;
  /// What stands for a reply that never came.
  [[nodiscard]] virtual Response no_reply(std::string_view path) const = 0;
  [[nodiscard]] virtual bool is_closed() const noexcept = 0;
  [[nodiscard]] virtual bool keeps_alive() const noexcept = 0;
  /// 10 or 11, of HTTP.
  [[nodiscard]] virtual unsigned version() const noexcept = 0;
  [[nodiscard]] virtual std::size_t waiting_bytes() const noexcept = 0;
  /// Has the loop call it.
  virtual void post(std::function<void()> task) = 0;

  std::function<void()> on_drained, on_closed;
};

/// A request that came by a connection.
class ClientExchange final : public Exchange {
 public:
  ClientExchange(std::shared_ptr<ReplyPipe> pipe, Request request)
      : pipe_(std::move(pipe)), request_(std::move(request)), is_head_(request_.method == "HEAD") {}
  ~ClientExchange() override;

  Request& request() noexcept override { return request_; }
  void reply(Response response) override;
  void begin(int status, Headers headers) override;
  void write(std::string_view piece) override;
  void end() override;
  void abort() override;
  bool has_begun() const noexcept override { return has_begun_; }
  bool is_open() const noexcept override { return !has_ended_ && !pipe_->is_closed(); }
  std::size_t waiting_bytes() const noexcept override { return pipe_->waiting_bytes(); }
  void on_drained(std::function<void()> callback) override;
  void on_closed(std::function<void()> callback) override;

 private:
  [[nodiscard]] bool may_begin();
  [[nodiscard]] Headers with_id(Headers headers) const;
  void finish();

  std::shared_ptr<ReplyPipe> pipe_;
  Request request_;
  bool is_head_, is_chunked_ = false, has_begun_ = false, has_ended_ = false;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_CLIENT_EXCHANGE_HPP
