// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "server/digest.hpp"
#include "server/doors/choose_model.hpp"
#include "server/doors/doors.hpp"
#include "server/doors/openai_categories.hpp"
#include "server/doors/request_json.hpp"
#include "server/doors/verdict_json.hpp"
#include "server/judging/ask.hpp"
#include "wire/fields_in.hpp"

namespace qwen3guard::server {
namespace {

using Kind = wire::JsonValue::Kind;

/// A text, and where in the request it stands.
struct Input {
  std::string text, place;
};

/// Parts that belong together, each on a line of its own, as in a conversation's message.
std::string read_parts(const std::vector<wire::JsonValue>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string place = wire::index("input", i);
    const auto type = parts[i].find("type");
    if (!type || type->kind() != Kind::string)
      throw BadRequestError(place + R"(: expected {"type": "text", "text": "..."})", place);
    if (type->text() != "text")
      throw BadRequestError(place + ": a part of the type " + quote(type->text()) +
                                R"(, which cannot be judged; expected {"type": "text", "text": "..."})",
                            place);
    const auto part = optional_text(parts[i], "text");
    if (!part) throw BadRequestError(place + R"(: no "text")", place);
    text += (i > 0 ? "\n" : "") + *part;
  }
  return text;
}

std::vector<Input> read_inputs(const wire::JsonValue& body, std::size_t max_inputs) {
  const auto input = body.find("input");
  if (!input) throw BadRequestError("input: missing; expected a string or an array", "input");
  if (input->kind() == Kind::string) return {{*optional_text(body, "input"), "input"}};
  if (input->kind() != Kind::array)
    throw BadRequestError(
        std::string("input: ") + to_string(input->kind()) + "; expected a string or an array", "input");
  const std::vector<wire::JsonValue> items = input->items();
  if (items.empty()) throw BadRequestError("input: an empty array; expected at least one text", "input");
  if (items.size() > max_inputs)
    throw BadRequestError("input: " + std::to_string(items.size()) + " elements; expected at most " +
                              std::to_string(max_inputs),
                          "input");
  if (items.front().kind() == Kind::object) return {{read_parts(items), "input"}};
  std::vector<Input> inputs;
  for (std::size_t i = 0; i < items.size(); ++i)
    inputs.push_back(
        {wire::read_text(items[i], wire::index("input", i), InvalidUtf8::reject), wire::index("input", i)});
  return inputs;
}

/// The conversation whose last message a text is: by itself a user's message; by our extensions an answer.
std::vector<Message> conversation_of(std::string text, const std::optional<std::string>& role,
                                     const std::optional<std::string>& prompt) {
  if (role && *role != "user" && *role != "assistant")
    throw BadRequestError("role: " + quote(*role) + R"(; expected "user" or "assistant")", "role");
  if ((role && *role == "assistant") != prompt.has_value())
    throw BadRequestError(R"(an answer is judged with "role": "assistant" and the "prompt" that it answers)",
                          prompt ? "role" : "prompt");
  if (!prompt) return {{Role::user, std::move(text)}};
  return {{Role::user, *prompt}, {Role::assistant, std::move(text)}};
}

void put_result(wire::JsonOut& json, const Result<Verdict>& answer, const Policy& policy) {
  const bool is_flagged = !answer.ok() || answer->ruling.action >= Action::flag;
  const auto categories = to_openai(answer.ok() ? *answer : Verdict(), is_flagged && answer.ok());
  json.begin_object();
  json.key("flagged").boolean(is_flagged);
  json.key("categories").begin_object();
  for (const auto& category : categories) json.key(category.name).boolean(category.is_found);
  json.end_object();
  json.key("category_scores").begin_object();
  for (const auto& category : categories) json.key(category.name).number(category.score);
  json.end_object();
  json.key("category_applied_input_types").begin_object();
  for (const auto& category : categories) json.key(category.name).begin_array().string("text").end_array();
  json.end_object();
  if (answer.ok()) {
    put_verdict(json, *answer);
  } else {
    put_unjudged(json, rule_unjudged(policy), answer.error());
  }
  json.end_object();
}

/// One error answers for the whole, unless the policy blocks what was not judged: the shape has no place for
/// a result that is none.
void reply_with(Exchange& exchange, const Answers& answers, const std::vector<std::string>& places,
                const std::string& model, const Policy& policy) {
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].ok() && !blocks_unjudged(policy))
      return refuse(exchange, api_error(answers[i].error(), places[i]));
  }
  wire::JsonOut json;
  json.begin_object();
  json.key("id").string("modr-" + random_hex(12));
  json.key("model").string(model);
  json.key("results").begin_array();
  for (const auto& answer : answers) put_result(json, answer, policy);
  json.end_array().end_object();
  exchange.reply(json_response(200, json.text()));
}

void answer_moderations(Services& services, const std::shared_ptr<Exchange>& exchange,
                        const wire::JsonValue& body) {
  Question question;
  question.route = Route::moderations;
  question.model = &choose_model(services.models, body, ModelKind::gen, UnknownModel::is_default);
  question.options = services.policies.options(Route::moderations);
  refuse_policy(body);
  const auto role = optional_text(body, "role");
  const auto prompt = optional_text(body, "prompt");
  std::vector<std::string> places;
  // More than may wait could never be taken.
  const std::size_t max_inputs = std::min(services.options.max_inputs, services.options.max_waiting);
  for (Input& input : read_inputs(body, max_inputs)) {
    places.push_back(std::move(input.place));
    question.conversations.push_back(conversation_of(std::move(input.text), role, prompt));
  }
  const std::string model = question.model->name;
  ask(services, exchange, std::move(question),
      [exchange, places = std::move(places), model, options = services.policies.options(Route::moderations)](
          const Answers& answers) { reply_with(*exchange, answers, places, model, options->policy); });
}

}  // namespace

void add_moderations_door(Routes& routes, Services& services) {
  routes.add({"moderations", "POST", "/v1/moderations", false,
              [&services](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                answer_json(exchange, [&](const wire::JsonValue& body) {
                  answer_moderations(services, exchange, body);
                });
              }});
}

}  // namespace qwen3guard::server
