// SPDX-License-Identifier: Apache-2.0
// Roles that the templates have no turn for: messages of tools, and those that the Gen template leaves out.
#include <string>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

namespace {

constexpr auto kSystem = Role::system;
constexpr auto kUser = Role::user;
constexpr auto kAssistant = Role::assistant;
constexpr auto kTool = Role::tool;
constexpr double kMargin = 1e-4;

const Message kCall = {kAssistant, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>"};

std::string response_of(const std::string& text) { return "<tool_response>\n" + text + "\n</tool_response>"; }

const std::vector<Message> kWithTools = {{kUser, "What is the weather?"},
                                         kCall,
                                         {kTool, "Rain."},
                                         {kTool, "How to build a bomb"},
                                         {kAssistant, "It rains in Paris."}};
const std::vector<Message> kFolded = {
    {kUser, "What is the weather?"},
    kCall,
    {kUser, response_of("Rain.") + "\n" + response_of("How to build a bomb")},
    {kAssistant, "It rains in Paris."}};

void check_same(const Verdict& a, const Verdict& b) {
  CHECK(a.severity == b.severity);
  CHECK(a.tokens.prompt == b.tokens.prompt);
  CHECK(a.probabilities.safe == Approx(b.probabilities.safe).margin(kMargin));
}

bool is_rejected(const Status& status) {
  return !status.ok() && status.error().code == ErrorCode::invalid_argument;
}

}  // namespace

TEST_CASE("tool messages: a Stream checkpoint sees them in a turn of the user's", "[guard]") {
  const Guard guard = test::load_tiny("stream").value();
  const Verdict verdict = guard.classify(kWithTools).value();
  check_same(verdict, guard.classify(kFolded).value());
  CHECK(verdict.dropped_messages.empty());
  const auto batch = guard.classify_batch(std::vector<std::vector<Message>>{kWithTools, kFolded});
  check_same(batch[0].value(), batch[1].value());
  check_same(batch[0].value(), verdict);

  const auto judged = [&](const std::vector<Message>& messages) {
    StreamSession session = guard.open_stream().value();
    session.restore(std::span(messages).first(messages.size() - 1)).throw_if_error();
    session.begin_turn(kAssistant).throw_if_error();
    session.push_text(messages.back().content).throw_if_error();
    const TurnVerdict turn = session.end_turn().value();
    CHECK(turn.decision.is_complete);
    CHECK(turn.decision.severity == verdict.severity);
    return session.verdicts();
  };
  const auto a = judged(kWithTools), b = judged(kFolded);
  REQUIRE(a.size() == b.size());
  CHECK(a.back().position == b.back().position);
  CHECK(a.back().probabilities.safe == Approx(b.back().probabilities.safe).margin(kMargin));

  const auto prompt_after = [&](std::vector<Message> messages) {
    messages.push_back({kUser, "And tomorrow?"});
    StreamSession session = guard.open_stream().value();
    return session.push_conversation(messages).value();
  };
  CHECK(prompt_after(kWithTools).position == prompt_after(kFolded).position);
}

TEST_CASE("tool messages: errors name the host's message", "[guard]") {
  const Guard guard = test::load_tiny("stream").value();
  const std::vector<Message> broken = {{kUser, "a"}, kCall, {kTool, "b"}, {kTool, "c\xFF"}, {kUser, "d"}};
  StreamSession session = guard.open_stream().value();
  for (const Status& status : {session.restore(broken), Status(session.push_conversation(broken).error()),
                               Status(guard.classify(broken).error())}) {
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == ErrorCode::invalid_utf8);
    CHECK(status.error().detail.find("messages[3]") != std::string::npos);
    CHECK(status.error().detail.find("byte 1") != std::string::npos);
  }
  CHECK(session.position() == 0);
}

TEST_CASE("tool messages: neither judged nor written live", "[guard]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    const std::vector<Message> last = {{kUser, "a"}, kCall, {kTool, "b"}};
    CHECK(is_rejected(guard.classify(last).error()));
    CHECK(is_rejected(guard.classify_batch(std::vector<std::vector<Message>>{last})[0].error()));
    StreamSession session = guard.open_stream().value();
    CHECK(is_rejected(session.push_conversation(last).error()));
    static_cast<void>(session.push_prompt("a").value());
    session.push_text("b").throw_if_error();
    session.end_turn().throw_if_error();
    const std::int32_t position = session.position();
    const Status live = session.begin_turn(kTool);
    CHECK(is_rejected(live));
    CHECK(live.error().detail.find("restore()") != std::string::npos);
    CHECK(session.position() == position);
    StreamBatch batch = StreamBatch::open(guard).value();
    CHECK(is_rejected(batch.begin_turn(batch.add().value(), kTool)));
    session.restore(std::vector<Message>{{kTool, "b"}}).throw_if_error();
    session.begin_turn(kAssistant).throw_if_error();
    session.push_text("It is fine.").throw_if_error();
    CHECK(session.end_turn().value().decision.is_complete);
  }
}

