// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_CHAT_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_CHAT_HPP

#include <memory>
#include <string>

#include "server/http/exchange.hpp"
#include "server/services.hpp"
#include "wire/json_out.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {

/// Answers a chat completions request for one of our models with its verdict on the last message. body: text
/// of the exchange's request. Throws as answer_json() catches.
void answer_chat(Services& services, const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body);

/// Our models as elements of the list of GET /v1/models.
void put_models(wire::JsonOut& json, const Models& models);

/// Answers with one of our models by its name, or 404.
void answer_model(const Models& models, Exchange& exchange, const std::string& name);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_CHAT_HPP
