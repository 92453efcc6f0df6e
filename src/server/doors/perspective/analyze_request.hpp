// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_ANALYZE_REQUEST_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_ANALYZE_REQUEST_HPP

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "server/doors/perspective/attributes.hpp"
#include "server/doors/request_json.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {

/// A request that Perspective would refuse by one of its types of error, which clients ask for.
struct AnalyzeError : BadRequestError {
  AnalyzeError(const std::string& message, std::string place, std::string error_type)
      : BadRequestError(message, std::move(place)), type(std::move(error_type)) {}
  std::string type;  ///< google_error.hpp
};

/// What a client of Perspective asks for. A plain value.
struct AnalyzeRequest {
  struct Wanted {
    const Attribute* attribute = nullptr;
    double threshold = 0;  ///< scores below it are left out
  };

  std::string text;            ///< of the comment; not empty
  std::vector<Wanted> wanted;  ///< in the request's order; not empty
  std::vector<std::string> languages;
  std::optional<std::string> client_token;
  bool wants_spans = false;
  bool is_private = false;  ///< doNotStore
};

/// Perspective's limit for a comment, which its clients know.
inline constexpr std::size_t kMaxCommentBytes = 20480;

/// Reads the body of comments:analyze. Every member is known and has its type, or the request is refused by
/// name. Throws BadRequestError, of it AnalyzeError.
[[nodiscard]] AnalyzeRequest read_analyze_request(const wire::JsonValue& body);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_ANALYZE_REQUEST_HPP
