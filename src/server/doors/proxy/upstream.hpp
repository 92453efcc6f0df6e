// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_UPSTREAM_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_UPSTREAM_HPP

#include <memory>
#include <string>

#include "server/http/client.hpp"
#include "server/http/exchange.hpp"
#include "server/options.hpp"

namespace qwen3guard::server {

/// The chat server behind the proxy. Loop thread only.
class Upstream {
 public:
  /// Throws std::runtime_error: the URL, the certificates or the file of the key.
  Upstream(Loop& loop, const ServerOptions& options);

  /// Passes the exchange's body on as it came.
  std::shared_ptr<ClientCall> complete_chat(Exchange& exchange, std::size_t max_reply_bytes,
                                            ClientCallbacks callbacks);
  std::shared_ptr<ClientCall> list_models(Exchange& exchange, ClientCallbacks callbacks);

 private:
  [[nodiscard]] ClientRequest request(Exchange& exchange, const char* method, const std::string& path) const;

  Url url_;
  std::string authorization_;  // of the key's file; "": the client's
  bool passes_authorization_;
  std::unique_ptr<HttpClient> client_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_UPSTREAM_HPP
