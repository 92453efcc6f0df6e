// SPDX-License-Identifier: Apache-2.0
#include "server/http/connection.hpp"

#include <poll.h>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "server/http/client_exchange.hpp"
#include "server/http/reply_head.hpp"
#include "server/http/request_id.hpp"

namespace qwen3guard::server {
namespace {

std::string_view path_of(std::string_view target) noexcept { return target.substr(0, target.find('?')); }

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

using TcpStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using UnixStream = beast::basic_stream<asio::local::stream_protocol>;

constexpr std::uint32_t kMaxHeaderBytes = 16U << 10;
constexpr std::size_t kFirstReadBytes = 4096;
constexpr int kSendBufferBytes = 128 << 10;
constexpr std::chrono::seconds kLookAgain{1};
/// Of one write, so that a slow client's time limit counts from the last that it took.
constexpr std::size_t kMaxWriteBytes = std::size_t{64} << 10;

/// One client, one request at a time. Kept alive by what it waits for, by its exchange, and by the listener.
template <class Stream>
class ClientConnection final : public Connection,
                               public ReplyPipe,
                               public std::enable_shared_from_this<ClientConnection<Stream>> {
 public:
  template <class... Args>
  explicit ClientConnection(std::shared_ptr<Reception> reception, Args&&... args)
      : reception_(std::move(reception)),
        stream_(std::forward<Args>(args)...),
        look_again_(beast::get_lowest_layer(stream_).get_executor()) {}

  ~ClientConnection() override { release_body(); }

  void start() override {
    is_first_ = true;
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      lowest().expires_after(options().read_timeout);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](const error_code& error) {
                                if (error) return self->drop();
                                self->read();
                              });
    } else {
      read();
    }
  }

  void close_when_idle() override {
    keeps_alive_ = false;
    if (is_idle_) return drop();
    if (is_answering_) return;
    // A request that has begun to come is still answered, if its rest is near.
    look_again_.expires_after(kLookAgain);
    look_again_.async_wait([weak = this->weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (self && !error && !self->is_answering_) self->drop();
    });
  }

  void send(std::string_view bytes) override {
    if (is_closed_) return;
    waiting_ += bytes;
    if (!is_writing_) write_some();
  }
  void finish() override {
    has_ended_ = true;
    if (!is_writing_ && !is_closed_) next();
  }
  void abort() override {
    if (!is_closed_) drop();
  }
  void close_behind() noexcept override { keeps_alive_ = false; }
  Response no_reply(std::string_view path) const override {
    return reception_->bad_request({500, "the server has no reply to this", "", ""}, path);
  }
  bool is_closed() const noexcept override { return is_closed_; }
  bool keeps_alive() const noexcept override { return keeps_alive_ && !reception_->is_closing; }
  unsigned version() const noexcept override { return version_; }
  std::size_t waiting_bytes() const noexcept override { return waiting_.size() + sending_left_; }
  void post(std::function<void()> task) override { asio::post(lowest().get_executor(), std::move(task)); }

 private:
  [[nodiscard]] const ListenerOptions& options() const noexcept { return reception_->options; }
  [[nodiscard]] auto& lowest() noexcept { return beast::get_lowest_layer(stream_); }

  /// A connection may idle between two requests for longer than a request, once it has begun, may take to
  /// come.
  void read() {
    if (buffer_.size() > 0) return read_head();
    is_idle_ = true;
    lowest().expires_after(is_first_ ? options().read_timeout : options().idle_timeout);
    stream_.async_read_some(buffer_.prepare(kFirstReadBytes),
                            [self = this->shared_from_this()](const error_code& error, std::size_t n) {
                              if (error) return self->drop();
                              self->buffer_.commit(n);
                              self->read_head();
                            });
  }

  void read_head() {
    is_first_ = is_idle_ = false;
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(options().max_body_bytes);
    lowest().expires_after(options().read_timeout);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](const error_code& error, std::size_t) {
                              if (error) return self->refuse(error);
                              self->begin_body();
                            });
  }

  /// Where the body ends must be beyond doubt: a proxy in front that thinks otherwise takes a part of it for
  /// another request (RFC 9112, sections 3.2, 6.1 and 11.2). Beast has refused a length beside an encoding.
  [[nodiscard]] const char* doubt() const {
    const auto& head = parser_->get();
    if (head.count(http::field::transfer_encoding) > 0) {
      if (head.version() < 11) return "HTTP of that version has no Transfer-Encoding";
      if (head.count(http::field::transfer_encoding) > 1 ||
          !beast::iequals(head[http::field::transfer_encoding], "chunked"))
        return "the Transfer-Encoding is not \"chunked\"";
    }
    const auto n_hosts = head.count(http::field::host);
    if (n_hosts > 1 || (n_hosts == 0 && head.version() >= 11)) return "expected one Host header";
    return nullptr;
  }

  void begin_body() {
    if (const char* why = doubt()) return answer_badly(400, why);
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue") && !parser_->is_done())
      send("HTTP/1.1 100 Continue\r\n\r\n");
    lowest().expires_after(options().read_timeout);
    read_body();
  }

  /// Piece by piece, so that what has come counts, and not what was announced.
  void read_body() {
    if (!count_body()) return answer_badly(503, "too many large requests at the same time");
    if (parser_->is_done()) return handle();
    http::async_read_some(stream_, buffer_, *parser_,
                          [self = this->shared_from_this()](const error_code& error, std::size_t) {
                            if (error) return self->refuse(error);
                            self->read_body();
                          });
  }

  /// False: there is no room for it among those of all requests.
  [[nodiscard]] bool count_body() noexcept {
    reception_->bodies_bytes -= body_bytes_;
    body_bytes_ = parser_->get().body().size();
    reception_->bodies_bytes += body_bytes_;
    return reception_->bodies_bytes <= options().max_bodies_bytes;
  }

  /// What came is no request that can be answered as it should be.
  void refuse(const error_code& error) {
    if (error == http::error::body_limit)
      return answer_badly(
          413, "the request's body is longer than " + std::to_string(options().max_body_bytes) + " bytes");
    if (error == http::error::header_limit)
      return answer_badly(
          431, "the request's headers are longer than " + std::to_string(kMaxHeaderBytes) + " bytes");
    if (error == beast::error::timeout) {  // Beast has closed the socket
      ++reception_->stats.n_bad_requests;
      return drop();
    }
    if (error.category() == http::make_error_code(http::error::end_of_stream).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message)
      return answer_badly(400, "this is no HTTP request: " + error.message());
    drop();
  }

  void answer_badly(int status, const std::string& message) {
    ++reception_->stats.n_bad_requests;
    keeps_alive_ = false;
    is_answering_ = true;
    const auto target = parser_->get().target();
    Response response =
        reception_->bad_request({status, message, "", ""}, path_of({target.data(), target.size()}));
    response.headers.push_back({kRequestIdHeader, given_request_id()});
    if (status == 503) response.headers.push_back({"retry-after", "1"});
    send(reply_head(status, response.headers, {response.body.size(), false, false}) + response.body);
    finish();
  }

  [[nodiscard]] std::string given_request_id() const {
    const auto given = parser_->get()[kRequestIdHeader];
    return request_id_of({given.data(), given.size()});
  }

  void handle();

  /// While a request is answered nothing is read; but its client may go away.
  void watch() {
    lowest().expires_never();
    lowest().socket().async_wait(
        asio::socket_base::wait_read,
        [weak = this->weak_from_this(), number = n_requests_](const error_code& error) {
          const auto self = weak.lock();
          if (self && !error) self->look_for_end(number);
        });
  }

  /// There is something to read: the end, or, as the socket has it, bytes of another request or of TLS, which
  /// may stand in front of the end. These are left where they are, and it is looked again.
  void look_for_end(std::uint64_t number) {
    if (n_requests_ != number || !is_answering_) return;
    pollfd state = {lowest().socket().native_handle(), POLLRDHUP, 0};
    ::poll(&state, 1, 0);
    if ((state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) return drop();
    look_again_.expires_after(kLookAgain);
    look_again_.async_wait([weak = this->weak_from_this(), number](const error_code& error) {
      const auto self = weak.lock();
      if (self && !error) self->look_for_end(number);
    });
  }

  void write_some() {
    if (sending_left_ == 0) {
      sending_.swap(waiting_);
      waiting_.clear();
      sending_left_ = sending_.size();
    }
    is_writing_ = true;
    lowest().expires_after(options().write_timeout);
    stream_.async_write_some(asio::buffer(sending_.data() + (sending_.size() - sending_left_),
                                          std::min(sending_left_, kMaxWriteBytes)),
                             [self = this->shared_from_this()](const error_code& error, std::size_t n) {
                               self->is_writing_ = false;
                               if (error) return self->drop();
                               self->sending_left_ -= n;
                               if (self->waiting_bytes() > 0) return self->write_some();
                               self->sent_all();
                             });
  }

  void sent_all() {
    // An event stream that idles holds no memory for what it once sent.
    if (sending_.capacity() > kMaxWriteBytes) std::string().swap(sending_);
    if (!is_answering_) return;  // "100 Continue"
    lowest().expires_never();
    if (auto drained = std::exchange(on_drained, nullptr)) drained();
    if (has_ended_ && !is_writing_ && waiting_bytes() == 0 && !is_closed_) next();
  }

  /// The reply has gone out.
  void next() {
    is_answering_ = false;
    on_closed = nullptr;
    on_drained = nullptr;
    release_body();
    if (!keeps_alive()) return shut_down();
    read();
  }

  void shut_down() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      lowest().expires_after(options().write_timeout);
      stream_.async_shutdown([self = this->shared_from_this()](const error_code&) { self->drop(); });
    } else {
      linger();
    }
  }

  /// A client that still sends would be answered with a reset, and might never read the reply: what it sends
  /// is thrown away for a moment.
  void linger() {
    error_code error;
    lowest().socket().shutdown(asio::socket_base::shutdown_send, error);
    if (error) return drop();
    lowest().expires_after(std::chrono::seconds(2));
    discard();
  }
  void discard() {
    buffer_.clear();
    lowest().async_read_some(buffer_.prepare(4096),
                             [self = this->shared_from_this()](const error_code& error, std::size_t) {
                               if (error) return self->drop();
                               self->discard();
                             });
  }

  void drop() {
    if (std::exchange(is_closed_, true)) return;
    is_answering_ = false;
    release_body();
    const auto keep = this->shared_from_this();
    error_code error;
    lowest().socket().close(error);
    reception_->connections.erase(keep);
    reception_->stats.n_connections = reception_->connections.size();
    on_drained = nullptr;
    if (auto closed = std::exchange(on_closed, nullptr)) post(std::move(closed));
  }

  void release_body() noexcept { reception_->bodies_bytes -= std::exchange(body_bytes_, 0); }

  std::shared_ptr<Reception> reception_;
  Stream stream_;
  asio::steady_timer look_again_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string waiting_, sending_;
  std::size_t sending_left_ = 0, body_bytes_ = 0;
  std::uint64_t n_requests_ = 0;
  unsigned version_ = 11;
  bool is_first_ = true, is_idle_ = false, keeps_alive_ = false, is_answering_ = false, has_ended_ = false,
       is_writing_ = false, is_closed_ = false;
};

