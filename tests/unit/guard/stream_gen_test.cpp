// SPDX-License-Identifier: Apache-2.0
// A Gen checkpoint behind the interface of streams.
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::StreamText;

namespace {

constexpr const char* kPrompt = "What do you think of my cooking?";
const std::string kText =
    "It smells lovely, and the table looks great too. But only an ugly idiot like you would eat it, nobody "
    "likes "
    "you, and somebody should burn this kitchen down with you inside. Serve it warm with a little butter.";

StreamSession open(const Guard& guard, std::int32_t interval = 8,
                   ContextPolicy context = ContextPolicy::error, std::int32_t max_tokens = 0) {
  StreamOptions options;
  options.gen_interval_tokens = interval;
  options.context = context;
  options.max_tokens = max_tokens;
  return guard.open_stream(options).value();
}

void check_same(const std::vector<TokenVerdict>& a, const std::vector<TokenVerdict>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i, a[i].byte_end, a[i].probabilities.safe, b[i].probabilities.safe);
    REQUIRE(a[i].id == b[i].id);
    REQUIRE(a[i].byte_end == b[i].byte_end);
    REQUIRE(a[i].source == b[i].source);
    REQUIRE(std::abs(a[i].probabilities.safe - b[i].probabilities.safe) < test::kMargin);
    REQUIRE(a[i].severity == b[i].severity);
    REQUIRE(a[i].action == b[i].action);
  }
}

}  // namespace

TEST_CASE("gen stream: each verdict is that of the whole text up to its token", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession session = open(guard);
  const TokenVerdict prompt = session.push_prompt(kPrompt).value();
  const Verdict expected_prompt = guard.classify_prompt(kPrompt).value();
  CHECK(prompt.severity == expected_prompt.severity);
  CHECK(prompt.source == VerdictSource::written);
  session.push_text(kText).throw_if_error();
  const TurnVerdict turn = session.end_turn().value();
  const auto tokens = session.verdicts();
  int n_written = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    CAPTURE(i);
    const bool is_due = (i + 1) % 8 == 0 || i + 1 == tokens.size();
    REQUIRE((tokens[i].source == VerdictSource::written) == is_due);
    if (i < 7) CHECK(tokens[i].source == VerdictSource::none);
    if (!is_due) continue;
    ++n_written;
    const std::string text = kText.substr(0, static_cast<std::size_t>(tokens[i].byte_end));
    const Verdict expected = guard.classify_response(kPrompt, text).value();
    CHECK(tokens[i].severity == expected.severity);
    CHECK(tokens[i].probabilities.safe == Approx(expected.probabilities.safe).margin(test::kMargin));
    if (!expected.categories.empty()) CHECK(tokens[i].category == expected.categories.front().category);
  }
  CHECK(n_written > 3);
  REQUIRE(turn.written.has_value());
  CHECK(turn.written->text == guard.classify_response(kPrompt, kText).value().text);
  CHECK(turn.decision.severity != Severity::safe);
  CHECK(turn.decision.reason == DecisionReason::written);
}

TEST_CASE("gen stream: a verdict computes what is new", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession session = open(guard, 8);
  session.push_prompt(kPrompt).throw_if_error();
  session.push_text(kText.substr(0, 150)).throw_if_error();
  session.push_text(kText.substr(150)).throw_if_error();
  const TurnVerdict turn = session.end_turn().value();
  REQUIRE(turn.written.has_value());
  const TokenUsage& usage = turn.written->tokens;
  // Everything but the last few tokens of the text and the prompt's fixed end.
  const Tokenizer& tokenizer = *guard.tokenizer();
  const auto rest = tokenizer.encode(kText).value().size() % 8 + 2;
  CHECK(usage.prompt - usage.cached < static_cast<std::int32_t>(rest) + 200);
  CHECK(usage.cached > usage.prompt / 2);
}

