// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_TLS_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_TLS_HPP

#include <memory>
#include <string>

#include "server/http/asio.hpp"
// Behind asio.hpp, which says why.
#include <boost/asio/ssl.hpp>

namespace qwen3guard::server {

/// For a server: TLS 1.2 and later, by these PEM files. Throws std::runtime_error (the file, and why).
[[nodiscard]] std::shared_ptr<boost::asio::ssl::context> make_server_tls(const std::string& certificate_file,
                                                                         const std::string& key_file);
/// For a client that checks who answers. ca_file: PEM; empty: the system's store. Throws as above.
[[nodiscard]] std::shared_ptr<boost::asio::ssl::context> make_client_tls(const std::string& ca_file);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_TLS_HPP
