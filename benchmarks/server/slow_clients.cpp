// SPDX-License-Identifier: Apache-2.0
#include "slow_clients.hpp"

#include <sys/socket.h>

#include <cstdio>
#include <string>
#include <utility>

#include "measured.hpp"
#include "measurements.hpp"
#include "texts.hpp"
#include "worker.hpp"

namespace load {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// A stream's, of some 100 KB of events each: more than the system takes in for a client that does not read.
constexpr std::size_t kPieces = 60;
constexpr std::chrono::milliseconds kByte{50}, kVanish{100};
/// So little is received before somebody reads that a server soon has to keep what it writes.
constexpr int kReceiveBytes = 4096;

asio::ip::tcp::socket connected(asio::io_context& io, const Target& target) {
  asio::ip::tcp::socket socket(io);
  socket.open(target.endpoint.protocol());
  socket.set_option(asio::socket_base::receive_buffer_size(kReceiveBytes));
  error_code error;
  socket.connect(target.endpoint, error);
  return socket;
}

}  // namespace

SlowClients::SlowClients(asio::io_context& io, const Target& target, std::size_t n)
    : io_(io), target_(target), timer_(io) {
  for (std::size_t i = 0; i < n / 3 + (n % 3 > 0 ? 1 : 0); ++i) add_deaf(i);
  for (std::size_t i = 0; i < n / 3 + (n % 3 > 1 ? 1 : 0); ++i) tricklers_.push_back({connected(io, target)});
  n_vanishing_ = n / 3;
}

/// Opens a session, asks for its events, and reads none.
void SlowClients::add_deaf(std::size_t number) {
  auto stream = std::make_unique<StreamClient>(io_, target_);
  wait_for(io_, [&](auto done) { stream->open_without_events(prompt_text(number), std::move(done)); });
  deaf_.push_back(connected(io_, target_));
  error_code error;
  asio::write(deaf_.back(), asio::buffer(target_.request("GET", "/v1/stream/" + stream->id() + "/events")),
              error);
  talkers_.push_back(std::move(stream));
}

std::size_t SlowClients::talk(std::size_t n_pieces) {
  std::string piece;
  while (piece.size() < 2000) piece += "The ferry left at six, before the fog had lifted from the water. ";
  std::size_t n_refused = 0;
  for (std::size_t i = 0; i < n_pieces; ++i) {
    for (const auto& talker : talkers_) {
      if (!wait_for(io_, [&](auto done) { talker->push_anew(piece, std::move(done)); })) ++n_refused;
    }
  }
  return n_refused;
}

void SlowClients::begin() {
  n_ticks_ = 0;
  tick();
}

void SlowClients::tick() {
  for (Trickler& trickler : tricklers_) trickle(trickler);
  if (n_vanishing_ > 0 && n_ticks_++ % (kVanish / kByte) == 0) vanish();
  timer_.expires_after(kByte);
  timer_.async_wait([this](const error_code& error) {
    if (!error) tick();
  });
}

/// One more byte of a request; a new connection when the server has cut this one.
void SlowClients::trickle(Trickler& trickler) {
  const std::string request = target_.request("POST", "/v1/moderations", moderation_body(prompt_text(1)));
  if (trickler.n_sent == request.size()) trickler.n_sent = 0;
  const auto n =
      ::send(trickler.socket.native_handle(), &request[trickler.n_sent], 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n == 1) {
    ++trickler.n_sent;
    return;
  }
  ++n_cut_;
  trickler.socket = connected(io_, target_);
  trickler.n_sent = 0;
}

/// Each time at another place of a request, with a reset.
void SlowClients::vanish() {
  const std::string request =
      target_.request("POST", "/v1/moderations", moderation_body(prompt_text(n_vanished_)));
  asio::ip::tcp::socket socket = connected(io_, target_);
  const std::size_t n = n_vanished_++ % 4 == 3 ? request.size() : (n_vanished_ * 37) % request.size();
  error_code error;
  asio::write(socket, asio::buffer(request.data(), n), error);
  socket.set_option(asio::socket_base::linger(true, 0), error);
  socket.close(error);
}

bool measure_slow_clients(asio::io_context& io, const Options& options, const Target& ours) {
  const auto normal = [&] {
    Workers workers;
    workers.push_back(make_poster(io, ours, "/v1/moderations",
                                  [](std::size_t number) { return moderation_body(prompt_text(number)); }));
    return closed_loop(io, std::move(workers), options.seconds);
  };
  print_head({"one normal client", "requests/s", "p50, ms", "p99, ms", "errors", "MiB"});
  const auto print = [&](const char* what, const Rate& rate) {
    print_row({what, fixed(rate.per_second(), 1), fixed(percentile(rate.ms, 50)),
               fixed(percentile(rate.ms, 99)), std::to_string(rate.n_errors),
               fixed(resident_mib(options.pid), 1)});
  };
  const Rate before = normal();
  print("alone", before);
  std::size_t n_cut = 0, n_vanished = 0, n_refused = 0;
  Rate beside;
  {
    SlowClients others(io, ours, options.n_slow_clients);
    n_refused = others.talk(kPieces);
    others.begin();
    beside = normal();
    print("beside them", beside);
    n_cut = others.n_cut();
    n_vanished = others.n_vanished();
  }
  const Rate behind = normal();
  print("when they are gone", behind);
  std::printf(
      "\n%zu slow clients: %zu trickled requests were cut, %zu clients vanished, %zu pushes to streams that "
      "nobody reads were refused\n",
      options.n_slow_clients, n_cut, n_vanished, n_refused);
  return before.n_errors + beside.n_errors + behind.n_errors == 0;
}

}  // namespace load