TEST_CASE("gen stream: verdicts do not depend on how the text is cut", "[stream][gen]") {
  constexpr std::uint32_t kSeed = 37001;
  const Guard guard = test::load_tiny("gen").value();
  StreamText random(kSeed);
  StreamSession whole = open(guard);
  whole.push_prompt(kPrompt).throw_if_error();
  whole.push_text(kText).throw_if_error();
  for (int n = 0; n < 4; ++n) {
    CAPTURE(kSeed, n);
    StreamSession session = open(guard);
    session.push_prompt(kPrompt).throw_if_error();
    test::Record record;
    for (std::size_t pos = 0; pos < kText.size();) {
      const std::size_t size = std::min(random.below(20) + 1, kText.size() - pos);
      record.apply(session.push_text(kText.substr(pos, size)).value());
      pos += size;
    }
    check_same(session.verdicts(), whole.verdicts());
    check_same(record.verdicts(), whole.verdicts());
  }
  // As tokens: the same text at the same places.
  const auto ids = guard.tokenizer()->encode(kText).value();
  StreamSession tokens = open(guard);
  tokens.push_prompt(kPrompt).throw_if_error();
  std::vector<TokenVerdict> out(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i)
    REQUIRE(tokens.push_tokens(std::span(ids).subspan(i, 1), std::span(out).subspan(i)).ok());
  REQUIRE(tokens.end_turn().ok());
  REQUIRE(whole.end_turn().ok());
  check_same(tokens.verdicts(), whole.verdicts());
}

TEST_CASE("gen stream: rewinds, marks and forks", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession fresh = open(guard), session = open(guard);
  fresh.push_prompt(kPrompt).throw_if_error();
  fresh.push_text(kText).throw_if_error();
  session.push_prompt(kPrompt).throw_if_error();
  const StreamMark begin = session.mark();
  session.push_text(kText.substr(0, 60) + "something else entirely, and more of it, on and on")
      .throw_if_error();
  session.rewind_to_byte(60).throw_if_error();
  StreamSession fork = session.fork().value();
  session.push_text(kText.substr(60)).throw_if_error();
  check_same(session.verdicts(), fresh.verdicts());
  fork.push_text(kText.substr(60, 50)).throw_if_error();
  fork.end_turn().throw_if_error();
  const StreamMark closed = fork.mark();
  fork.push_prompt("And then?").throw_if_error();
  fork.rewind(closed).throw_if_error();
  fork.rewind(begin).throw_if_error();
  fork.push_text(kText).throw_if_error();
  check_same(fork.verdicts(), fresh.verdicts());
  CHECK(fork.rewind(closed).error().code == ErrorCode::invalid_argument);
  CHECK(fork.rewind_to_byte(-1).error().code == ErrorCode::invalid_argument);
  CHECK(fork.rewind_to_byte(100000).error().code == ErrorCode::invalid_argument);
  // A whole conversation of turns.
  session.end_turn().throw_if_error();
  const TokenVerdict prompt = session.push_prompt("And then?").value();
  const std::vector<Message> messages = {
      {Role::user, kPrompt}, {Role::assistant, kText}, {Role::user, "And then?"}};
  CHECK(prompt.severity == guard.classify(messages).value().severity);
  StreamSession restored = open(guard);
  REQUIRE(restored.restore(std::span(messages).first(2)).ok());
  CHECK(restored.push_prompt("And then?").value().probabilities.safe ==
        Approx(prompt.probabilities.safe).margin(test::kMargin));
}

