// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_WORKER_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_WORKER_HPP

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "client.hpp"

namespace load {

/// Something that one client does again and again, and never two at a time.
class Worker {
 public:
  struct Outcome {
    bool is_ok = false;
    double ms = 0;
    double first_ms = -1;  ///< until the reply's first part; below 0: it has none
  };
  using Done = std::function<void(Outcome)>;

  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  virtual ~Worker() = default;
  /// Calls `done` once, unless the worker is destroyed before.
  virtual void next(Done done) = 0;
};
using Workers = std::vector<std::unique_ptr<Worker>>;

/// What workers have done.
struct Rate {
  std::size_t n = 0, n_errors = 0;
  double seconds = 0;
  std::vector<double> ms, first_ms;
  [[nodiscard]] double per_second() const { return seconds > 0 ? static_cast<double>(n) / seconds : 0; }
};

/// All of them work for so long, each beginning anew as soon as it is done; the first fifth is not counted.
[[nodiscard]] Rate closed_loop(boost::asio::io_context& io, Workers workers, double seconds);

/// POSTs `body(number)`, which counts up, to a path; a reply with status 200 is fine.
using MakeBody = std::function<std::string(std::size_t number)>;
[[nodiscard]] std::unique_ptr<Worker> make_poster(boost::asio::io_context& io, const Target& target,
                                                  std::string path, MakeBody body);
/// Says answers piece by piece over /v1/stream; one piece is one thing done: from when it is sent until its
/// event has come. first_number: of its answers; workers that differ say different ones.
[[nodiscard]] std::unique_ptr<Worker> make_streamer(boost::asio::io_context& io, const Target& target,
                                                    std::size_t first_number);

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_WORKER_HPP
