// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_CLIENT_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_CLIENT_HPP

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/http/loop.hpp"
#include "server/http/message.hpp"
#include "server/http/url.hpp"

namespace qwen3guard::server {

struct ClientOptions {
  std::string ca_file;                                ///< PEM, for https; empty: the system's store
  std::chrono::milliseconds connect_timeout{10'000};  ///< to find the host, to connect, and for TLS
  std::chrono::milliseconds stall_timeout{60'000};    ///< without a byte, as long as one is waited for
  std::chrono::milliseconds idle_timeout{30'000};     ///< of a connection that is kept
  std::size_t max_idle = 8;                           ///< connections that are kept
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;  ///< Host, Content-Length and Connection are added
  std::string body;
  std::size_t max_reply_bytes = std::size_t{1} << 20;  ///< of the reply's body
};

/// Why there is no reply, or no whole one.
struct ClientFailure {
  int status = 502;     ///< as a gateway would report it: 502, or 504 when it took too long
  std::string message;  ///< names no more than the host
};

/// Called on the loop's thread, never within send() or a function of ClientCall: head(), then piece() as
/// often as bytes of the body come, then end(). Or failed(), at any time in between; it is the last.
struct ClientCallbacks {
  std::function<void(int status, const Headers& headers)> head;
  std::function<void(std::string_view piece)> piece;
  std::function<void()> end;
  std::function<void(const ClientFailure& failure)> failed;
};

/// A request under way. It goes on without its handle. Loop thread only.
class ClientCall {
 public:
  ClientCall() = default;
  ClientCall(const ClientCall&) = delete;
  ClientCall& operator=(const ClientCall&) = delete;
  virtual ~ClientCall() = default;

  /// Reads no more of the body until resume(), so that the server waits. Time does not count meanwhile.
  virtual void pause() = 0;
  virtual void resume() = 0;
  /// Closes the connection. Nothing is called back any more; may be called by a callback, or when all is
  /// over.
  virtual void cancel() = 0;
};

/// HTTP/1.1 to one server, over connections that are kept and used again. By https the server's certificate
/// is checked against the store and the host's name. Loop thread only.
class HttpClient {
 public:
  /// Throws std::runtime_error: the certificates cannot be used.
  [[nodiscard]] static std::unique_ptr<HttpClient> make(Loop& loop, Url url, const ClientOptions& options);
  HttpClient() = default;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  virtual ~HttpClient() = default;

  /// A kept connection that turns out to be closed before any byte of a reply came is replaced by a new one,
  /// once.
  virtual std::shared_ptr<ClientCall> send(ClientRequest request, ClientCallbacks callbacks) = 0;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_CLIENT_HPP
