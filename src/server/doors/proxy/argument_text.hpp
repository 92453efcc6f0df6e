// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ARGUMENT_TEXT_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ARGUMENT_TEXT_HPP

#include <string>
#include <string_view>

namespace qwen3guard::server {

/// The arguments of a call, a JSON text in pieces, with the characters in the place of their `\uXXXX`
/// escapes: the same JSON, and a text that can be judged, which many servers write in escapes beyond ASCII.
/// Quotes, backslashes, control characters and unpaired surrogates stay as they are written.
class ArgumentText {
 public:
  /// The text that these bytes complete; an escape may be cut anywhere.
  [[nodiscard]] std::string take(std::string_view bytes);
  /// What was left of an escape that nothing more comes of.
  [[nodiscard]] std::string end();

 private:
  void resolve(std::string& out);

  std::string escape_;  // as far as it has come; of a surrogate pair, both halves
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ARGUMENT_TEXT_HPP
