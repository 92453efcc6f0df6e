// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_REQUEST_JSON_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_REQUEST_JSON_HPP

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "server/http/exchange.hpp"
#include "server/replies.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {

/// A request that says something wrong; becomes a reply in the common shape.
struct BadRequestError : std::runtime_error {
  explicit BadRequestError(const std::string& message, std::string place = "", int http_status = 400)
      : std::runtime_error(message), param(std::move(place)), status(http_status) {}
  std::string param;
  int status;
};

/// Reads the body and calls `answer` with it: JSON, an object, UTF-8. Whatever is thrown (BadRequestError,
/// wire::JsonError, wire::LineError, Exception) becomes the reply. The exchange keeps the body's text.
void answer_json(const std::shared_ptr<Exchange>& exchange,
                 const std::function<void(const wire::JsonValue& body)>& answer);

/// Who asks for a policy is not to get another one untold: policies are the operator's, by route. Throws
/// BadRequestError.
void refuse_policy(const wire::JsonValue& object);

/// Members that may be missing or null; another kind of value throws BadRequestError with the place. @{
[[nodiscard]] std::optional<std::string> optional_text(const wire::JsonValue& object, const char* key);
/// Its elements.
[[nodiscard]] std::vector<wire::JsonValue> optional_array(const wire::JsonValue& object, const char* key);
[[nodiscard]] bool optional_flag(const wire::JsonValue& object, const char* key);
/// A whole number in [min, max].
[[nodiscard]] std::optional<std::int64_t> optional_integer(const wire::JsonValue& object, const char* key,
                                                           std::int64_t min, std::int64_t max);  /// @}

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_REQUEST_JSON_HPP
