// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_OPERATIONS_POLICIES_HPP
#define QWEN3GUARD_SRC_SERVER_OPERATIONS_POLICIES_HPP

#include <array>
#include <memory>

#include "server/options.hpp"

namespace qwen3guard::server {

/// The policy of each route, which a reload replaces; who holds one keeps it. Loop thread only.
class Policies {
 public:
  /// Throws what `load` throws.
  explicit Policies(LoadPolicies load) : load_(std::move(load)) { reload(); }

  /// Throws what the loader throws; then the old ones stay.
  void reload();
  /// For calls of Guard::classify(). Never null; its token verdicts are not kept.
  [[nodiscard]] std::shared_ptr<const ClassifyOptions> options(Route route) const noexcept {
    return options_[static_cast<std::size_t>(route)];
  }
  [[nodiscard]] const Policy& policy(Route route) const noexcept { return options(route)->policy; }

 private:
  LoadPolicies load_;
  std::array<std::shared_ptr<const ClassifyOptions>, kRouteCount> options_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_OPERATIONS_POLICIES_HPP
