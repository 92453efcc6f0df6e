// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_SERVER_HPP
#define QWEN3GUARD_SRC_SERVER_SERVER_HPP

#include <functional>
#include <memory>
#include <string>

#include "server/options.hpp"

namespace qwen3guard::server {

/// `qwen3guard serve`: the doors, what they share, and the signals. SIGTERM and SIGINT finish what was
/// accepted and end it, a second one at once; SIGHUP reads policies, keys and certificate again and reopens
/// the audit log, as SIGUSR1 does alone.
class Server {
 public:
  /// Listens. Throws std::runtime_error and Exception: what cannot be used, and why.
  explicit Server(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// "http://127.0.0.1:8080".
  [[nodiscard]] std::string address() const;
  /// Serves until a signal ends it. True when all that was accepted was answered.
  bool run();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_SERVER_HPP
