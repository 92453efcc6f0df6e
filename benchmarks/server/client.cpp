// SPDX-License-Identifier: Apache-2.0
#include "client.hpp"

#include <sys/socket.h>

#include <optional>
#include <stdexcept>

namespace load {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::seconds kPatience{30};

}  // namespace

Target Target::resolve(asio::io_context& io, const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  Target target;
  if (url.compare(0, kScheme.size(), kScheme) != 0)
    throw std::runtime_error(url + ": expected http://host:port");
  std::string rest = url.substr(kScheme.size());
  rest.resize(std::min(rest.find('/'), rest.size()));
  const std::size_t colon = rest.rfind(':');
  target.host = rest.substr(0, colon);
  target.port = colon == std::string::npos ? "80" : rest.substr(colon + 1);
  error_code error;
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(target.host, target.port, error);
  if (error || found.empty()) throw std::runtime_error(url + ": " + error.message());
  target.endpoint = found.begin()->endpoint();
  return target;
}

std::string Target::request(std::string_view method, std::string_view path, std::string_view body,
                            std::string_view id) const {
  std::string out;
  out.reserve(256 + body.size());
  out.append(method)
      .append(" ")
      .append(path)
      .append(" HTTP/1.1\r\nhost: ")
      .append(host)
      .append(":")
      .append(port);
  if (!key.empty()) out.append("\r\nauthorization: Bearer ").append(key);
  if (!id.empty()) out.append("\r\nx-request-id: ").append(id);
  if (!body.empty() || method == "POST")
    out.append("\r\ncontent-type: application/json\r\ncontent-length: ").append(std::to_string(body.size()));
  out.append("\r\n\r\n").append(body);
  return out;
}

void Client::send(std::string request, Done done, ReplyReader::OnPiece on_piece) {
  request_ = std::move(request);
  done_ = std::move(done);
  reader_ = ReplyReader(std::move(on_piece));
  is_busy_ = true;
  ++number_;
  if (is_usable()) return write();
  connect();
}

void Client::close() {
  ++number_;
  is_busy_ = false;
  done_ = nullptr;
  error_code error;
  socket_.close(error);
}

/// The server may have closed the connection while it was idle: that is its right, and no lost request.
bool Client::is_usable() {
  if (!socket_.is_open()) return false;
  char c = 0;
  const auto n = ::recv(socket_.native_handle(), &c, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Client::connect() {
  error_code error;
  socket_.close(error);
  socket_.async_connect(target_.endpoint,
                        [self = shared_from_this(), number = number_](const error_code& failed) {
                          if (number != self->number_) return;
                          if (failed) return self->finish(false);
                          error_code ignored;
                          self->socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
                          self->write();
                        });
}

void Client::write() {
  asio::async_write(socket_, asio::buffer(request_),
                    [self = shared_from_this(), number = number_](const error_code& error, std::size_t) {
                      // A server that refuses may close before it has read all: its reply is there all the
                      // same.
                      if (number == self->number_ && error && !self->reader_.has_begun() &&
                          error != asio::error::broken_pipe && error != asio::error::connection_reset)
                        self->finish(false);
                    });
  read();
}

void Client::read() {
  socket_.async_read_some(asio::buffer(piece_), [self = shared_from_this(), number = number_](
                                                    const error_code& error, std::size_t n) {
    if (number != self->number_) return;
    if (error) return self->finish(error == asio::error::eof && self->reader_.take_end());
    if (!self->reader_.take({self->piece_.data(), n})) return self->finish(false);
    if (number != self->number_) return;  // what got the piece has closed the connection
    if (self->reader_.is_whole()) return self->finish(true);
    self->read();
  });
}

void Client::finish(bool is_whole) {
  ++number_;
  is_busy_ = false;
  if (!is_whole || !reader_.reply().keeps_alive) {
    error_code error;
    socket_.close(error);
  }
  const Done done = std::exchange(done_, nullptr);
  Reply reply = std::move(reader_.reply());
  if (done) done(is_whole, reply);
}

Reply ask(asio::io_context& io, const Target& target, std::string request) {
  const auto client = std::make_shared<Client>(io, target);
  const auto out = std::make_shared<Reply>();
  const bool is_ok = wait_for(io, [&](auto done) {
    client->send(std::move(request), [out, done](bool is_whole, Reply& reply) {
      *out = std::move(reply);
      done(is_whole);
    });
  });
  client->close();
  if (!is_ok) throw std::runtime_error(target.host + ":" + target.port + ": no reply");
  return std::move(*out);
}

bool run_until(asio::io_context& io, const std::function<bool()>& is_done, Clock::time_point deadline) {
  io.restart();
  while (!is_done()) {
    if (io.run_one_until(deadline) == 0) return is_done();
  }
  return true;
}

bool wait_for(asio::io_context& io, const std::function<void(std::function<void(bool)>)>& begin) {
  const auto outcome = std::make_shared<std::optional<bool>>();  // it may come when nobody waits any more
  begin([outcome](bool is_ok) { *outcome = is_ok; });
  run_until(
      io, [&] { return outcome->has_value(); }, Clock::now() + kPatience);
  return outcome->value_or(false);
}

}  // namespace load
