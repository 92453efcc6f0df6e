// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_SLOW_CLIENTS_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_SLOW_CLIENTS_HPP

#include <cstddef>
#include <memory>
#include <vector>

#include "client.hpp"
#include "stream_client.hpp"

namespace load {

/// Clients as nobody wants them, a third each: those that never read their events, those that send a byte now
/// and then, and one after the other that vanishes in the middle of a request.
class SlowClients {
 public:
  /// Connects them.
  SlowClients(boost::asio::io_context& io, const Target& target, std::size_t n);

  /// Makes so many pieces' events for each that does not read; returns how many were refused.
  std::size_t talk(std::size_t n_pieces);
  /// The others go on while the loop runs, until this is destroyed.
  void begin();
  [[nodiscard]] std::size_t n_cut() const noexcept { return n_cut_; }
  [[nodiscard]] std::size_t n_vanished() const noexcept { return n_vanished_; }

 private:
  struct Trickler {
    boost::asio::ip::tcp::socket socket;
    std::size_t n_sent = 0;
  };

  void add_deaf(std::size_t number);
  void tick();
  void trickle(Trickler& trickler);
  void vanish();

  boost::asio::io_context& io_;
  const Target& target_;
  boost::asio::steady_timer timer_;
  std::vector<boost::asio::ip::tcp::socket> deaf_;
  std::vector<std::unique_ptr<StreamClient>> talkers_;  // to the sessions of those
  std::vector<Trickler> tricklers_;
  std::size_t n_vanishing_ = 0, n_ticks_ = 0, n_cut_ = 0, n_vanished_ = 0;
};

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_SLOW_CLIENTS_HPP
