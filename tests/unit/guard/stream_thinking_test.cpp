// SPDX-License-Identifier: Apache-2.0
// What is thinking, what is not, and what a decision says while there is nothing else.
#include <utility>

#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::check_close;

namespace {

const std::string kBad =
    "Only an ugly idiot like you would eat it, nobody likes you, and somebody should burn this kitchen down.";
const std::string kGood = "Serve it warm with a little butter.";

Guard tiny_stream() { return test::load_tiny("stream").value(); }

StreamSession open(const Guard& guard, Thinking thinking = Thinking::skip, std::int32_t interval = 8) {
  StreamOptions options;
  options.thinking = thinking;
  options.gen_interval_tokens = interval;
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt("What do you think of my cooking?").throw_if_error();
  return session;
}

/// As text in one piece or byte by byte, or as the ids of that text.
enum class Way { whole, bytes, ids };

void push(const Guard& guard, StreamSession& session, const std::string& text, Way way) {
  if (way == Way::whole) session.push_text(text).throw_if_error();
  for (std::size_t i = 0; way == Way::bytes && i < text.size(); ++i)
    session.push_text(std::string_view(text).substr(i, 1)).throw_if_error();
  if (way != Way::ids) return;
  const auto ids = guard.tokenizer()->encode(text).value();
  std::vector<TokenVerdict> out(ids.size());
  session.push_tokens(ids, out).throw_if_error();
}

std::int64_t bytes(const std::string& text) { return static_cast<std::int64_t>(text.size()); }

}  // namespace

TEST_CASE("thinking: what is not at the beginning of a response is judged", "[stream][thinking]") {
  const std::vector<std::string> texts = {
      "Sure. <think>" + kBad,                           // never closed
      "Sure. <think>" + kBad + "</think>",              // closed
      " <think>" + kBad + "</think>",                   // behind a blank
      "<think>Hm.</think><think>" + kBad + "</think>",  // a second block
      "<think>Hm.</think>Sure. <think>" + kBad,         // within the answer
      "\r\n<think>" + kBad + "</think>",                // behind something else than line breaks
      kBad + "</think>Sure.",                           // the host's template has opened it
  };
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    for (const std::string& text : texts) {
      for (const Way way : {Way::whole, Way::bytes, Way::ids}) {
        if (guard.kind() == ModelKind::gen && way == Way::bytes) continue;
        CAPTURE(name, text, static_cast<int>(way));
        StreamSession session = open(guard);
        push(guard, session, text, way);
        const TurnVerdict turn = session.end_turn().value();
        CHECK(turn.decision.severity == Severity::unsafe);
        CHECK(turn.decision.is_complete);
        const std::size_t end = text.starts_with("<think>") ? text.find("</think>") + 8 : 0;
        for (const TokenVerdict& token : session.verdicts())
          REQUIRE(token.counts == (token.byte_begin >= static_cast<std::int64_t>(end)));
      }
    }
  }
}

TEST_CASE("thinking: skipped, all that follows it is judged", "[stream][thinking]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    for (const char* begin_text : {"<think>\n", "\n\n<think>"}) {
      const std::string begin = begin_text;
      for (const Way way : {Way::whole, Way::ids}) {
        CAPTURE(name, begin, static_cast<int>(way));
        StreamSession session = open(guard, Thinking::skip, 100), bad = open(guard);
        push(guard, session, begin + "The user is a vile idiot.\n</think>\n\n" + kGood, way);
        const TurnVerdict turn = session.end_turn().value();
        CHECK(turn.decision.severity == Severity::safe);
        CHECK(turn.decision.is_complete);
        push(guard, bad, begin + kGood + "</think>" + kBad, way);
        CHECK(bad.end_turn().value().decision.severity == Severity::unsafe);
        if (guard.kind() == ModelKind::gen) {
          // It is shown the answer alone.
          CHECK(turn.written->text ==
                guard.classify_response("What do you think of my cooking?", kGood).value().text);
        }
      }
    }
  }
}

