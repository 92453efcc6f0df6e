// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/upstream.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "qwen3guard/quote.hpp"

namespace qwen3guard::server {
namespace {

constexpr std::size_t kMaxKeyBytes = 8192;
constexpr std::size_t kMaxModelsBytes = std::size_t{1} << 20;

ClientOptions client_options(const UpstreamOptions& options) {
  ClientOptions out;
  out.ca_file = options.ca_file;
  out.connect_timeout = options.connect_timeout;
  out.stall_timeout = options.stall_timeout;
  return out;
}

std::string read_key(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string key;
  if (!in || !std::getline(in, key))
    throw std::runtime_error("the upstream's key file " + printable(path) + " cannot be read");
  while (!key.empty() && (key.back() == '\r' || key.back() == ' ')) key.pop_back();
  const bool is_plain = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (key.empty() || key.size() > kMaxKeyBytes || !is_plain)
    throw std::runtime_error("the upstream's key file " + printable(path) +
                             ": expected a key of printable characters on its first line");
  return key;
}

}  // namespace

Upstream::Upstream(Loop& loop, const ServerOptions& options)
    : url_(parse_url(options.upstream.url)),
      // A key that opens this server is no business of another one.
      passes_authorization_(options.keys_file.empty()),
      client_(HttpClient::make(loop, url_, client_options(options.upstream))) {
  if (!options.upstream.key_file.empty()) authorization_ = "Bearer " + read_key(options.upstream.key_file);
}

ClientRequest Upstream::request(Exchange& exchange, const char* method, const std::string& path) const {
  // Who gives the base URL that clients of OpenAI's take means the same as who leaves its end out.
  constexpr std::string_view kVersion = "/v1";
  std::string prefix = url_.prefix;
  if (prefix.ends_with(kVersion)) prefix.resize(prefix.size() - kVersion.size());
  ClientRequest out;
  out.method = method;
  out.target = prefix + path;
  // What is compressed could not be judged.
  out.headers = {{"accept-encoding", "identity"}, {"x-request-id", exchange.request_id}};
  const Headers& given = exchange.request().headers;
  constexpr std::array<const char*, 6> kPassed = {"openai-organization", "openai-project", "openai-beta",
                                                  "user-agent",          "traceparent",    "tracestate"};
  for (const char* name : kPassed) {
    const std::string_view value = find(given, name);
    if (!value.empty()) out.headers.push_back({name, std::string(value)});
  }
  const std::string_view authorization = find(given, "authorization");
  if (!authorization_.empty()) {
    out.headers.push_back({"authorization", authorization_});
  } else if (passes_authorization_ && !authorization.empty()) {
    out.headers.push_back({"authorization", std::string(authorization)});
  }
  return out;
}

std::shared_ptr<ClientCall> Upstream::complete_chat(Exchange& exchange, std::size_t max_reply_bytes,
                                                    ClientCallbacks callbacks) {
  ClientRequest out = request(exchange, "POST", "/v1/chat/completions");
  out.headers.push_back({"content-type", "application/json"});
  out.headers.push_back({"accept", "text/event-stream, application/json"});
  out.body = exchange.request().body;
  out.max_reply_bytes = max_reply_bytes;
  return client_->send(std::move(out), std::move(callbacks));
}

std::shared_ptr<ClientCall> Upstream::list_models(Exchange& exchange, ClientCallbacks callbacks) {
  ClientRequest out = request(exchange, "GET", "/v1/models");
  out.headers.push_back({"accept", "application/json"});
  out.max_reply_bytes = kMaxModelsBytes;
  return client_->send(std::move(out), std::move(callbacks));
}

}  // namespace qwen3guard::server
