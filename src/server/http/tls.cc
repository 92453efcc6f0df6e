// SPDX-License-Identifier: Apache-2.0
#include "server/http/tls.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
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

/// Trusts what the system trusts. OpenSSL knows where that is on the distribution that it was built for; a
/// static program runs on others, and in a container that has a single file.
void trust_system(ssl::context& context) {
  constexpr std::array<const char*, 4> kBundles = {
      "/etc/ssl/certs/ca-certificates.crt",  // Debian, Alpine, Arch
      "/etc/pki/tls/certs/ca-bundle.crt",    // Fedora, Red Hat
      "/etc/ssl/ca-bundle.pem",              // SUSE
      "/etc/ssl/cert.pem"};                  // Alpine, BSD
  const auto is_there = [](const char* path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  };
  boost::system::error_code error;
  if (std::getenv(X509_get_default_cert_file_env()) || std::getenv(X509_get_default_cert_dir_env()) ||
      is_there(X509_get_default_cert_file()) || is_there(X509_get_default_cert_dir())) {
    context.set_default_verify_paths(error);
    if (error) throw std::runtime_error("the system's certificates cannot be used: " + error.message());
    return;
  }
  for (const char* bundle : kBundles) {
    if (!is_there(bundle)) continue;
    context.load_verify_file(bundle, error);
    if (error) fail("file of certificates", bundle, error);
    return;
  }
  throw std::runtime_error(
      "this system has no certificates to trust; give --upstream-ca-file, or set SSL_CERT_FILE");
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
  if (ca_file.empty()) {
    trust_system(*context);
  } else {
    boost::system::error_code error;
    context->load_verify_file(ca_file, error);
    if (error) fail("file of certificates", ca_file, error);
  }
  context->set_verify_mode(ssl::verify_peer);
  return context;
}

}  // namespace qwen3guard::server
