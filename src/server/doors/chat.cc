// SPDX-License-Identifier: Apache-2.0
#include "server/doors/chat.hpp"

#include <algorithm>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "server/digest.hpp"
#include "server/doors/choose_model.hpp"
#include "server/doors/doors.hpp"
#include "server/doors/request_json.hpp"
#include "server/doors/verdict_json.hpp"
#include "server/doors/verdict_words.hpp"
#include "server/judging/ask.hpp"
#include "wire/conversation_in.hpp"

namespace qwen3guard::server {
namespace {

/// What a client wants beside the verdict.
struct ChatWishes {
  bool is_streamed = false, with_usage = false, with_logprobs = false;
  std::size_t n_others = 0;  // top_logprobs
};

/// A completion on its way out.
class Completion {
 public:
  Completion(std::string model, const Verdict& verdict, const Tokenizer& tokenizer, const ChatWishes& wishes)
      : id_("chatcmpl-" + random_hex(12)),
        model_(std::move(model)),
        created_(std::time(nullptr)),
        verdict_(verdict),
        wishes_(wishes),
        words_(words_of(verdict)),
        tokens_(tokens_of(verdict, words_, tokenizer)) {}

  [[nodiscard]] std::string whole() const {
    wire::JsonOut json = begin("chat.completion");
    json.key("choices").begin_array().begin_object();
    json.key("index").integer(0);
    json.key("message").begin_object();
    json.key("role").string("assistant");
    json.key("content").string(words_);
    json.key("refusal").null();
    put_verdict(json, verdict_);
    json.end_object();
    put_logprobs(json);
    json.key("finish_reason").string("stop");
    json.end_object().end_array();
    put_usage(json);
    json.end_object();
    return json.text();
  }

  /// As server-sent events, the last line's end included.
  [[nodiscard]] std::string events() const {
    std::string out = event(R"({"role":"assistant","content":""})", "", false);
    wire::JsonOut delta;
    delta.begin_object().key("content").string(words_).end_object();
    out += event(delta.text(), "", true);
    wire::JsonOut last;
    last.begin_object();
    put_verdict(last, verdict_);
    last.end_object();
    out += event(last.text(), "stop", false);
    if (wishes_.with_usage) {
      wire::JsonOut json = begin("chat.completion.chunk");
      json.key("choices").begin_array().end_array();
      put_usage(json);
      json.end_object();
      out += "data: " + json.text() + "\n\n";
    }
    return out + "data: [DONE]\n\n";
  }

 private:
  [[nodiscard]] wire::JsonOut begin(const char* object) const {
    wire::JsonOut json;
    json.begin_object();
    json.key("id").string(id_);
    json.key("object").string(object);
    json.key("created").integer(created_);
    json.key("model").string(model_);
    return json;
  }

  [[nodiscard]] std::string event(const std::string& delta, const std::string& finish_reason,
                                  bool with_logprobs) const {
    wire::JsonOut json = begin("chat.completion.chunk");
    json.key("choices").begin_array().begin_object();
    json.key("index").integer(0);
    json.key("delta").raw(delta);
    if (with_logprobs) put_logprobs(json);
    json.key("finish_reason");
    if (finish_reason.empty()) {
      json.null();
    } else {
      json.string(finish_reason);
    }
    json.end_object().end_array().end_object();
    return "data: " + json.text() + "\n\n";
  }

  static void put_token(wire::JsonOut& json, const std::string& text, double logprob) {
    json.key("token").string(text);
    json.key("logprob").number(logprob);
    json.key("bytes").begin_array();
    for (const char c : text) json.integer(static_cast<unsigned char>(c));
    json.end_array();
  }

  void put_logprobs(wire::JsonOut& json) const {
    json.key("logprobs");
    if (!wishes_.with_logprobs) {
      json.null();
      return;
    }
    json.begin_object().key("content").begin_array();
    for (const WordToken& token : tokens_) {
      json.begin_object();
      put_token(json, token.text, token.logprob);
      json.key("top_logprobs").begin_array();
      for (std::size_t i = 0; i < std::min(token.others.size(), wishes_.n_others); ++i) {
        json.begin_object();
        put_token(json, token.others[i].text, token.others[i].logprob);
        json.end_object();
      }
      json.end_array().end_object();
    }
    json.end_array().key("refusal").null().end_object();
  }

