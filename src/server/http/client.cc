// SPDX-License-Identifier: Apache-2.0
#include "server/http/client.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "server/http/loop_impl.hpp"
#include "server/http/tls.hpp"

namespace qwen3guard::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using TlsSocket = ssl::stream<Tcp::socket>;

constexpr std::uint32_t kMaxHeaderBytes = 64U << 10;
/// "100 Continue" and its like, which a server may send before its reply.
constexpr int kMaxEarlyReplies = 8;

bool is_address(const std::string& host) {
  error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

/// What the calls of a client share.
template <class Stream>
struct Links {
  struct Idle {
    std::unique_ptr<Stream> stream;
    Clock::time_point since;
  };

  Links(asio::io_context& context, Url where, ClientOptions wanted)
      : io(context), url(std::move(where)), options(std::move(wanted)) {
    if (url.is_tls) tls = make_client_tls(options.ca_file);
  }

  [[nodiscard]] std::unique_ptr<Stream> make_stream() {
    if constexpr (std::is_same_v<Stream, TlsSocket>) {
      auto stream = std::make_unique<Stream>(io, *tls);
      // Servers with several names choose their certificate by it.
      if (!is_address(url.host)) SSL_set_tlsext_host_name(stream->native_handle(), url.host.c_str());
      stream->set_verify_callback(ssl::host_name_verification(url.host));
      return stream;
    } else {
      return std::make_unique<Stream>(io);
    }
  }

  /// A kept connection that the server has not closed as far as is known; or null.
  [[nodiscard]] std::unique_ptr<Stream> take_idle() {
    while (!idle.empty()) {
      Idle last = std::move(idle.back());
      idle.pop_back();
      char c = 0;
      const auto n = ::recv(last.stream->lowest_layer().native_handle(), &c, 1, MSG_PEEK | MSG_DONTWAIT);
      const bool is_quiet = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      if (is_quiet && Clock::now() - last.since < options.idle_timeout) return std::move(last.stream);
    }
    return nullptr;
  }

  void keep(std::unique_ptr<Stream> stream) {
    // What came behind the reply would be taken for the next one's.
    if constexpr (std::is_same_v<Stream, TlsSocket>) {
      if (SSL_has_pending(stream->native_handle()) != 0) return;
    }
    if (idle.size() < options.max_idle) idle.push_back({std::move(stream), Clock::now()});
  }

  asio::io_context& io;
  const Url url;
  const ClientOptions options;
  std::shared_ptr<ssl::context> tls;
  std::vector<Idle> idle;
};

/// Kept alive by what it waits for, and by its handle.
template <class Stream>
class Call final : public ClientCall, public std::enable_shared_from_this<Call<Stream>> {
 public:
  Call(std::shared_ptr<Links<Stream>> links, ClientRequest request, ClientCallbacks callbacks)
      : links_(std::move(links)),
        callbacks_(std::make_shared<ClientCallbacks>(std::move(callbacks))),
        max_reply_bytes_(request.max_reply_bytes),
        resolver_(links_->io),
        timer_(links_->io) {
    request_.method_string(request.method);
    request_.target(request.target);
    request_.version(11);
    request_.set(http::field::host, links_->url.authority());
    for (const Header& header : request.headers) request_.set(header.name, header.value);
    request_.keep_alive(true);
    request_.body() = std::move(request.body);
    if (!request_.body().empty() || request.method == "POST") request_.prepare_payload();
  }

  void start() {
    asio::post(links_->io, [self = this->shared_from_this()] {
      if (!self->is_over_) self->begin();
    });
  }

  void pause() override { is_paused_ = true; }

  void resume() override {
    if (!std::exchange(is_paused_, false) || !std::exchange(is_waiting_, false)) return;
    asio::post(links_->io, [self = this->shared_from_this()] {
      if (!self->is_over_) self->read_body();
    });
  }

  void cancel() override {
    if (is_over_) return;
    stop();
    callbacks_.reset();
  }

 private:
  void begin() {
    stream_ = links_->take_idle();
    is_reused_ = stream_ != nullptr;
    if (is_reused_) return write();
    resolve();
  }

  void resolve() {
    stream_ = links_->make_stream();
    limit(links_->options.connect_timeout, "it did not answer in time");
    resolver_.async_resolve(
        links_->url.host, std::to_string(links_->url.port), Tcp::resolver::numeric_service,
        [self = this->shared_from_this()](const error_code& error, const Tcp::resolver::results_type& found) {
          if (self->is_over_) return;
          if (error) return self->fail(502, "its name cannot be resolved: " + error.message());
          self->connect(found);
        });
  }

  void connect(const Tcp::resolver::results_type& found) {
    asio::async_connect(stream_->lowest_layer(), found,
                        [self = this->shared_from_this()](const error_code& error, const Tcp::endpoint&) {
                          if (self->is_over_) return;
                          if (error) return self->fail(502, "it cannot be reached: " + error.message());
                          error_code ignored;
                          self->stream_->lowest_layer().set_option(Tcp::no_delay(true), ignored);
                          self->secure();
                        });
  }

  void secure() {
    if constexpr (std::is_same_v<Stream, TlsSocket>) {
      stream_->async_handshake(ssl::stream_base::client,
                               [self = this->shared_from_this()](const error_code& error) {
                                 if (self->is_over_) return;
                                 if (error) return self->fail(502, "no TLS with it: " + error.message());
                                 self->write();
                               });
    } else {
      write();
    }
  }

  void write() {
    limit(links_->options.stall_timeout, "it stalls");
    http::async_write(*stream_, request_,
                      [self = this->shared_from_this()](const error_code& error, std::size_t) {
                        if (self->is_over_) return;
                        // A server may refuse a request before it has read all of it: the reply says why.
                        if (error && self->is_reused_) return self->try_again();
                        self->read_header();
                      });
  }

  /// The kept connection was closed, and nobody has seen the request.
  void try_again() {
    is_reused_ = false;
    resolve();
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(max_reply_bytes_);
    if (request_.method() == http::verb::head) parser_->skip(true);
    http::async_read_header(*stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](const error_code& error, std::size_t) {
                              if (self->is_over_) return;
                              if (!error) return self->take_header();
                              const bool is_dead = self->is_reused_ && !self->parser_->got_some();
                              if (is_dead) return self->try_again();
                              self->fail_reading(error);
                            });
  }

  void take_header() {
    const auto& reply = parser_->get();
    if (reply.result_int() < 200) {
      if (++n_early_replies_ > kMaxEarlyReplies || reply.result_int() == 101)
        return fail(502, "it sent no reply");
      return read_header();
    }
    Headers headers;
    for (const auto& field : reply)
      headers.push_back({std::string(field.name_string()), std::string(field.value())});
    const auto callbacks = callbacks_;  // which may cancel
    callbacks->head(static_cast<int>(reply.result_int()), headers);
    if (!is_over_) go_on();
  }

  void go_on() {
    if (parser_->is_done()) return finish();
    ++n_limits_;
    timer_.cancel();
    if (is_paused_) {
      is_waiting_ = true;
      return;
    }
    read_body();
  }

  void read_body() {
    limit(links_->options.stall_timeout, "it stalls");
    parser_->get().body().data = piece_.data();
    parser_->get().body().size = piece_.size();
    http::async_read_some(*stream_, buffer_, *parser_,
                          [self = this->shared_from_this()](const error_code& error, std::size_t) {
                            if (self->is_over_) return;
                            if (error && error != http::error::need_buffer) return self->fail_reading(error);
                            self->take_body();
                          });
  }

  void take_body() {
    const std::size_t n = piece_.size() - parser_->get().body().size;
    if (n > 0) {
      const auto callbacks = callbacks_;
      callbacks->piece({piece_.data(), n});
      if (is_over_) return;
    }
    go_on();
  }

  void finish() {
    const auto callbacks = callbacks_;
    const bool keeps = parser_->keep_alive() && buffer_.size() == 0;
    std::unique_ptr<Stream> stream = keeps ? std::move(stream_) : nullptr;
    stop();
    callbacks_.reset();
    if (stream) links_->keep(std::move(stream));
    callbacks->end();
  }

  void fail_reading(const error_code& error) {
    if (error == http::error::body_limit)
      return fail(502, "its reply is longer than " + std::to_string(max_reply_bytes_) + " bytes");
    if (error == http::error::header_limit) return fail(502, "the headers of its reply are too long");
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error == ssl::error::stream_truncated)
      return fail(502, "it closed the connection in the middle of its reply");
    fail(502, "its reply cannot be read: " + error.message());
  }

  void limit(std::chrono::milliseconds time, const char* what) {
    timer_.expires_after(time);
    timer_.async_wait([weak = this->weak_from_this(), what, number = ++n_limits_](const error_code& error) {
      const auto self = weak.lock();
      if (self && !error && !self->is_over_ && self->n_limits_ == number) self->fail(504, what);
    });
  }

  void fail(int status, const std::string& what) {
    const auto callbacks = callbacks_;
    stop();
    callbacks_.reset();
    callbacks->failed({status, "the upstream " + links_->url.authority() + ": " + what});
  }

  void stop() {
    is_over_ = true;
    timer_.cancel();
    resolver_.cancel();
    error_code ignored;
    // The stream itself stays until the operations on it have ended.
    if (stream_) stream_->lowest_layer().close(ignored);
  }

  std::shared_ptr<Links<Stream>> links_;
  std::shared_ptr<ClientCallbacks> callbacks_;
  const std::size_t max_reply_bytes_;
  Tcp::resolver resolver_;
  asio::steady_timer timer_;
  std::unique_ptr<Stream> stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  std::optional<http::response_parser<http::buffer_body>> parser_;
  std::array<char, std::size_t{16} << 10> piece_{};
  std::uint64_t n_limits_ = 0;
  int n_early_replies_ = 0;
  bool is_reused_ = false, is_paused_ = false, is_waiting_ = false, is_over_ = false;
};

template <class Stream>
class ClientOver final : public HttpClient {
 public:
  ClientOver(Loop& loop, Url url, const ClientOptions& options)
      : links_(std::make_shared<Links<Stream>>(loop.impl().io, std::move(url), options)) {}

  std::shared_ptr<ClientCall> send(ClientRequest request, ClientCallbacks callbacks) override {
    auto call = std::make_shared<Call<Stream>>(links_, std::move(request), std::move(callbacks));
    call->start();
    return call;
  }

 private:
  std::shared_ptr<Links<Stream>> links_;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::make(Loop& loop, Url url, const ClientOptions& options) {
  if (url.is_tls) return std::make_unique<ClientOver<TlsSocket>>(loop, std::move(url), options);
  return std::make_unique<ClientOver<Tcp::socket>>(loop, std::move(url), options);
}

}  // namespace qwen3guard::server