TEST_CASE("gen stream: the end of the context", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession probe = open(guard, 1000);
  probe.push_prompt("Hi").throw_if_error();
  probe.push_text("Hello").throw_if_error();
  const std::int32_t n_base = probe.end_turn().value().written->tokens.prompt;
  const std::int32_t room = n_base + 128 + 100;  // for about a hundred tokens of response
  std::string text;
  for (int i = 0; i < 100; ++i) text += " and so on and on";

  StreamSession refuses = open(guard, 8, ContextPolicy::error, room);
  refuses.push_prompt("Hi").throw_if_error();
  CHECK(refuses.push_text(text).error().code == ErrorCode::context_full);
  CHECK(refuses.turn_bytes() == 0);
  CHECK(refuses.push_text("Hello").ok());

  StreamSession stops = open(guard, 8, ContextPolicy::stop, room);
  stops.push_prompt("Hi").throw_if_error();
  const StreamUpdate update = stops.push_text(text).value();
  REQUIRE(update.stopped_at_byte.has_value());
  CHECK_FALSE(stops.decision().is_complete);
  // The tokens up to the verdict that did not fit carry the one before; from there on there is nothing.
  const auto stopped = stops.verdicts();
  std::size_t n_judged = 0;
  for (std::size_t i = 0; i < stopped.size(); ++i) {
    if (stopped[i].source == VerdictSource::written) n_judged = i + 1;
  }
  REQUIRE(n_judged > 0);
  CHECK(stopped[n_judged - 1].byte_end == *update.stopped_at_byte);
  for (std::size_t i = 0; i < stopped.size(); ++i) {
    CAPTURE(i);
    REQUIRE((stopped[i].source == VerdictSource::none) == (i < 7 || i >= n_judged + 7));
    if (i >= n_judged) REQUIRE(stopped[i].severity != Severity::safe);
  }
  CHECK(stops.decision().unjudged_begin == *update.stopped_at_byte);
  CHECK(stops.decision().unjudged_end == static_cast<std::int64_t>(text.size()));
  CHECK(stops.end_turn().ok());
  CHECK(stops.push_prompt("Next").error().code == ErrorCode::context_full);

  StreamSession slides = open(guard, 8, ContextPolicy::slide, room);
  slides.push_prompt("Hi").throw_if_error();
  slides.push_text(text).throw_if_error();
  CHECK(slides.verdicts().back().source != VerdictSource::none);
  CHECK(slides.rewind_to_byte(3).error().code == ErrorCode::invalid_argument);
  CHECK(slides.end_turn().ok());
  CHECK(slides.decision().is_complete);
}

TEST_CASE("gen stream: nothing that no verdict has read is Safe", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession session = open(guard);
  session.push_prompt("What do you think of my cooking?").throw_if_error();
  const auto check_unjudged = [&](std::int64_t begin) {
    const Decision decision = session.decision();
    CHECK(decision.severity == Severity::not_judged);
    CHECK_FALSE(decision.is_complete);
    CHECK(decision.unjudged_begin == begin);
    CHECK(decision.unjudged_end == session.turn_bytes());
  };
  check_unjudged(0);  // the turn is empty
  session.push_text("It smells lovely").throw_if_error();
  check_unjudged(0);  // before the first verdict
  for (const TokenVerdict& token : session.verdicts()) {
    CHECK(token.severity == Severity::not_judged);
    CHECK(token.probabilities.safe == 0.0F);
  }
  session.push_text(", and the table looks great too, as ever").throw_if_error();
  std::int64_t judged = 0;
  for (const TokenVerdict& token : session.verdicts()) {
    if (token.source == VerdictSource::written) judged = token.byte_end;
    if (token.source == VerdictSource::written) CHECK(token.severity == Severity::safe);
    if (token.source == VerdictSource::carried) CHECK(token.severity == Severity::not_judged);
  }
  REQUIRE(judged > 0);
  REQUIRE(judged < session.turn_bytes());
  check_unjudged(judged);  // text behind the last verdict
  const TurnVerdict turn = session.end_turn().value();
  CHECK(turn.decision.is_complete);
  CHECK(turn.decision.severity != Severity::not_judged);
  CHECK(turn.written->severity == turn.decision.severity);
  // What is bad stays bad, also while text behind it waits.
  StreamSession bad = open(guard);
  bad.push_prompt(kPrompt).throw_if_error();
  bad.push_text(kText).throw_if_error();
  bad.push_text(" And one more word").throw_if_error();
  CHECK(bad.decision().severity == Severity::unsafe);
  CHECK_FALSE(bad.decision().is_complete);
}

