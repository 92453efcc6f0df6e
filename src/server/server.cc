// SPDX-License-Identifier: Apache-2.0
#include "server/server.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "server/admission.hpp"
#include "server/doors/doors.hpp"
#include "server/http/listener.hpp"
#include "server/observed_exchange.hpp"
#include "server/operations/keys.hpp"
#include "server/replies.hpp"
#include "server/routes.hpp"
#include "server/services.hpp"

namespace qwen3guard::server {
namespace {

using Clock = std::chrono::steady_clock;

/// With less no stream could ever be opened, and every client would come back for ever.
void check_memory(const ModelToServe& model, std::size_t budget_bytes) {
  constexpr std::size_t kTokens = 2048, kRestBytes = std::size_t{4} << 20;
  const std::size_t needed =
      kTokens * static_cast<std::size_t>(model.guard.info().kv_bytes_per_token) + kRestBytes;
  if (budget_bytes >= needed) return;
  throw std::runtime_error("the streams of " + printable(model.name) + " may hold " +
                           std::to_string(budget_bytes) + " bytes together; a single one of " +
                           std::to_string(kTokens) + " tokens takes " + std::to_string(needed));
}

std::vector<std::unique_ptr<ServedModel>> serve_models(const ServerOptions& options) {
  std::vector<std::unique_ptr<ServedModel>> out;
  StreamBatchOptions streams;
  streams.memory_budget_bytes = options.sessions_memory_bytes;
  // What a request can bring is taken, and refused by what it is, not by how long it is.
  streams.max_waiting_bytes = std::max(streams.max_waiting_bytes, options.listener.max_body_bytes);
  for (const ModelToServe& model : options.models) {
    check_memory(model, options.sessions_memory_bytes);
    out.push_back(std::make_unique<ServedModel>(
        ServedModel{model.name, model.digest, model.guard,
                    std::make_unique<Classifier>(model.guard, options.max_waiting, options.max_batch),
                    std::make_unique<StreamPool>(model.guard, streams)}));
  }
  if (out.empty()) throw std::runtime_error("no model to serve");
  return out;
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(ServerOptions server_options)
      : options_(std::move(server_options)),
        keys_(options_.keys_file),
        policies_(options_.load_policies),
        audit_(options_.audit),
        models_(serve_models(options_)) {
    if (options_.upstream.url.empty()) {
      add_chat_door(routes_, services_);
    } else {
      add_proxy_door(routes_, services_);
    }
    add_moderations_door(routes_, services_);
    add_azure_door(routes_, services_);
    add_stream_door(routes_, services_);
    add_litellm_door(routes_, services_);
    add_perspective_door(routes_, services_);
    add_operators_doors(
        routes_, services_, [this] { return levels(); }, [this] { return is_stopping_; });
    add_page(routes_);
    listener_ = Listener::open(
        loop_, options_.listener, [this](std::shared_ptr<Exchange> exchange) { answer(std::move(exchange)); },
        [this](const ApiError& error, std::string_view path) {
          const SpellError spell = routes_.find("", path).spell_error;
          return (spell == nullptr ? error_response : spell)(error);
        });
    loop_.on_signal(SIGTERM, [this] { stop(); });
    loop_.on_signal(SIGINT, [this] { stop(); });
    loop_.on_signal(SIGHUP, [this] { reload(); });
    loop_.on_signal(SIGUSR1, [this] { reopen_audit(); });
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  /// What is left is let go of while all that it needs is there.
  ~Impl() {
    is_over_ = true;
    listener_.reset();
    routes_ = Routes();
    loop_.drain();
  }

  [[nodiscard]] std::string address() const { return listener_->address(); }

  bool run() {
    // What an answer throws that no door has caught (there is no memory, say) is the end of that answer
    // alone: its exchange, let go of, replies with an error.
    for (bool is_stopped = false; !is_stopped;) {
      try {
        loop_.run();
        is_stopped = true;
      } catch (const std::exception& e) {
        log(std::string("a request failed: ") + e.what());
      }
    }
    is_over_ = true;
    return n_requests_ == 0;
  }

 private:
  void answer(std::shared_ptr<Exchange> inner) {
    const Request& request = inner->request();
    const Routes::Found found = routes_.find(request.method, request.path);
    const auto key_name = admission_.key_name(request, found.route);
    inner->key_name = key_name.value_or("");
    inner->spell_error = found.spell_error;
    const auto exchange = observe(std::move(inner), found.route == nullptr ? "other" : found.route->door);
    if (!options_.cors_origin.empty() && request.method == "OPTIONS" && !found.allowed.empty())
      return exchange->reply(
          {204,
           {{"access-control-allow-methods", found.allowed},
            {"access-control-allow-headers",
             "authorization, x-api-key, api-key, ocp-apim-subscription-key, x-goog-api-key, "
             "content-type, x-request-id"},
            {"access-control-max-age", "600"}},
           ""});
    if (const auto error = admission_.distrust(request)) {
      metrics_.count_refused("host");
      return refuse(*exchange, *error);
    }
    if (found.route == nullptr) return refuse_path(*exchange, found);
    if (!key_name && !found.route->is_open) {
      metrics_.count_refused("key");
      // With a realm, as Python's httplib2 fails on a scheme alone.
      return refuse(*exchange, {401, "no key, or none that is known here", "", "invalid_api_key"},
                    {{"www-authenticate", R"(Bearer realm="qwen3guard")"}});
    }
    if (is_stopping_ && !found.route->is_open) {
      metrics_.count_refused("stopping");
      return refuse(*exchange, {503, "the server is being stopped", "", "stopping", 1});
    }
    found.route->answer(exchange, found.id);
  }

  std::shared_ptr<Exchange> observe(std::shared_ptr<Exchange> inner, const std::string& door) {
    Headers headers;
    if (!options_.cors_origin.empty()) {
      headers.push_back({"access-control-allow-origin", options_.cors_origin});
      headers.push_back({"access-control-expose-headers", "x-request-id, retry-after"});
      headers.push_back({"vary", "origin"});
    }
    ++n_requests_;
    return std::make_shared<ObservedExchange>(
        std::move(inner), std::move(headers), [this, door, begin = Clock::now()](int status) {
          --n_requests_;
          metrics_.count_request(door, status, std::chrono::duration<double>(Clock::now() - begin).count());
          if (is_stopping_ && !is_over_ && n_requests_ == 0) loop_.post([this] { end_when_answered(); });
        });
  }

  static void refuse_path(Exchange& exchange, const Routes::Found& found) {
    const std::string path = quote(exchange.request().path, 100);
    if (found.allowed.empty()) return refuse(exchange, {404, "there is nothing at " + path, "", "not_found"});
    refuse(exchange, {405, path + " takes " + found.allowed, "", "method_not_allowed"},
           {{"allow", found.allowed}});
  }

  [[nodiscard]] Levels levels() const {
    Levels out;
    for (const auto& model : models_.all()) {
      const StreamBatchStats stats = model->streams->stats();
      out.models.push_back({model->name, model->classifier->n_waiting(), stats.n_sessions, stats.memory_bytes,
                            stats.n_tokens});
    }
    out.listener = listener_->stats();
    out.n_requests = n_requests_;
    out.lost_audit_lines = audit_.n_lost();
    return out;
  }

  /// One of the things that SIGHUP reads again; a bad file leaves the old ones in their place.
  template <class Reload>
  void try_reload(const char* what, const Reload& reload) {
    try {
      reload();
      metrics_.count_reload(what, true);
      log(std::string(what) + " read again");
    } catch (const std::exception& e) {
      metrics_.count_reload(what, false);
      log(std::string(what) + " stay as they were: " + e.what());
    }
  }

  void reload() {
    try_reload("policies", [this] { policies_.reload(); });
    if (keys_.are_wanted()) try_reload("keys", [this] { keys_.reload(); });
    if (!options_.listener.tls_certificate.empty())
      try_reload("certificate", [this] { listener_->reload_certificate(); });
    reopen_audit();
  }

  void reopen_audit() {
    if (audit_.is_on()) try_reload("audit", [this] { audit_.reopen(); });
  }

  void stop() {
    if (is_stopping_) return loop_.stop();
    is_stopping_ = true;
    log("stopping: " + std::to_string(n_requests_) + " requests are being answered");
    listener_->close();
    patience_ = loop_.after(options_.stop_timeout, [this] { loop_.stop(); });
    for (const auto& end : on_stop_) end();
    loop_.post([this] { end_when_answered(); });
  }

  /// A reply has left for the socket when its exchange ends, and perhaps not the socket: the connections
  /// close behind it.
  void end_when_answered() {
    if (n_requests_ > 0) return;
    if (listener_->stats().n_connections == 0) return loop_.stop();
    look_again_ = loop_.after(std::chrono::milliseconds(10), [this] { end_when_answered(); });
  }

  void log(const std::string& line) const {
    if (options_.log) options_.log(line);
  }

  // Exchanges that are left at the end go with the loop, and tell the metrics so: those live longer.
  ServerOptions options_;
  Keys keys_;
  Policies policies_;
  Metrics metrics_;
  AuditLog audit_;
  std::vector<std::function<void()>> on_stop_;
  std::size_t n_requests_ = 0;
  bool is_stopping_ = false, is_over_ = false;
  Loop loop_;
  Admission admission_{loop_, options_, keys_};
  std::unique_ptr<Loop::Timer> patience_, look_again_;
  Models models_;
  Services services_{loop_, options_, models_, policies_, metrics_, audit_, on_stop_};
  Routes routes_;
  std::unique_ptr<Listener> listener_;
};

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() = default;
std::string Server::address() const { return impl_->address(); }
bool Server::run() { return impl_->run(); }

}  // namespace qwen3guard::server
