// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "server/doors/chat.hpp"
#include "server/doors/doors.hpp"
#include "server/doors/proxy/answer_in.hpp"
#include "server/doors/proxy/models_in.hpp"
#include "server/doors/proxy/proxied_chat.hpp"
#include "server/doors/request_json.hpp"
#include "wire/line_error.hpp"

namespace qwen3guard::server {
namespace {

/// The chats under way. Loop thread only.
class Proxy : public std::enable_shared_from_this<Proxy> {
 public:
  explicit Proxy(Services& services) : services_(services), upstream_(services.loop, services.options) {}

  void answer(const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body) {
    const auto model = optional_text(body, "model");
    if (model && services_.models.find(*model) != nullptr) return answer_chat(services_, exchange, body);
    ChatRequest request = read_chat_request(body);
    std::optional<ChatMessages> asked;
    try {
      asked = read_chat_messages(body);
    } catch (const wire::LineError&) {
      // What is only watched is not to fail because it cannot be judged.
      if (!services_.options.monitor_only) throw;
    }
    if (chats_.size() >= services_.options.max_sessions) {
      services_.metrics.count_refused("sessions");
      return refuse(*exchange, {429, "too many chats are being answered", "", "sessions_full"});
    }
    const auto chat =
        std::make_shared<ProxiedChat>(services_, upstream_, exchange, std::move(request),
                                      [weak = weak_from_this()](const std::shared_ptr<ProxiedChat>& over) {
                                        if (const auto self = weak.lock()) self->chats_.erase(over);
                                      });
    chats_.insert(chat);
    chat->start(std::move(asked));
  }

  void answer_models(const std::shared_ptr<Exchange>& exchange) {
    const auto reply = std::make_shared<std::string>();
    const auto is_good = std::make_shared<bool>(false);
    const auto end = [weak = weak_from_this(), exchange, reply, is_good] {
      const auto self = weak.lock();
      if (self) exchange->reply(json_response(200, self->models_json(*is_good ? *reply : "")));
    };
    ClientCallbacks callbacks;
    callbacks.head = [is_good](int status, const Headers&) { *is_good = status == 200; };
    callbacks.piece = [reply](std::string_view bytes) { *reply += bytes; };
    callbacks.end = end;
    callbacks.failed = [end, is_good](const ClientFailure&) {
      *is_good = false;
      end();
    };
    const auto call = upstream_.list_models(*exchange, std::move(callbacks));
    exchange->on_closed([call] { call->cancel(); });
  }

 private:
  /// Ours, and those of the upstream that have other names.
  [[nodiscard]] std::string models_json(const std::string& of_upstream) const {
    wire::JsonOut json;
    json.begin_object().key("object").string("list").key("data").begin_array();
    put_models(json, services_.models);
    for (const UpstreamModel& model : read_models(of_upstream)) {
      if (services_.models.find(model.id) != nullptr) continue;
      json.begin_object();
      json.key("id").string(model.id);
      json.key("object").string("model");
      json.key("created").integer(model.created);
      json.key("owned_by").string(model.owner.empty() ? "upstream" : model.owner);
      json.end_object();
    }
    json.end_array().end_object();
    return json.text();
  }

  Services& services_;
  Upstream upstream_;
  std::set<std::shared_ptr<ProxiedChat>> chats_;
};

}  // namespace

void add_proxy_door(Routes& routes, Services& services) {
  const auto proxy = std::make_shared<Proxy>(services);
  routes.add({"proxy", "POST", "/v1/chat/completions", false,
              [proxy](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                answer_json(exchange, [&](const wire::JsonValue& body) { proxy->answer(exchange, body); });
              }});
  routes.add({"models", "GET", "/v1/models", false,
              [proxy](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                proxy->answer_models(exchange);
              }});
  routes.add({"models", "GET", "/v1/models/{id}", false,
              [&services](const std::shared_ptr<Exchange>& exchange, const std::string& id) {
                answer_model(services.models, *exchange, id);
              }});
}

}  // namespace qwen3guard::server