TEST_CASE("gen stream: a prompt's verdict is stopped by the session's flag", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamOptions options;
  const auto cancel = std::make_shared<CancelFlag>();
  options.cancel = cancel;
  StreamSession session = guard.open_stream(options).value();
  cancel->cancel();
  CHECK(session.push_prompt(kPrompt).error().code == ErrorCode::cancelled);
  cancel->reset();
  CHECK(session.push_prompt(kPrompt).ok());
}

TEST_CASE("gen stream: the turn's written verdict is about the turn that ended", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession session = open(guard);
  session.push_prompt(kPrompt).throw_if_error();
  session.push_text(kText).throw_if_error();
  // Back to where a verdict was written, which is the last token again; a later verdict must not stay.
  const auto tokens = session.verdicts();
  const std::int64_t cut = tokens[7].byte_end;
  REQUIRE(tokens[7].source == VerdictSource::written);
  session.rewind_to_byte(cut).throw_if_error();
  const TurnVerdict turn = session.end_turn().value();
  const Verdict expected =
      guard.classify_response(kPrompt, kText.substr(0, static_cast<std::size_t>(cut))).value();
  REQUIRE(turn.written.has_value());
  CHECK(turn.written->text == expected.text);
  CHECK(turn.written->severity == expected.severity);
  // To the beginning: nothing was said, and no verdict is about it.
  StreamSession empty = open(guard);
  empty.push_prompt(kPrompt).throw_if_error();
  empty.push_text(kText).throw_if_error();
  empty.rewind_to_byte(0).throw_if_error();
  const TurnVerdict none = empty.end_turn().value();
  CHECK_FALSE(none.written.has_value());
  CHECK(none.decision.severity == Severity::not_judged);
}

TEST_CASE("gen stream: in a batch", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamBatch batch = StreamBatch::open(guard).value();
  StreamOptions options;
  options.gen_interval_tokens = 8;
  const StreamId id = batch.add(options).value();
  REQUIRE(batch.push_prompt(id, kPrompt).ok());
  REQUIRE(batch.push_text(id, kText).ok());
  REQUIRE(batch.end_turn(id).ok());
  while (batch.step() > 0 || batch.stats().n_waiting_sessions > 0) {
  }
  const auto events = batch.poll(id).value();
  REQUIRE(events.size() >= 2);
  CHECK(events.back().kind == StreamEvent::Kind::turn_end);
  CHECK(events.back().turn.written->text == guard.classify_response(kPrompt, kText).value().text);
}

TEST_CASE("gen stream: errors leave the session as it was", "[stream][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession session = open(guard);
  CHECK(session.push_text("x").error().code == ErrorCode::invalid_argument);
  session.push_prompt(kPrompt).throw_if_error();
  session.push_text("abc \xC3").throw_if_error();
  CHECK(session.push_text("\xC3").error().code == ErrorCode::invalid_utf8);
  CHECK(session.turn_bytes() == 5);
  std::vector<TokenVerdict> out(1);
  CHECK(session.push_tokens(std::vector<TokenId>{1}, out).error().code == ErrorCode::invalid_argument);
  CHECK(session.push_text("\xA9").ok());
  CHECK(session.begin_turn(Role::user).error().code == ErrorCode::invalid_argument);
  CHECK(session.end_turn().ok());
  CHECK(session.push_prompt("bad \xFF").error().code == ErrorCode::invalid_utf8);
  session.push_prompt("ok").throw_if_error();
  CHECK(session.push_tokens(std::vector<TokenId>{-1}, out).error().code == ErrorCode::token_out_of_range);
  CHECK(session.push_tokens(std::vector<TokenId>{1}, {}).error().code == ErrorCode::invalid_argument);
  REQUIRE(session.push_tokens(std::vector<TokenId>{1}, out).ok());
}
