// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_OBSERVED_EXCHANGE_HPP
#define QWEN3GUARD_SRC_SERVER_OBSERVED_EXCHANGE_HPP

#include <functional>
#include <memory>
#include <utility>

#include "server/http/exchange.hpp"

namespace qwen3guard::server {

/// An exchange whose end is told, and whose reply has more headers.
class ObservedExchange final : public Exchange {
 public:
  /// What is told when nobody answered, as the client had gone away.
  static constexpr int kClientGone = 499;

  /// ended: called when the exchange is let go of, with the reply's status.
  ObservedExchange(std::shared_ptr<Exchange> inner, Headers headers, std::function<void(int status)> ended)
      : inner_(std::move(inner)), headers_(std::move(headers)), ended_(std::move(ended)) {
    request_id = inner_->request_id;
    key_name = inner_->key_name;
    spell_error = inner_->spell_error;
  }
  ~ObservedExchange() override { ended_(status_); }

  Request& request() noexcept override { return inner_->request(); }
  void reply(Response response) override {
    note(response.status);
    response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
    inner_->reply(std::move(response));
  }
  void begin(int status, Headers headers) override {
    note(status);
    headers.insert(headers.end(), headers_.begin(), headers_.end());
    inner_->begin(status, std::move(headers));
  }
  void write(std::string_view piece) override { inner_->write(piece); }
  void end() override { inner_->end(); }
  void abort() override { inner_->abort(); }
  bool has_begun() const noexcept override { return inner_->has_begun(); }
  bool is_open() const noexcept override { return inner_->is_open(); }
  std::size_t waiting_bytes() const noexcept override { return inner_->waiting_bytes(); }
  void on_drained(std::function<void()> callback) override { inner_->on_drained(std::move(callback)); }
  void on_closed(std::function<void()> callback) override { inner_->on_closed(std::move(callback)); }

 private:
  void note(int status) noexcept {
    if (inner_->is_open() && !inner_->has_begun()) status_ = status;
  }

  std::shared_ptr<Exchange> inner_;
  Headers headers_;
  std::function<void(int)> ended_;
  int status_ = kClientGone;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_OBSERVED_EXCHANGE_HPP
