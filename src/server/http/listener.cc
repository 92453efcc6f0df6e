// SPDX-License-Identifier: Apache-2.0
#include "server/http/listener.hpp"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <stdexcept>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "server/http/connection.hpp"
#include "server/http/loop_impl.hpp"
#include "server/http/reply_head.hpp"
#include "server/http/request_id.hpp"
#include "server/http/tls.hpp"

namespace qwen3guard::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Unix = asio::local::stream_protocol;

[[noreturn]] void fail(const std::string& where, const std::string& why) {
  throw std::runtime_error("cannot listen on " + printable(where) + ": " + why);
}

Unix::endpoint endpoint_of(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    fail(path, "a socket's path has at most " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
  return {path};
}

/// What tells the file of that name from a later one; 0: there is none.
ino_t file_at(const std::string& path) noexcept {
  struct stat found = {};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

/// A socket that nobody answers on, left behind by a process that is gone, is taken away; another file is
/// not.
void remove_stale(asio::io_context& io, const std::string& path) {
  struct stat found = {};
  if (::lstat(path.c_str(), &found) != 0) return;
  if (!S_ISSOCK(found.st_mode)) fail(path, "there is a file of that name that is no socket");
  Unix::socket probe(io);
  error_code error;
  probe.connect(endpoint_of(path), error);
  if (error != asio::error::connection_refused)
    fail(path,
         error ? "who answers there cannot be told: " + error.message() : "another process answers there");
  ::unlink(path.c_str());
}

template <class Protocol>
class AcceptingListener : public Listener {
 public:
  AcceptingListener(Loop& loop, std::shared_ptr<Reception> reception, const std::string& where,
                    const typename Protocol::endpoint& endpoint)
      : reception_(std::move(reception)), acceptor_(loop.impl().io), rest_(loop.impl().io) {
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    // A socket in the file system is its owner's; the others have a port.
    const mode_t mask = ::umask(0177);
    if (!error) acceptor_.bind(endpoint, error);
    ::umask(mask);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) fail(where, error.message());
  }

  ~AcceptingListener() override {
    AcceptingListener::close();
    const auto connections = std::exchange(reception_->connections, {});
    for (const auto& connection : connections) connection->close_when_idle();
  }

  void close() override {
    error_code error;
    acceptor_.close(error);
    reception_->is_closing = true;
    const auto connections = reception_->connections;  // those that close go out of it
    for (const auto& connection : connections) connection->close_when_idle();
  }

  ListenerStats stats() const override { return reception_->stats; }

  void reload_certificate() override {
    const ListenerOptions& options = reception_->options;
    if (reception_->tls != nullptr)
      reception_->tls = make_server_tls(options.tls_certificate, options.tls_key);
  }

  void accept() {
    acceptor_.async_accept([this, alive = std::weak_ptr<int>(alive_)](const error_code& error,
                                                                      typename Protocol::socket socket) {
      if (alive.expired() || error == asio::error::operation_aborted) return;
      if (!error) {
        take(std::move(socket));
        return accept();
      }
      // The process has no more file descriptors, say: later there may be.
      rest_.expires_after(std::chrono::milliseconds(50));
      rest_.async_wait([this, alive](const error_code& cancelled) {
        if (!cancelled && !alive.expired()) accept();
      });
    });
  }

 protected:
  [[nodiscard]] const auto& acceptor() const noexcept { return acceptor_; }
  [[nodiscard]] const ListenerOptions& options() const noexcept { return reception_->options; }

 private:
  void take(typename Protocol::socket socket) {
    ListenerStats& stats = reception_->stats;
    ++stats.n_accepted;
    if (reception_->connections.size() >= reception_->options.max_connections) {
      ++stats.n_turned_away;
      turn_away(socket);
      return;
    }
    auto connection = make_connection(std::move(socket), reception_);
    reception_->connections.insert(connection);
    stats.n_connections = reception_->connections.size();
    connection->start();
  }

  /// Says why in one write, which a new connection always has room for, without waiting for the request.
  void turn_away(typename Protocol::socket& socket) {
    if (reception_->tls != nullptr) return;
    Response response = reception_->bad_request({503, "too many connections", "", ""}, "");
    response.headers.push_back({"retry-after", "1"});
    response.headers.push_back({kRequestIdHeader, request_id_of("")});
    const std::string bytes =
        reply_head(503, response.headers, {response.body.size(), false, false}) + response.body;
    error_code error;
    socket.non_blocking(true, error);
    socket.write_some(asio::buffer(bytes), error);
    socket.shutdown(asio::socket_base::shutdown_send, error);
  }

  std::shared_ptr<Reception> reception_;
  typename Protocol::acceptor acceptor_;
  asio::steady_timer rest_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

class TcpListener final : public AcceptingListener<Tcp> {
 public:
  using AcceptingListener::AcceptingListener;
  std::string address() const override {
    error_code error;
    const auto endpoint = acceptor().local_endpoint(error);
    const std::string host = endpoint.address().to_string();
    return std::string(options().tls_certificate.empty() ? "http://" : "https://") +
           (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
  }
};

class UnixListener final : public AcceptingListener<Unix> {
 public:
  UnixListener(Loop& loop, std::shared_ptr<Reception> reception, const std::string& path)
      : AcceptingListener(loop, std::move(reception), path, endpoint_of(path)), file_(file_at(path)) {}
  ~UnixListener() override { UnixListener::close(); }
  /// The path is given back while the socket still answers, and only if nobody else has it by now: who starts
  /// a new server before the old one has ended loses nothing.
  void close() override {
    if (file_ != 0 && file_at(options().unix_socket) == file_) ::unlink(options().unix_socket.c_str());
    file_ = 0;
    AcceptingListener::close();
  }
  std::string address() const override { return "unix:" + options().unix_socket; }

 private:
  ino_t file_;
};

Tcp::endpoint resolve(Loop& loop, const ListenerOptions& options) {
  error_code error;
  Tcp::resolver resolver(loop.impl().io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port),
                                      Tcp::resolver::passive | Tcp::resolver::numeric_service, error);
  if (error || found.empty()) fail(options.host, error ? error.message() : "no such host");
  return found.begin()->endpoint();
}

}  // namespace

bool is_loopback(Loop& loop, const ListenerOptions& options) {
  return !options.unix_socket.empty() || resolve(loop, options).address().is_loopback();
}

std::unique_ptr<Listener> Listener::open(Loop& loop, const ListenerOptions& options, Handler handler,
                                         BadRequest bad_request) {
  auto reception = std::make_shared<Reception>();
  reception->options = options;
  reception->handler = std::move(handler);
  reception->bad_request = std::move(bad_request);
  if (!options.tls_certificate.empty())
    reception->tls = make_server_tls(options.tls_certificate, options.tls_key);
  if (!options.unix_socket.empty()) {
    remove_stale(loop.impl().io, options.unix_socket);
    auto listener = std::make_unique<UnixListener>(loop, std::move(reception), options.unix_socket);
    listener->accept();
    return listener;
  }
  const std::string where = options.host + ":" + std::to_string(options.port);
  auto listener = std::make_unique<TcpListener>(loop, std::move(reception), where, resolve(loop, options));
  listener->accept();
  return listener;
}

}  // namespace qwen3guard::server
