// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "server/doors/proxy/answer_fields.hpp"
#include "server/doors/proxy/answer_out.hpp"

namespace qwen3guard::server {
namespace {

class StreamedAnswer final : public AnswerOut {
 public:
  StreamedAnswer(std::shared_ptr<Exchange> exchange, bool includes_usage)
      : exchange_(std::move(exchange)), includes_usage_(includes_usage) {}

  void set_head(const AnswerHead& head) override { head_ = head; }

  void begin_choice(int choice) override {
    write(choice, "", nullptr, [](wire::JsonOut& json) { json.key("role").string("assistant"); });
  }

  void text(int choice, const Channel& channel, std::string_view text) override {
    write(choice, "", nullptr, [&](wire::JsonOut& json) {
      if (!channel.is_call()) {
        json.key(to_string(channel.field)).string(text);
        return;
      }
      open_call(json, channel);
      json.key("arguments").string(text);
      close_call(json, channel);
    });
  }

  void call(int choice, const Channel& channel, std::string_view call_id, std::string_view name) override {
    write(choice, "", nullptr, [&](wire::JsonOut& json) {
      open_call(json, channel, call_id);
      json.key("name").string(name).key("arguments").string("");
      close_call(json, channel);
    });
  }

  void finish_choice(int choice, std::string_view reason, const Blocked* blocked) override {
    write(choice, reason, blocked, [](wire::JsonOut&) {});
  }

  void end(std::string_view usage_json) override {
    if (includes_usage_ && !usage_json.empty()) {
      wire::JsonOut json;
      json.begin_object();
      put_head(json, head_, kObject);
      json.key("choices").begin_array().end_array();
      json.key("usage").raw(usage_json).end_object();
      send(json.text());
    }
    send("[DONE]");
    exchange_->end();
  }

 private:
  static constexpr const char* kObject = "chat.completion.chunk";

  /// Up to the members of its function. call_id: "" behind the first piece.
  static void open_call(wire::JsonOut& json, const Channel& channel, std::string_view call_id = "") {
    if (channel.field == Field::function_call) {
      json.key("function_call").begin_object();
      return;
    }
    json.key("tool_calls").begin_array().begin_object().key("index").integer(channel.index);
    if (!call_id.empty()) json.key("id").string(call_id).key("type").string("function");
    json.key("function").begin_object();
  }
  static void close_call(wire::JsonOut& json, const Channel& channel) {
    json.end_object();
    if (channel.field == Field::tool_call) json.end_object().end_array();
  }

  /// put_delta(json): the members of the delta.
  template <class PutDelta>
  void write(int choice, std::string_view reason, const Blocked* blocked, const PutDelta& put_delta) {
    wire::JsonOut json;
    json.begin_object();
    put_head(json, head_, kObject);
    json.key("choices").begin_array().begin_object();
    json.key("index").integer(choice);
    json.key("delta").begin_object();
    put_delta(json);
    json.end_object();
    json.key("logprobs").null();
    put_finish(json, reason, blocked);
    json.end_object().end_array().end_object();
    send(json.text());
  }

  void send(std::string_view data) {
    if (!exchange_->has_begun())
      exchange_->begin(200, {{"content-type", "text/event-stream"}, {"cache-control", "no-cache"}});
    exchange_->write("data: " + std::string(data) + "\n\n");
  }

  std::shared_ptr<Exchange> exchange_;
  const bool includes_usage_;
  AnswerHead head_;
};

}  // namespace

std::unique_ptr<AnswerOut> make_streamed_answer(std::shared_ptr<Exchange> exchange, bool includes_usage) {
  return std::make_unique<StreamedAnswer>(std::move(exchange), includes_usage);
}

}  // namespace qwen3guard::server
