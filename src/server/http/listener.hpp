// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_LISTENER_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_LISTENER_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "server/http/exchange.hpp"
#include "server/http/loop.hpp"

namespace qwen3guard::server {

/// Where to listen, and what a connection may take.
struct ListenerOptions {
  std::string host = "127.0.0.1";  ///< a name or an address
  std::uint16_t port = 8080;       ///< 0: one that is free
  std::string unix_socket;         ///< instead of host and port: a path
  std::string tls_certificate;     ///< PEM file, with the chain; with a key: https
  std::string tls_key;             ///< PEM file
  std::size_t max_connections = 4096;
  std::size_t max_body_bytes = std::size_t{1} << 20;
  /// Of all requests that are read or answered.
  std::size_t max_bodies_bytes = std::size_t{256} << 20;
  std::chrono::milliseconds read_timeout{15'000};   ///< for a request to come whole
  std::chrono::milliseconds write_timeout{30'000};  ///< for a client to take any byte
  std::chrono::milliseconds idle_timeout{75'000};   ///< between two requests
};

/// True when only this machine can reach it. Throws std::runtime_error: no such host.
[[nodiscard]] bool is_loopback(Loop& loop, const ListenerOptions& options);

/// Counters of a listener; for metrics.
struct ListenerStats {
  std::size_t n_connections = 0;     ///< now
  std::uint64_t n_accepted = 0;      ///< since the beginning
  std::uint64_t n_turned_away = 0;   ///< of these refused, as there were too many
  std::uint64_t n_bad_requests = 0;  ///< that were no HTTP, or too large
};

/// Listens, reads requests, and hands them to the handler. A request that cannot be read is answered here, in
/// the shape that `bad_request` gives it.
class Listener {
 public:
  /// Makes the reply to what is no good request. path: empty where it did not come so far.
  using BadRequest = std::function<Response(const ApiError& error, std::string_view path)>;

  /// Throws std::runtime_error: what could not be opened, and why.
  [[nodiscard]] static std::unique_ptr<Listener> open(Loop& loop, const ListenerOptions& options,
                                                      Handler handler, BadRequest bad_request);
  virtual ~Listener() = default;

  /// "http://127.0.0.1:8080", "https://...", "unix:/run/guard.sock".
  [[nodiscard]] virtual std::string address() const = 0;
  /// Takes no more connections; those that wait for a request are closed, the others when they are answered.
  virtual void close() = 0;
  [[nodiscard]] virtual ListenerStats stats() const = 0;
  /// Loads the certificate's files again, for connections from now on. Throws std::runtime_error; then
  /// nothing has changed.
  virtual void reload_certificate() = 0;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_LISTENER_HPP
