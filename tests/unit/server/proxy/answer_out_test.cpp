// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/answer_out.hpp"

#include <memory>

#include "q3g_catch.hpp"
#include "server/doors/proxy/answer_in.hpp"
#include "server/doors/proxy/sse_reader.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

/// Keeps what it is sent.
class Recorded final : public Exchange {
 public:
  Request& request() noexcept override { return request_; }
  void reply(Response response) override { body = response.body, has_ended = true; }
  void begin(int, Headers) override { begun_ = true; }
  void write(std::string_view piece) override { body += piece; }
  void end() override { has_ended = true; }
  void abort() override {}
  bool has_begun() const noexcept override { return begun_; }
  bool is_open() const noexcept override { return true; }
  std::size_t waiting_bytes() const noexcept override { return 0; }
  void on_drained(std::function<void()>) override {}
  void on_closed(std::function<void()>) override {}

  std::string body;
  bool has_ended = false;

 private:
  Request request_;
  bool begun_ = false;
};

const AnswerHead kHead = {"id-1", "m", "fp", 5};
const Channel kContent = {Field::content, 0}, kCall = {Field::tool_call, 1};

/// What our own reader makes of what was written.
struct Read {
  std::string texts, arguments, names, reasons;
};
Read read_back(const std::string& body) {
  Read out;
  for (const std::string& event : SseReader(100000).read(body)) {
    if (event == "[DONE]") continue;
    for (const ChoicePiece& choice : read_chunk(event, 2).choices) {
      out.reasons += choice.finish_reason;
      for (const Part& part : choice.parts) {
        (part.channel.is_call() ? out.arguments : out.texts) += part.text;
        out.names += part.name;
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("answer out: events that a reader of chunks puts together again", "[server][proxy]") {
  const auto exchange = std::make_shared<Recorded>();
  const auto out = make_streamed_answer(exchange, true);
  out->set_head(kHead);
  out->begin_choice(0);
  const std::string text = "\xE4\xB8\xAD\"\\\n\r\x01 \xE2\x80\xA8\xE2\x80\xAE\xF0\x9F\x98\x80";
  out->text(0, kContent, text);
  out->call(0, kCall, "c", "f");
  out->text(0, kCall, "{\"a\": \"\\u00e9\"}");
  out->finish_choice(0, "tool_calls", nullptr);
  CHECK_FALSE(exchange->has_ended);
  out->end(R"({"total_tokens":3})");
  CHECK(exchange->has_ended);
  const Read read = read_back(exchange->body);
  CHECK(read.texts == text);
  CHECK(read.arguments == "{\"a\": \"\\u00e9\"}");
  CHECK(read.names == "f");
  CHECK(read.reasons == "tool_calls");
  CHECK(exchange->body.find(R"("usage":{"total_tokens":3})") != std::string::npos);
  CHECK(exchange->body.ends_with("data: [DONE]\n\n"));
}

TEST_CASE("answer out: a block is said in the last chunk", "[server][proxy]") {
  Blocked blocked;
  blocked.severity = Severity::unsafe;
  blocked.ruling.action = Action::block;
  blocked.ruling.category = Category::violent;
  blocked.where = "content";
  for (const bool is_streamed : {false, true}) {
    const auto exchange = std::make_shared<Recorded>();
    const auto out = is_streamed ? make_streamed_answer(exchange, false) : make_plain_answer(exchange);
    out->set_head(kHead);
    out->begin_choice(0);
    out->call(0, kCall, "c", "f");
    out->text(0, kCall, "half of it");
    out->finish_choice(0, "content_filter", &blocked);
    out->end("");
    CHECK(
        exchange->body.find(
            R"("finish_reason":"content_filter","qwen3guard":{"where":"content","severity":"Unsafe","category":"Violent")") !=
        std::string::npos);
    // A call that is not whole is nothing that a client may run.
    CHECK((exchange->body.find("half of it") != std::string::npos) == is_streamed);
  }
}