TEST_CASE("thinking: without an answer behind it nothing was judged", "[stream][thinking]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    for (const std::string& text :
         std::vector<std::string>{"<think>" + kGood, "<think>", "<think>" + kGood + "</think>",
                                  "<think>" + kGood + "<think></thin"}) {
      for (const Way way : {Way::whole, Way::bytes, Way::ids}) {
        CAPTURE(name, text, static_cast<int>(way));
        StreamSession session = open(guard);
        push(guard, session, text, way);
        const auto check = [&](const Decision& decision) {
          CHECK(decision.severity == Severity::not_judged);
          CHECK_FALSE(decision.is_complete);
          CHECK(decision.unjudged_begin == 0);
          CHECK(decision.unjudged_end == bytes(text));
        };
        check(session.decision());
        const TurnVerdict turn = session.end_turn().value();
        check(turn.decision);
        CHECK_FALSE(turn.written.has_value());
      }
    }
    // Judged, it is like any other text.
    for (const Thinking thinking : {Thinking::none, Thinking::judge}) {
      StreamSession session = open(guard, thinking);
      push(guard, session, "<think>" + kBad, Way::whole);
      const TurnVerdict turn = session.end_turn().value();
      CHECK(turn.decision.is_complete);
      CHECK(turn.decision.severity == Severity::unsafe);
    }
  }
  // Line breaks before it are none of the template's, and are not judged either.
  const Guard guard = tiny_stream();
  StreamSession session = open(guard);
  push(guard, session, "\n\n<think>" + kGood, Way::whole);
  CHECK_FALSE(session.decision().is_complete);
  CHECK(session.decision().unjudged_begin == 0);
  REQUIRE_FALSE(session.verdicts().empty());
  CHECK(session.verdicts()[0].source == VerdictSource::none);
  CHECK(session.verdicts()[0].byte_end == 2);
  CHECK(session.verdicts()[1].byte_begin == 2);
}

TEST_CASE("thinking: rewound into and out of", "[stream][thinking]") {
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    const std::string thought = "<think>" + kGood + "</think>";
    StreamSession session = open(guard);
    const StreamMark begin = session.mark();
    session.push_text(thought + kGood).throw_if_error();
    session.rewind_to_byte(bytes(thought) - 3).throw_if_error();
    CHECK(session.decision().unjudged_end == bytes(thought) - 3);
    CHECK_FALSE(session.decision().is_complete);
    // What looked like thinking is none when its beginning is another one.
    session.rewind(begin).throw_if_error();
    session.push_text("Well, <think>" + kBad + "</think>").throw_if_error();
    CHECK(session.end_turn().value().decision.severity == Severity::unsafe);
    for (const TokenVerdict& token : session.verdicts()) REQUIRE(token.counts);
    session.rewind(begin).throw_if_error();
    const auto ids = guard.tokenizer()->encode(kBad).value();
    std::vector<TokenVerdict> out(ids.size());
    REQUIRE(session.push_tokens(ids, out).ok());  // a turn that is empty again may be written as tokens
    CHECK(session.end_turn().value().decision.severity == Severity::unsafe);
  }
}

TEST_CASE("thinking: a finished answer loses its thinking and nothing else", "[stream][thinking]") {
  const Guard guard = tiny_stream();
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"<think>\nHm.\n</think>\n\nYes.", "Yes."},
      {"\n<think>Hm.</think>Yes.", "Yes."},
      {"<think>a</think>b</think>c", "b</think>c"},
      {"Yes. <think>Hm.</think> No.", "Yes. <think>Hm.</think> No."},
      {"Yes.</think>No.", "Yes.</think>No."},
      {"<think>Hm.", "<think>Hm."},
      {"<think>Hm.</think>\n", ""},
  };
  for (const auto& [answer, kept] : answers) {
    CAPTURE(answer);
    // The same whichever way the answer came: live as text, live as tokens, restored, or given to classify().
    const std::vector<Message> messages = {
        {Role::user, "One?"}, {Role::assistant, answer}, {Role::user, "Two?"}};
    std::vector<Message> expected = messages;
    expected[1].content = kept;
    const Verdict whole = guard.classify(messages).value(), plain = guard.classify(expected).value();
    CHECK(whole.tokens.prompt == plain.tokens.prompt);
    CHECK(whole.probabilities.safe == plain.probabilities.safe);
    for (const Way way : {Way::whole, Way::ids}) {
      StreamSession live = guard.open_stream().value();
      live.push_prompt("One?").throw_if_error();
      push(guard, live, answer, way);
      live.end_turn().throw_if_error();
      const TokenVerdict prompt = live.push_prompt("Two?").value();
      CHECK(prompt.probabilities.safe == Approx(plain.probabilities.safe).margin(test::kMargin));
      if (way == Way::whole) CHECK(prompt.position + 1 == plain.tokens.prompt);
    }
    StreamSession restored = guard.open_stream().value();
    CHECK(restored.push_conversation(messages).value().probabilities.safe ==
          Approx(plain.probabilities.safe).margin(test::kMargin));
  }
  // The last answer is judged whole: classify() has no thinking to leave out.
  const Verdict last = guard.classify_response("Well?", "<think>" + kBad + "</think>Fine.").value();
  CHECK(last.severity == Severity::unsafe);
}
