// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_OPEN_LOOP_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_OPEN_LOOP_HPP

#include <cstddef>
#include <memory>
#include <vector>

#include "client.hpp"
#include "texts.hpp"

namespace load {

/// What became of requests that came when they came, whatever had become of those before.
struct Offered {
  std::size_t n_sent = 0, n_answered = 0;
  std::size_t n_refused = 0;    ///< 429 or 503 with Retry-After
  std::size_t n_other = 0;      ///< any other reply
  std::size_t n_lost = 0;       ///< no reply
  std::size_t n_swapped = 0;    ///< another request's id, or another text's verdict
  std::size_t n_held_back = 0;  ///< not sent, as the generator had no free connection
  double seconds = 0;           ///< from the first to the last
  /// From the last one until a request came that was not refused, and until it had its verdict. @{
  double accepted_ms = -1, recovery_ms = -1;  /// @}
  std::vector<double> answered_ms, refused_ms;
  double most_mib = 0;  ///< resident
  [[nodiscard]] bool is_clean() const noexcept { return n_lost == 0 && n_swapped == 0 && n_other == 0; }
};

/// Verdicts asked for at a steady rate.
class OpenLoop {
 public:
  OpenLoop(boost::asio::io_context& io, const Target& target, const KnownTexts& texts, int pid)
      : io_(io), target_(target), texts_(texts), timer_(io), pid_(pid) {}
  OpenLoop(const OpenLoop&) = delete;
  OpenLoop& operator=(const OpenLoop&) = delete;
  ~OpenLoop();

  [[nodiscard]] Offered run(double per_second, double seconds);

 private:
  void tick();
  void send();
  void take(std::size_t number, const std::string& id, double ms, bool is_whole, const Reply& reply);
  void probe();

  boost::asio::io_context& io_;
  const Target& target_;
  const KnownTexts& texts_;
  boost::asio::steady_timer timer_;
  const int pid_;
  double per_second_ = 0;
  Clock::time_point begin_, end_, last_;
  std::vector<std::shared_ptr<Client>> clients_, free_;
  std::shared_ptr<Client> prober_;
  std::size_t n_due_ = 0, n_open_ = 0, number_ = 0, n_ticks_ = 0;
  bool is_over_ = false, has_recovered_ = false;
  Offered offered_;
};

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_OPEN_LOOP_HPP
