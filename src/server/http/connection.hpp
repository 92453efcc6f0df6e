// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_CONNECTION_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_CONNECTION_HPP

#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <set>
#include <string>

#include "server/http/listener.hpp"
#include "server/http/tls.hpp"

namespace qwen3guard::server {

/// What a listener wants of its connections, of whatever transport.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void start() = 0;
  /// Closes it now, or behind the reply that is under way.
  virtual void close_when_idle() = 0;
};

/// What a listener and its connections share. Loop thread only.
struct Reception {
  ListenerOptions options;
  Handler handler;
  Listener::BadRequest bad_request;
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: none
  ListenerStats stats;
  std::size_t bodies_bytes = 0;  // of all requests that are read or answered
  bool is_closing = false;
  std::set<std::shared_ptr<Connection>> connections;
};

[[nodiscard]] std::shared_ptr<Connection> make_connection(boost::asio::ip::tcp::socket socket,
                                                          std::shared_ptr<Reception> reception);
[[nodiscard]] std::shared_ptr<Connection> make_connection(boost::asio::local::stream_protocol::socket socket,
                                                          std::shared_ptr<Reception> reception);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_CONNECTION_HPP
