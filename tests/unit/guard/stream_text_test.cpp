// SPDX-License-Identifier: Apache-2.0
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::check_close;
using test::Record;
using test::StreamText;

TEST_CASE("text: pieces split anywhere give the verdicts of the whole", "[stream][text]") {
  constexpr std::uint32_t kSeed = 31001;
  const Guard guard = test::load_tiny("stream").value();
  StreamText random(kSeed);
  for (int n = 0; n < 25; ++n) {
    const std::string text = random.next(3 + random.below(40));
    CAPTURE(kSeed, n, text);
    StreamOptions options;
    options.max_tokens = 1024;
    options.judge_unsettled = random.below(4) != 0;
    StreamSession session = guard.open_stream(options).value();
    session.push_prompt("Please go on.").throw_if_error();
    Record record;
    const std::size_t longest = 1 + random.below(24);
    for (std::size_t pos = 0; pos < text.size();) {
      const std::size_t size = std::min(random.below(longest) + 1, text.size() - pos);
      record.apply(session.push_text(std::string_view(text).substr(pos, size)).value());
      pos += size;
      REQUIRE(session.turn_bytes() == static_cast<std::int64_t>(pos));
      REQUIRE(session.verdicts().size() == record.verdicts().size());
    }
    const auto whole = test::judge_whole(guard, StreamOptions(), "Please go on.", text);
    if (options.judge_unsettled) check_close(record.verdicts(), whole);
    const Decision before = session.decision();
    REQUIRE(session.end_turn().ok());
    check_close(session.verdicts(), whole);
    // The end of the turn is judged, too, and the text in its final form: that makes nothing better.
    CHECK(session.decision().severity >= before.severity);
    for (const TokenVerdict& token : session.verdicts()) REQUIRE(token.is_settled);
  }
}

TEST_CASE("text: equals the tokens of a host that shares the vocabulary", "[stream][text]") {
  const Guard guard = test::load_tiny("stream").value();
  const std::string text =
      "In a bowl, whisk flour and salt. Those people are vermin, somebody should burn them. Caf\xC3\xA9!";
  const auto ids = guard.tokenizer()->encode(text).value();
  StreamSession session = guard.open_stream().value();
  session.push_prompt("Go on").throw_if_error();
  std::vector<TokenVerdict> out(ids.size());
  REQUIRE(session.push_tokens(ids, out).ok());
  check_close(out, test::judge_whole(guard, {}, "Go on", text));
  // The ranges are the text.
  std::string joined;
  for (const TokenVerdict& token : out)
    joined += text.substr(static_cast<std::size_t>(token.byte_begin),
                          static_cast<std::size_t>(token.byte_end - token.byte_begin));
  CHECK(joined == text);
}

TEST_CASE("text: a decision names the bytes that made it fall", "[stream][text]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = guard.open_stream().value();
  session.push_prompt("What do you think of my cooking?").throw_if_error();
  const std::string text = "It smells lovely. Only an ugly idiot like you would eat it, nobody likes you.";
  for (const char c : text) session.push_text({&c, 1}).throw_if_error();
  const Decision decision = session.decision();
  REQUIRE(decision.severity != Severity::safe);
  REQUIRE(decision.token.has_value());
  CHECK(decision.reason == DecisionReason::run);
  CHECK(decision.n_run_tokens == 2);
  CHECK(decision.run_byte_begin >= 17);
  CHECK(decision.run_byte_begin < decision.token->byte_end);
  CHECK(decision.token->byte_end <= static_cast<std::int64_t>(text.size()));
  INFO(explain(decision));
  CHECK(explain(decision).find(" in a row") != std::string::npos);
}

