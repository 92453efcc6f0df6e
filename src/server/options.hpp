// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_OPTIONS_HPP
#define QWEN3GUARD_SRC_SERVER_OPTIONS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/guard.hpp"
#include "qwen3guard/policy.hpp"
#include "server/http/listener.hpp"

namespace qwen3guard::server {

/// Which door a policy is for.
enum class Route { moderations, chat, stream, upstream, litellm, perspective, azure };
inline constexpr int kRouteCount = 7;
[[nodiscard]] const char* to_string(Route route) noexcept;

/// A model to serve, loaded.
struct ModelToServe {
  std::string name;
  std::string digest;
  Guard guard;
};

/// Makes the policies anew, one for each route: called at the start and at each reload. Throws: then the old
/// ones stay.
using LoadPolicies = std::function<std::vector<Policy>()>;

/// What the proxy does.
struct UpstreamOptions {
  std::string url;       ///< "https://host[:port][/path]"; empty: no proxy
  std::string ca_file;   ///< PEM; empty: the system's store
  std::string key_file;  ///< a key to send instead of the client's; empty: none
  std::int32_t hold_back_tokens = 40;
  std::string block_message;    ///< stands for what was blocked; empty: the text is only cut
  bool block_as_error = false;  ///< a blocked prompt is a 400 in the place of a completion
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{60'000};  ///< without a byte
};

struct AuditOptions {
  std::string path;        ///< empty: no log
  bool with_text = false;  ///< the texts themselves, too
};

struct ServerOptions {
  ListenerOptions listener;
  std::vector<ModelToServe> models;
  LoadPolicies load_policies;
  std::string keys_file;  ///< empty: no keys
  bool allow_remote_without_keys = false;
  std::string cors_origin;                 ///< empty: none
  std::vector<std::string> allowed_hosts;  ///< names that it is reached by, where nobody needs a key
  UpstreamOptions upstream;
  AuditOptions audit;
  bool monitor_only = false;
  std::size_t max_waiting = 256;  ///< conversations of one model
  std::size_t max_batch = 16;
  std::size_t max_inputs = 128;  ///< of one request
  std::size_t max_sessions = 2048;
  std::size_t sessions_memory_bytes = std::size_t{1} << 30;  ///< of one model
  std::chrono::seconds session_timeout{300};
  std::chrono::milliseconds time_limit{30'000};    ///< of a verdict
  std::chrono::milliseconds stop_timeout{30'000};  ///< for what was accepted
  std::function<void(std::string_view line)> log;  ///< one line for the operator
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_OPTIONS_HPP
