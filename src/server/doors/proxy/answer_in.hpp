// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_IN_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_IN_HPP

#include <stdexcept>
#include <string>
#include <string_view>

#include "server/doors/proxy/answer_parts.hpp"

namespace qwen3guard::server {

/// What the upstream sent is no answer that can be judged; or it is an error. what() is for the client.
struct UpstreamError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads "chat.completion.chunk" and "chat.completion" objects: members that are known and nothing else, so
/// that no text gets by. A text member of another type than expected, a call that is no function's and a
/// choice beyond n_choices are errors. Throw UpstreamError. @{
[[nodiscard]] AnswerPiece read_chunk(std::string_view json, int n_choices);
[[nodiscard]] AnswerPiece read_completion(std::string_view json, int n_choices);  /// @}

/// The message of {"error": {"message": "..."}} or {"error": "..."} as one line of bounded length; "" when it
/// is no such object.
[[nodiscard]] std::string read_error_message(std::string_view json);

/// `name` when it is one that carries no text: of at most 128 letters, digits and "-_.:/@+="; else "".
[[nodiscard]] std::string plain_name(std::string name);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_IN_HPP