TEST_CASE("text: errors leave the session as it was", "[stream][text]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamOptions options;
  options.max_tokens = 64;
  StreamSession session = guard.open_stream(options).value();
  CHECK(session.push_text("x").error().code == ErrorCode::invalid_argument);
  CHECK(session.end_turn().error().code == ErrorCode::invalid_argument);
  CHECK(session.rewind_to_byte(0).error().code == ErrorCode::invalid_argument);
  session.push_prompt("Hi").throw_if_error();
  CHECK(session.begin_turn(Role::user).error().code == ErrorCode::invalid_argument);
  session.push_text("Hello there, how").throw_if_error();
  const auto before = session.verdicts();
  CHECK(session.push_text(" \xC0").error().code == ErrorCode::invalid_utf8);
  CHECK(session.push_text(std::string(3000, 'q')).error().code == ErrorCode::context_full);
  std::vector<TokenVerdict> out(4);
  const std::vector<TokenId> ids(4, 7);
  CHECK(session.push_tokens(ids, out).error().code == ErrorCode::invalid_argument);
  CHECK(session.rewind_to_byte(17).error().code == ErrorCode::invalid_argument);
  CHECK(session.rewind_to_byte(-1).error().code == ErrorCode::invalid_argument);
  CHECK(session.turn_bytes() == 16);
  check_close(session.verdicts(), before);
  session.push_text(" are you?").throw_if_error();
  check_close(session.verdicts(), test::judge_whole(guard, {}, "Hi", "Hello there, how are you?"));
}

TEST_CASE("text: what is not UTF-8 can be replaced, split or not", "[stream][text]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamOptions options;
  options.invalid_utf8 = InvalidUtf8::replace;
  const std::string text = "a\xFF bad \xE2\x82 byte and a cut \xF0\x9F\x98";
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt("Hi").throw_if_error();
  for (const char c : text) session.push_text({&c, 1}).throw_if_error();
  session.end_turn().throw_if_error();
  const auto clean =
      test::judge_whole(guard, {}, "Hi", "a\xEF\xBF\xBD bad \xEF\xBF\xBD byte and a cut \xEF\xBF\xBD");
  const auto tokens = session.verdicts();
  REQUIRE(tokens.size() == clean.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) CHECK(tokens[i].id == clean[i].id);
  CHECK(tokens.back().byte_end == static_cast<std::int64_t>(text.size()));
}

TEST_CASE("text: an empty piece changes nothing, an empty turn is one", "[stream][text]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = guard.open_stream().value();
  session.push_prompt("").throw_if_error();
  CHECK(session.push_text("").value().tokens.empty());
  const TurnVerdict turn = session.end_turn().value();
  CHECK(turn.role == Role::assistant);
  CHECK(turn.decision.severity == Severity::not_judged);
  CHECK(session.verdicts().empty());
}

