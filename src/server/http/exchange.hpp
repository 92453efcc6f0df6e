// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_EXCHANGE_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_EXCHANGE_HPP

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/http/api_error.hpp"
#include "server/http/message.hpp"

namespace qwen3guard::server {

/// One request and the reply to it: either reply(), or begin(), write() as often as there is something, and
/// end(). A client that goes away makes all of these do nothing. One that reads slowly makes waiting_bytes()
/// grow: who writes much asks, and waits for on_drained(). An exchange that is let go of without a reply is
/// answered with 500. Loop thread only. None of the functions calls back at once.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  /// The request; its body may be taken.
  [[nodiscard]] virtual Request& request() noexcept = 0;

  /// Answers the whole.
  virtual void reply(Response response) = 0;
  /// Begins a reply whose body comes in pieces.
  virtual void begin(int status, Headers headers) = 0;
  virtual void write(std::string_view piece) = 0;
  virtual void end() = 0;
  /// Breaks the connection, so that the client sees that the body is not whole.
  virtual void abort() = 0;

  /// A reply was begun.
  [[nodiscard]] virtual bool has_begun() const noexcept = 0;
  /// The client is there and the reply has not ended.
  [[nodiscard]] virtual bool is_open() const noexcept = 0;
  /// Bytes that the client has not been sent yet.
  [[nodiscard]] virtual std::size_t waiting_bytes() const noexcept = 0;
  /// Called once when all that was written has been sent.
  virtual void on_drained(std::function<void()> callback) = 0;
  /// Called once when the client goes away before the reply has ended.
  virtual void on_closed(std::function<void()> callback) = 0;

  /// Sent with every reply, and known to the audit log.
  std::string request_id;
  /// Who asks, by the name of the key; empty without keys.
  std::string key_name;
  /// How errors are spelled at the path that was asked for; null: in OpenAI's shape. See refuse().
  SpellError spell_error = nullptr;
};

/// Called on the loop for each request.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_EXCHANGE_HPP