TEST_CASE("dropped messages: a Gen checkpoint's verdict names what it has not seen", "[guard]") {
  const Guard guard = test::load_tiny("gen").value();
  struct Case {
    std::vector<Message> messages;
    std::vector<std::int32_t> dropped;
  };
  const std::vector<Case> cases = {
      {{{kUser, "a"}}, {}},
      {{{kSystem, "s"}, {kUser, "a"}, {kAssistant, "b"}}, {}},
      {{{kAssistant, "How to build a bomb: ..."}, {kUser, "a"}}, {0}},
      {{{kUser, "a"}, {kSystem, "s"}, {kUser, "b"}}, {1}},
      {kWithTools, {2, 3}},
      {{{kTool, "x"}, {kUser, "a"}, {kSystem, "s"}, {kTool, "y"}, {kAssistant, "b"}}, {0, 2, 3}},
  };
  ClassifyOptions reject;
  reject.dropped_messages = DroppedMessages::reject;
  std::vector<std::vector<Message>> all;
  for (const auto& [messages, dropped] : cases) {
    CHECK(guard.classify(messages).value().dropped_messages == dropped);
    const auto result = guard.classify(messages, reject);
    CHECK(result.ok() == dropped.empty());
    if (!result.ok()) {
      CHECK(is_rejected(result.error()));
      CHECK(result.error().detail.find("messages[" + std::to_string(dropped[0]) + "]") != std::string::npos);
    }
    all.push_back(messages);
  }
  for (const Decoder decoder : {Decoder::constrained, Decoder::greedy}) {
    ClassifyOptions options;
    options.decoder = decoder;
    const auto verdicts = guard.classify_batch(all, options);
    reject.decoder = decoder;
    const auto strict = guard.classify_batch(all, reject);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (verdicts[i].ok()) CHECK(verdicts[i]->dropped_messages == cases[i].dropped);
      if (!cases[i].dropped.empty()) CHECK(is_rejected(strict[i].error()));
    }
  }
  // Nothing at all would be seen.
  CHECK(is_rejected(guard.classify(std::vector<Message>{{kAssistant, "a"}}).error()));
  // Stream checkpoints see all of it.
  const Guard stream = test::load_tiny("stream").value();
  CHECK(stream.classify(cases[2].messages, reject).value().dropped_messages.empty());
}

TEST_CASE("dropped messages: a Gen checkpoint's session names turns", "[guard]") {
  const Guard guard = test::load_tiny("gen").value();
  const std::vector<Message> past = {{kAssistant, "Hello!"}, {kUser, "a"}, kCall, {kTool, "x"}};
  StreamSession session = guard.open_stream().value();
  session.restore(past).throw_if_error();
  session.begin_turn(kAssistant).throw_if_error();
  session.push_text("It is fine.").throw_if_error();
  CHECK(session.end_turn().value().written.value().dropped_messages == std::vector<std::int32_t>{0, 3});
  session.begin_turn(kSystem).throw_if_error();
  session.push_text("s").throw_if_error();
  session.end_turn().throw_if_error();
  session.begin_turn(kUser).throw_if_error();
  session.push_text("b").throw_if_error();
  CHECK(session.end_turn().value().written.value().dropped_messages == std::vector<std::int32_t>{0, 3, 5});

  StreamOptions options;
  options.dropped_messages = DroppedMessages::reject;
  session = guard.open_stream(options).value();
  CHECK(is_rejected(session.restore(past)));
  CHECK(is_rejected(session.begin_turn(kAssistant)));
  CHECK(session.position() == 0);
  session.begin_turn(kSystem).throw_if_error();
  session.push_text("s").throw_if_error();
  session.end_turn().throw_if_error();
  static_cast<void>(session.push_prompt("a").value());
  session.push_text("b").throw_if_error();
  session.end_turn().throw_if_error();
  CHECK(is_rejected(session.begin_turn(kSystem)));
  CHECK(is_rejected(session.restore(std::vector<Message>{{kTool, "x"}})));
  CHECK(session.push_conversation(std::vector<Message>{{kUser, "c"}}).ok());
}
