// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <utility>

#include "server/doors/proxy/answer_fields.hpp"
#include "server/doors/proxy/answer_out.hpp"
#include "server/replies.hpp"

namespace qwen3guard::server {
namespace {

struct Call {
  std::string id, name, arguments;
};

struct Choice {
  std::map<Field, std::string> texts;
  std::map<Channel, Call> calls;
  std::string reason;
  bool is_blocked = false;
  Blocked blocked;
};

void put_function(wire::JsonOut& json, const Call& call) {
  json.begin_object().key("name").string(call.name).key("arguments").string(call.arguments).end_object();
}

void put_message(wire::JsonOut& json, const Choice& choice) {
  json.begin_object().key("role").string("assistant");
  if (!choice.texts.contains(Field::content)) json.key("content").null();
  for (const auto& [field, text] : choice.texts) json.key(to_string(field)).string(text);
  if (!choice.texts.contains(Field::refusal)) json.key("refusal").null();
  bool has_tool_calls = false;
  for (const auto& [channel, call] : choice.calls) {
    if (channel.field == Field::function_call) continue;
    if (!std::exchange(has_tool_calls, true)) json.key("tool_calls").begin_array();
    json.begin_object().key("id").string(call.id).key("type").string("function");
    put_function(json.key("function"), call);
    json.end_object();
  }
  if (has_tool_calls) json.end_array();
  const auto call = choice.calls.find({Field::function_call, 0});
  if (call != choice.calls.end()) put_function(json.key("function_call"), call->second);
  json.end_object();
}

class PlainAnswer final : public AnswerOut {
 public:
  explicit PlainAnswer(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  void set_head(const AnswerHead& head) override { head_ = head; }
  void begin_choice(int choice) override { choices_[choice]; }
  void text(int choice, const Channel& channel, std::string_view text) override {
    Choice& out = choices_[choice];
    (channel.is_call() ? out.calls[channel].arguments : out.texts[channel.field]) += text;
  }
  void call(int choice, const Channel& channel, std::string_view call_id, std::string_view name) override {
    choices_[choice].calls[channel] = {std::string(call_id), std::string(name), ""};
  }
  void finish_choice(int choice, std::string_view reason, const Blocked* blocked) override {
    Choice& out = choices_[choice];
    out.reason = reason;
    if (blocked == nullptr) return;
    out.is_blocked = true;
    out.blocked = *blocked;
    // Arguments that end in the middle might be taken for whole ones.
    out.calls.clear();
  }

  void end(std::string_view usage_json) override {
    wire::JsonOut json;
    json.begin_object();
    put_head(json, head_, "chat.completion");
    json.key("choices").begin_array();
    for (const auto& [index, choice] : choices_) {
      json.begin_object().key("index").integer(index);
      put_message(json.key("message"), choice);
      json.key("logprobs").null();
      put_finish(json, choice.reason, choice.is_blocked ? &choice.blocked : nullptr);
      json.end_object();
    }
    json.end_array();
    if (!usage_json.empty()) json.key("usage").raw(usage_json);
    json.end_object();
    exchange_->reply(json_response(200, json.text()));
  }

 private:
  std::shared_ptr<Exchange> exchange_;
  AnswerHead head_;
  std::map<int, Choice> choices_;
};

}  // namespace

std::unique_ptr<AnswerOut> make_plain_answer(std::shared_ptr<Exchange> exchange) {
  return std::make_unique<PlainAnswer>(std::move(exchange));
}

}  // namespace qwen3guard::server
