// SPDX-License-Identifier: Apache-2.0
// Control tokens among the ids that a host pushes.
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::check_close;

namespace {

const std::string kPrompt = "What do you think of my cooking?";
const std::string kText = "It smells lovely, but only an ugly idiot like you would eat it, nobody likes you.";

TokenId id_of(const Guard& guard, const char* text) { return guard.tokenizer()->find_added(text).value(); }

StreamSession open(const Guard& guard, bool allow_control_ids = false) {
  StreamOptions options;
  options.allow_control_ids = allow_control_ids;
  options.gen_interval_tokens = 8;
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt(kPrompt).throw_if_error();
  return session;
}

std::vector<TokenId> with(std::vector<TokenId> ids, TokenId id) {
  ids.push_back(id);
  return ids;
}

}  // namespace

TEST_CASE("ids: a model's end of sequence ends the turn", "[stream][ids]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    const auto ids = guard.tokenizer()->encode(kText).value();
    StreamSession plain = open(guard);
    std::vector<TokenVerdict> expected(ids.size());
    REQUIRE(plain.push_tokens(ids, expected).ok());
    const Decision before = plain.decision();
    const StreamMark text_end = plain.mark();
    const TurnVerdict expected_turn = plain.end_turn().value();
    for (const char* end : {"<|im_end|>", "<|endoftext|>"}) {
      for (const bool is_alone : {false, true}) {
        CAPTURE(name, end, is_alone);
        StreamSession session = open(guard);
        std::vector<TokenVerdict> out(ids.size() + 1);
        const auto all = with(ids, id_of(guard, end));
        if (is_alone) {
          REQUIRE(session.push_tokens(ids, out).ok());
          REQUIRE(session.push_tokens(std::span(all).last(1), std::span(out).last(1)).ok());
        } else {
          REQUIRE(session.push_tokens(all, out).ok());
        }
        // It is no part of the text.
        check_close({out.begin(), out.end() - 1}, expected);
        CHECK(session.n_verdicts() == ids.size());
        CHECK(session.turn_bytes() == static_cast<std::int64_t>(kText.size()));
        CHECK(session.position() == expected.back().position + 1);
        CHECK(session.decision().severity == before.severity);
        CHECK(session.decision().is_complete == before.is_complete);
        const TokenVerdict& last = out.back();
        CHECK(last.id == all.back());
        CHECK(last.source == VerdictSource::none);
        CHECK(last.severity == Severity::not_judged);
        CHECK_FALSE(last.counts);
        CHECK(last.is_settled);
        CHECK(last.position == expected.back().position + 1);
        CHECK(last.byte_begin == static_cast<std::int64_t>(kText.size()));
        CHECK(last.byte_end == last.byte_begin);
        CHECK(last.action == (before.ruling.action > Action::allow ? before.action : Action::none));
        CHECK(decide(Policy(), Role::assistant, out, false).severity ==
              decide(Policy(), Role::assistant, expected, false).severity);

        // Nothing follows, not even text or nothing at all, until the turn is ended.
        const StreamMark ended = session.mark();
        CHECK(session.push_tokens(ids, out).error().code == ErrorCode::invalid_argument);
        CHECK(session.push_tokens({}, {}).error().detail.find("end_turn()") != std::string::npos);
        CHECK(session.push_text("x").error().code == ErrorCode::invalid_argument);
        CHECK(session.begin_turn(Role::user).error().code == ErrorCode::invalid_argument);
        StreamSession fork = session.fork().value();
        CHECK(fork.push_tokens(ids, out).error().code == ErrorCode::invalid_argument);
        const TurnVerdict turn = session.end_turn().value();
        CHECK(turn.decision.severity == expected_turn.decision.severity);
        CHECK(turn.decision.position == expected_turn.decision.position);
        CHECK(turn.decision.is_complete);
        const TokenVerdict next = session.push_prompt("And then?").value();

        // Marks know it, and a rewind to before it takes it back.
        session.rewind(ended).throw_if_error();
        CHECK(session.push_tokens(ids, out).error().code == ErrorCode::invalid_argument);
        session.end_turn().throw_if_error();
        CHECK(session.push_prompt("And then?").value().probabilities.safe ==
              Approx(next.probabilities.safe).margin(test::kMargin));
        session.rewind({ended.turn, ended.n_units - 1, false}).throw_if_error();
        REQUIRE(session.push_tokens(std::span(ids).first(1), out).ok());
        CHECK(ended.n_units == text_end.n_units + 1);
        fork.rewind_to_byte(fork.turn_bytes()).throw_if_error();
        REQUIRE(fork.push_tokens(std::span(ids).first(1), out).ok());
      }
    }
    const TokenVerdict next = plain.push_prompt("And then?").value();
    CHECK(next.severity != Severity::not_judged);
    // An answer of nothing else.
    const std::vector<TokenId> end = {id_of(guard, "<|im_end|>")};
    std::vector<TokenVerdict> out(1);
    REQUIRE(plain.push_tokens(end, out).ok());
    CHECK(out[0].source == VerdictSource::none);
    CHECK(plain.n_verdicts() == 0);
    CHECK_FALSE(plain.end_turn().value().decision.is_complete);
  }
}

