// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_OPERATIONS_METRICS_HPP
#define QWEN3GUARD_SRC_SERVER_OPERATIONS_METRICS_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/verdict.hpp"
#include "server/http/listener.hpp"
#include "server/options.hpp"

namespace qwen3guard::server {

/// What is so at the moment, read when somebody asks for the metrics.
struct Levels {
  struct OfModel {
    std::string name;
    std::size_t n_waiting = 0;   ///< conversations that wait or are judged
    std::size_t n_sessions = 0;  ///< streams
    std::size_t sessions_bytes = 0;
    std::uint64_t stream_tokens = 0;  ///< judged since the beginning
  };
  std::vector<OfModel> models;
  ListenerStats listener;
  std::size_t n_requests = 0;  ///< being answered
  std::uint64_t lost_audit_lines = 0;
};

/// Counters for operators, in the form of Prometheus. Every label has a bounded set of values: nothing that a
/// client writes becomes one. Loop thread only. Throws std::bad_alloc.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// A request was answered. door: as the routes are named, "other" for what is none.
  void count_request(std::string_view door, int status, double seconds);
  /// Something was judged: a message, or a turn of a stream. seconds: from when it was asked for; below 0:
  /// not known.
  void count_judged(Route route, Severity severity, const Ruling& ruling, double seconds);
  /// Something was not, for this reason; it was answered with an error or a block.
  void count_unjudged(Route route, std::string_view reason);
  /// monitor-only let something through that would have been blocked.
  void count_would_block(Route route);
  /// The proxy cut or replaced something.
  void count_blocked(Route route);
  /// A request was turned away: "queue", "sessions", "stopping", "key", ...
  void count_refused(std::string_view reason);
  void count_tokens(Route route, const TokenUsage& tokens);
  /// what: "policies", "keys", "certificate", "audit".
  void count_reload(std::string_view what, bool is_ok);

  /// The text of /metrics.
  [[nodiscard]] std::string text(const Levels& levels);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_OPERATIONS_METRICS_HPP