template <class Stream>
void ClientConnection<Stream>::handle() {
  auto& message = parser_->get();
  version_ = message.version();
  keeps_alive_ = message.keep_alive();
  is_answering_ = true;
  has_ended_ = false;
  ++n_requests_;
  Request request;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  request.path = path_of(target);
  request.query = target.substr(std::min(request.path.size() + 1, target.size()));
  for (const auto& field : message)
    request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  request.body = std::move(message.body());
  auto exchange = std::make_shared<ClientExchange>(this->shared_from_this(), std::move(request));
  exchange->request_id = given_request_id();
  parser_.reset();
  if (buffer_.size() == 0) buffer_.shrink_to_fit();
  watch();
  reception_->handler(std::move(exchange));
}

}  // namespace

std::shared_ptr<Connection> make_connection(asio::ip::tcp::socket socket,
                                            std::shared_ptr<Reception> reception) {
  error_code error;
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  // Else the system keeps megabytes for a client that does not read.
  socket.set_option(asio::socket_base::send_buffer_size(kSendBufferBytes), error);
  if (reception->tls == nullptr)
    return std::make_shared<ClientConnection<TcpStream>>(std::move(reception), std::move(socket));
  asio::ssl::context& tls = *reception->tls;
  return std::make_shared<ClientConnection<TlsStream>>(std::move(reception), std::move(socket), tls);
}

std::shared_ptr<Connection> make_connection(asio::local::stream_protocol::socket socket,
                                            std::shared_ptr<Reception> reception) {
  return std::make_shared<ClientConnection<UnixStream>>(std::move(reception), std::move(socket));
}

}  // namespace qwen3guard::server
