// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_MODELS_IN_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_MODELS_IN_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qwen3guard::server {

/// A model of the upstream's. A plain value.
struct UpstreamModel {
  std::string id, owner;
  std::int64_t created = 0;
};

/// Those of {"data": [{"id": "..."}]} whose names carry no text (plain_name()), at most 1,000; none when it
/// is no such object.
[[nodiscard]] std::vector<UpstreamModel> read_models(std::string_view json);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_MODELS_IN_HPP