TEST_CASE("text: a turn that ends inside a character ends", "[stream][text]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    for (const InvalidUtf8 invalid_utf8 : {InvalidUtf8::reject, InvalidUtf8::replace}) {
      const bool replaces = invalid_utf8 == InvalidUtf8::replace;
      CAPTURE(name, replaces);
      StreamOptions options;
      options.invalid_utf8 = invalid_utf8;
      StreamSession session = guard.open_stream(options).value(), whole = guard.open_stream(options).value();
      session.push_prompt("Hi").throw_if_error();
      whole.push_prompt("Hi").throw_if_error();
      session.push_text("You are welcome.\xE2\x82").throw_if_error();
      CHECK_FALSE(session.decision().is_complete);  // the rest may still come
      const StreamMark half = session.mark();
      const TurnVerdict turn = session.end_turn().value();
      whole.push_text(replaces ? "You are welcome.\xEF\xBF\xBD" : "You are welcome.").throw_if_error();
      whole.end_turn().throw_if_error();
      // The tokens are those of the text without it, or with U+FFFD.
      REQUIRE(session.n_verdicts() == whole.n_verdicts());
      const auto a = session.verdicts(), b = whole.verdicts();
      for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK(a[i].id == b[i].id);
        CHECK(a[i].probabilities.safe == Approx(b[i].probabilities.safe).margin(test::kMargin));
      }
      CHECK(session.turn_bytes() == 18);
      CHECK(turn.decision.is_complete == replaces);
      CHECK(session.decision().is_complete == replaces);
      CHECK(whole.decision().is_complete);
      CHECK(turn.decision.unjudged_begin == (replaces ? turn.decision.unjudged_end : 16));
      if (!replaces) {
        CHECK(turn.decision.unjudged_end == 18);
        CHECK(turn.decision.severity != Severity::safe);
      }
      CHECK(turn.written.has_value() == (guard.kind() == ModelKind::gen));
      // The conversation goes on from there, or from inside the character.
      const TokenVerdict next = session.push_prompt("And now?").value();
      CHECK(next.probabilities.safe ==
            Approx(whole.push_prompt("And now?").value().probabilities.safe).margin(test::kMargin));
      session.rewind(half).throw_if_error();
      session.push_text("\xAC").throw_if_error();
      CHECK(session.end_turn().value().decision.is_complete);

      // A user's turn, and a system turn.
      session.reset();
      for (const Role role : {Role::system, Role::user}) {
        REQUIRE(session.begin_turn(role).ok());
        session.push_text("Hello\xF0\x9F\x98").throw_if_error();
        const TurnVerdict other = session.end_turn().value();
        CHECK(other.prompt.has_value() == (role == Role::user));
        CHECK(session.turn_bytes() == 8);
        CHECK(other.decision.is_complete == (replaces && role == Role::user));
        if (role == Role::system) {
          CHECK(other.decision.severity == Severity::not_judged);
          continue;
        }
        CHECK(other.decision.unjudged_end - other.decision.unjudged_begin == (replaces ? 0 : 3));
        if (!replaces) CHECK(other.decision.unjudged_begin == 5);
        // What was left out is not allowed, whatever the verdict on the rest is.
        if (!replaces) CHECK(other.decision.severity != Severity::safe);
        if (!replaces) CHECK(other.decision.action != Action::allow);
        CHECK(other.prompt->action == other.decision.action);
        CHECK(session.prompt_decision().action == other.decision.action);
      }
    }
  }
}

TEST_CASE("text: what is whole is not cut off, so that half a character is ill-formed", "[stream][text]") {
  const std::string text = "caf\xC3";
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    StreamSession session = guard.open_stream().value();
    const auto is_refused = [](const Error& error) {
      return error.code == ErrorCode::invalid_utf8 && error.detail.find("byte 3") != std::string::npos;
    };
    CHECK(is_refused(session.push_prompt(text).error()));
    CHECK(is_refused(session.push_conversation(std::vector<Message>{{Role::user, text}}).error()));
    CHECK(is_refused(
        session.restore(std::vector<Message>{{Role::user, "a"}, {Role::assistant, text}}).error()));
    CHECK(session.position() == 0);
    StreamBatch batch = StreamBatch::open(guard).value();
    const StreamId id = batch.add().value();
    REQUIRE(batch.push_prompt(id, text).ok());
    while (batch.step() > 0) {
    }
    const auto events = batch.poll(id).value();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == StreamEvent::Kind::error);
    CHECK(is_refused(events[0].status.error()));
  }
}

TEST_CASE("text: an error names the byte of the turn's text", "[stream][text]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    for (const Role role : {Role::system, Role::user, Role::assistant}) {
      for (const std::size_t n_before : {std::size_t{0}, std::size_t{4}}) {
        CAPTURE(name, to_string(role), n_before);
        StreamSession session = guard.open_stream().value();
        if (role == Role::assistant) session.push_prompt("Hi").throw_if_error();
        if (role != Role::assistant) REQUIRE(session.begin_turn(role).ok());
        if (n_before > 0) session.push_text("four").throw_if_error();
        const auto bad = session.push_text("ab\xFFz");
        REQUIRE(bad.error().code == ErrorCode::invalid_utf8);
        INFO(bad.error().detail);
        CHECK(bad.error().detail.ends_with("byte " + std::to_string(n_before + 2)));
        CHECK(session.turn_bytes() == static_cast<std::int64_t>(n_before));
      }
    }
  }
}