  void put_usage(wire::JsonOut& json) const {
    const auto n_words = static_cast<std::int64_t>(tokens_.size());
    json.key("usage").begin_object();
    json.key("prompt_tokens").integer(verdict_.tokens.prompt);
    json.key("completion_tokens").integer(n_words);
    json.key("total_tokens").integer(verdict_.tokens.prompt + n_words);
    json.key("prompt_tokens_details").begin_object();
    json.key("cached_tokens").integer(verdict_.tokens.cached);
    json.end_object().end_object();
  }

  std::string id_, model_;
  std::int64_t created_;
  const Verdict& verdict_;
  ChatWishes wishes_;
  std::string words_;
  std::vector<WordToken> tokens_;
};

ChatWishes wishes_of(const wire::JsonValue& body) {
  ChatWishes wishes;
  wishes.is_streamed = optional_flag(body, "stream");
  if (const auto options = body.find("stream_options");
      options && options->kind() == wire::JsonValue::Kind::object)
    wishes.with_usage = optional_flag(*options, "include_usage");
  wishes.with_logprobs = optional_flag(body, "logprobs");
  wishes.n_others = static_cast<std::size_t>(optional_integer(body, "top_logprobs", 0, 20).value_or(0));
  if (optional_integer(body, "n", 1, 128).value_or(1) != 1)
    throw BadRequestError("n: a verdict is the same each time; expected 1", "n");
  return wishes;
}

void reply_with(Exchange& exchange, const ServedModel& model, const Result<Verdict>& answer,
                const ChatWishes& wishes) {
  if (!answer.ok()) return refuse(exchange, api_error(answer.error(), "messages"));
  // A phrase of the policy's list decides without the model, which has said nothing then.
  if (answer->severity == Severity::not_judged)
    return refuse(exchange,
                  {400, "a phrase of the policy's list blocks this message; the model was not asked",
                   "messages", "deny_list"});
  const Completion completion(model.name, *answer, *model.guard.tokenizer(), wishes);
  if (!wishes.is_streamed) return exchange.reply(json_response(200, completion.whole()));
  exchange.begin(200, {{"content-type", "text/event-stream"}, {"cache-control", "no-cache"}});
  exchange.write(completion.events());
  exchange.end();
}

void answer_models(const Services& services, Exchange& exchange) {
  wire::JsonOut json;
  json.begin_object().key("object").string("list").key("data").begin_array();
  put_models(json, services.models);
  json.end_array().end_object();
  exchange.reply(json_response(200, json.text()));
}

void put_model(wire::JsonOut& json, const ServedModel& model) {
  json.begin_object();
  json.key("id").string(model.name);
  json.key("object").string("model");
  json.key("created").integer(0);
  json.key("owned_by").string("qwen3guard");
  json.key("qwen3guard").begin_object();
  json.key("kind").string(to_string(model.guard.kind()));
  json.key("digest").string(model.digest);
  json.end_object().end_object();
}

}  // namespace

void answer_chat(Services& services, const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body) {
  Question question;
  question.route = Route::chat;
  question.model = &choose_model(services.models, body, ModelKind::gen, UnknownModel::is_error);
  question.options = services.policies.options(Route::chat);
  question.conversations.push_back(wire::read_conversation(body, InvalidUtf8::reject));
  const ChatWishes wishes = wishes_of(body);
  const ServedModel& model = *question.model;
  ask(services, exchange, std::move(question), [exchange, &model, wishes](const Answers& answers) {
    reply_with(*exchange, model, answers.front(), wishes);
  });
}

void put_models(wire::JsonOut& json, const Models& models) {
  for (const auto& model : models.all()) put_model(json, *model);
}

void answer_model(const Models& models, Exchange& exchange, const std::string& name) {
  const ServedModel* model = models.find(name);
  if (model == nullptr)
    return refuse(exchange, {404, quote(name, 60) + " is not served here", "model", "model_not_found"});
  wire::JsonOut json;
  put_model(json, *model);
  exchange.reply(json_response(200, json.text()));
}

void add_chat_door(Routes& routes, Services& services) {
  routes.add({"chat", "POST", "/v1/chat/completions", false,
              [&services](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                answer_json(exchange,
                            [&](const wire::JsonValue& body) { answer_chat(services, exchange, body); });
              }});
  routes.add({"models", "GET", "/v1/models", false,
              [&services](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                answer_models(services, *exchange);
              }});
  routes.add({"models", "GET", "/v1/models/{id}", false,
              [&services](const std::shared_ptr<Exchange>& exchange, const std::string& id) {
                answer_model(services.models, *exchange, id);
              }});
}

}  // namespace qwen3guard::server
