// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_SERVICES_HPP
#define QWEN3GUARD_SRC_SERVER_SERVICES_HPP

#include <functional>
#include <vector>

#include "server/http/loop.hpp"
#include "server/judging/models.hpp"
#include "server/operations/audit_log.hpp"
#include "server/operations/metrics.hpp"
#include "server/operations/policies.hpp"
#include "server/options.hpp"

namespace qwen3guard::server {

/// What the doors share. Everything lives as long as the server and is used on the loop's thread, but for the
/// models, whose classes say.
struct Services {
  Loop& loop;
  const ServerOptions& options;
  const Models& models;
  Policies& policies;
  Metrics& metrics;
  AuditLog& audit;
  std::vector<std::function<void()>>& on_stop;  ///< called when the server stops: event streams end then
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_SERVICES_HPP