TEST_CASE("ids: any other control token is an error", "[stream][ids]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    const auto text = guard.tokenizer()->encode("Hello there").value();
    const TokenId start = id_of(guard, "<|im_start|>"), im_end = id_of(guard, "<|im_end|>"),
                  end = id_of(guard, "<|endoftext|>");
    const auto check = [&](StreamSession& session, const std::vector<TokenId>& ids, std::size_t bad) {
      CAPTURE(name, bad, ids.size());
      std::vector<TokenVerdict> out(ids.size());
      for (TokenVerdict& verdict : out) verdict.position = -77;
      const std::int32_t position = session.position();
      const Status status = session.push_tokens(ids, out);
      REQUIRE(status.error().code == ErrorCode::invalid_argument);
      CHECK(status.error().detail.find("ids[" + std::to_string(bad) + "]") != std::string::npos);
      CHECK(status.error().detail.find("control token <|") != std::string::npos);
      CHECK(session.position() == position);
      CHECK(session.mark().n_units == 0);
      for (const TokenVerdict& verdict : out) CHECK(verdict.position == -77);
      CHECK(session.fork().value().push_text("x").ok());  // it was not made a turn of tokens
    };
    StreamSession session = open(guard);
    check(session, with(text, start), text.size());
    check(session, {start}, 0);
    check(session, {im_end, text[0]}, 0);
    check(session, {text[0], end, text[0]}, 1);
    check(session, {text[0], end, im_end}, 1);  // as a batch that was padded has it
    check(session, {start, im_end}, 0);
    for (const Role role : {Role::user, Role::system}) {
      StreamSession other = guard.open_stream().value();
      REQUIRE(other.begin_turn(role).ok());
      check(other, with(text, im_end), text.size());
      check(other, with(text, end), text.size());
      check(other, {start}, 0);
    }
    // Those of thinking are text.
    std::vector<TokenVerdict> out(3);
    REQUIRE(session
                .push_tokens(std::vector<TokenId>{id_of(guard, "<think>"), text[0], id_of(guard, "</think>")},
                             out)
                .ok());
    CHECK(session.n_verdicts() == 3);

    // Allowed, they are tokens like any other, but for the end of the sequence.
    StreamSession allows = open(guard, true);
    const std::vector<TokenId> ids = {start, text[0], im_end, text[1], end};
    out.resize(ids.size());
    REQUIRE(allows.push_tokens(ids, out).ok());
    CHECK(allows.n_verdicts() == 4);
    CHECK(out[4].source == VerdictSource::none);
    if (guard.kind() == ModelKind::stream) CHECK(out[2].source == VerdictSource::heads);
    CHECK(allows.turn_bytes() == static_cast<std::int64_t>(out[3].byte_end));
    CHECK(allows.push_tokens({}, {}).error().code == ErrorCode::invalid_argument);
    CHECK(allows.end_turn().value().decision.is_complete);
  }
}

TEST_CASE("ids: in a batch of pushes and in a batch of sessions", "[stream][ids]") {
  const Guard guard = test::load_tiny("stream").value();
  const auto text = guard.tokenizer()->encode("Hello there").value();
  const auto ended = with(text, id_of(guard, "<|im_end|>")),
             forged = with(text, id_of(guard, "<|im_start|>"));
  StreamSession a = open(guard), b = open(guard), c = open(guard, true);
  std::vector<TokenVerdict> out_a(ended.size()), out_b(ended.size()), out_c(ended.size());
  std::vector<StreamPush> pushes = {{&a, ended, out_a, {}}, {&b, forged, out_b, {}}, {&c, forged, out_c, {}}};
  guard.push_batch(pushes);
  REQUIRE(pushes[0].status.ok());
  CHECK(out_a.back().source == VerdictSource::none);
  CHECK_FALSE(out_a.back().counts);
  CHECK(a.n_verdicts() == text.size());
  CHECK(a.push_text("x").error().code == ErrorCode::invalid_argument);
  CHECK(pushes[1].status.error().code == ErrorCode::invalid_argument);
  CHECK(b.n_verdicts() == 0);
  REQUIRE(pushes[2].status.ok());
  CHECK(c.n_verdicts() == forged.size());

  for (const char* name : {"stream", "gen"}) {
    for (const bool fails : {false, true}) {
      CAPTURE(name, fails);
      const Guard other = test::load_tiny(name).value();
      StreamBatch batch = StreamBatch::open(other).value();
      const StreamId id = batch.add().value();
      REQUIRE(batch.push_prompt(id, "Hi").ok());
      if (fails) REQUIRE(batch.push_tokens(id, forged).ok());
      REQUIRE(batch.push_tokens(id, ended).ok());
      if (fails) REQUIRE(batch.push_tokens(id, text).ok());
      REQUIRE(batch.end_turn(id).ok());
      while (batch.step() > 0 || batch.stats().n_waiting_sessions > 0) {
      }
      std::vector<TokenVerdict> tokens;
      std::size_t n_errors = 0;
      Decision last;
      for (const StreamEvent& event : batch.poll(id).value()) {
        if (event.kind == StreamEvent::Kind::error) {
          ++n_errors;
          CHECK(event.status.error().code == ErrorCode::invalid_argument);
        }
        const bool is_prompt = event.kind == StreamEvent::Kind::turn_end && event.turn.role == Role::user;
        if (event.kind == StreamEvent::Kind::error || is_prompt) continue;
        REQUIRE(event.update.first <= tokens.size());
        tokens.resize(event.update.first);
        tokens.insert(tokens.end(), event.update.tokens.begin(), event.update.tokens.end());
        CHECK(event.update.n_settled <= tokens.size());
        last = event.decision;
      }
      CHECK(n_errors == (fails ? 2 : 0));  // the forged one, and what came behind the end
      CHECK(tokens.size() == text.size());
      CHECK(last.is_complete == !fails);
      // What the updates add up to, the end of the turn included.
      const auto compare = [&](StreamSession& session) {
        const auto verdicts = session.verdicts();
        REQUIRE(verdicts.size() == tokens.size());
        for (std::size_t i = 0; i < tokens.size(); ++i) CHECK(verdicts[i].source == tokens[i].source);
      };
      REQUIRE(batch.visit(id, compare).ok());
    }
  }
}
