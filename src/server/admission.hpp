// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_ADMISSION_HPP
#define QWEN3GUARD_SRC_SERVER_ADMISSION_HPP

#include <optional>
#include <string>

#include "server/http/api_error.hpp"
#include "server/http/loop.hpp"
#include "server/operations/keys.hpp"
#include "server/options.hpp"
#include "server/routes.hpp"

namespace qwen3guard::server {

/// Who may ask. Loop thread only; options and keys outlive it.
class Admission {
 public:
  /// Whoever reaches the server may use it: without keys that is to be this machine alone, unless it was said
  /// in so many words. Throws std::runtime_error where it is not.
  Admission(Loop& loop, const ServerOptions& options, const Keys& keys);

  /// Where nobody needs a key, a web page that a person happens to look at must not use the server for him:
  /// the error that such a request is refused with.
  [[nodiscard]] std::optional<ApiError> distrust(const Request& request) const;
  /// The name of the key that the request brings, where the route looks for it; nothing when it has none that
  /// is known. Without a file of keys: an empty name. A null route is none.
  [[nodiscard]] std::optional<std::string> key_name(const Request& request, const Routes::Route* route) const;

 private:
  const ServerOptions& options_;
  const Keys& keys_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_ADMISSION_HPP
