// SPDX-License-Identifier: Apache-2.0
#include "server/operations/policies.hpp"

#include <utility>

namespace qwen3guard::server {

const char* to_string(Route route) noexcept {
  switch (route) {
    case Route::moderations:
      return "moderations";
    case Route::chat:
      return "chat";
    case Route::stream:
      return "stream";
    case Route::upstream:
      return "upstream";
    case Route::litellm:
      return "litellm";
    case Route::perspective:
      return "perspective";
    case Route::azure:
      return "azure";
  }
  return "";
}

void Policies::reload() {
  std::vector<Policy> loaded = load_();
  std::array<std::shared_ptr<const ClassifyOptions>, kRouteCount> made;
  for (std::size_t i = 0; i < made.size(); ++i) {
    ClassifyOptions options;
    options.policy = std::move(loaded.at(i));
    made[i] = std::make_shared<const ClassifyOptions>(std::move(options));
  }
  options_ = std::move(made);
}

}  // namespace qwen3guard::server
