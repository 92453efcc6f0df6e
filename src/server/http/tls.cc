// SPDX-License-Identifier: Apache-2.0
#include "server/http/tls.hpp"

#include <stdexcept>

#include "qwen3guard/quote.hpp"

namespace qwen3guard::server {
namespace {

namespace ssl = boost::asio::ssl;

[[noreturn]] void fail(const char* what, const std::string& file, const boost::system::error_code& error) {
  throw std::runtime_error(std::string("the ") + what + " " + printable(file) +
                           " cannot be used: " + error.message());
}

std::shared_ptr<ssl::context> make(ssl::context::method method) {
  auto context = std::make_shared<ssl::context>(method);
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                       ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION);
  return context;
}

}  // namespace

std::shared_ptr<ssl::context> make_server_tls(const std::string& certificate_file,
                                              const std::string& key_file) {
  auto context = make(ssl::context::tls_server);
  boost::system::error_code error;
  context->use_certificate_chain_file(certificate_file, error);
  if (error) fail("TLS certificate", certificate_file, error);
  context->use_private_key_file(key_file, ssl::context::pem, error);
  if (error) fail("TLS key", key_file, error);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    throw std::runtime_error("the TLS key " + printable(key_file) + " does not belong to the certificate " +
                             printable(certificate_file));
  return context;
}

std::shared_ptr<ssl::context> make_client_tls(const std::string& ca_file) {
  auto context = make(ssl::context::tls_client);
  boost::system::error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
    if (error) throw std::runtime_error("the system's certificates cannot be used: " + error.message());
  } else {
    context->load_verify_file(ca_file, error);
    if (error) fail("file of certificates", ca_file, error);
  }
  context->set_verify_mode(ssl::verify_peer);
  return context;
}

}  // namespace qwen3guard::server
