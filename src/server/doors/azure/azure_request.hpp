// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_REQUEST_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_REQUEST_HPP

#include <string>

#include "qwen3guard/policy.hpp"
#include "server/doors/azure/azure_severities.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {

/// The length limit of one request, as Azure has it.
inline constexpr std::size_t kAzureMaxTextCodePoints = 10'000;

/// The body of `text:analyze`. A plain value.
struct AzureRequest {
  std::string text;
  AskedCategories asked{};        ///< at least one
  bool has_eight_levels = false;  ///< of the output; else four
};

/// Parses the body. The only block list is the policy's deny list, under the policy's name. Throws
/// BadRequestError or wire::LineError with the place, for unknown members and names too.
[[nodiscard]] AzureRequest read_azure_request(const wire::JsonValue& body, const Policy& policy);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_REQUEST_HPP
