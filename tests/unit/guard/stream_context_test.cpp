// SPDX-License-Identifier: Apache-2.0
#include "policies.hpp"
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::check_close;
using test::StreamText;

namespace {

constexpr std::int32_t kCapacity = 256;
/// What a response can fill: it leaves room for its <|im_end|> and a line break.
constexpr std::int32_t kRoom = kCapacity - 2;

StreamSession open(const Guard& guard, ContextPolicy context, std::int32_t max_tokens = kCapacity) {
  StreamOptions options;
  options.context = context;
  options.max_tokens = max_tokens;
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt("Please go on with the text.").throw_if_error();
  return session;
}

std::vector<TokenId> some_ids(const Guard& guard, std::size_t n) {
  StreamText random(77);
  std::vector<TokenId> ids;
  while (ids.size() < n) {
    const auto more = guard.tokenizer()->encode(random.next(10)).value();
    ids.insert(ids.end(), more.begin(), more.end());
  }
  ids.resize(n);
  return ids;
}

}  // namespace

TEST_CASE("context: error refuses what does not fit and keeps the rest", "[stream][context]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = open(guard, ContextPolicy::error);
  const auto ids = some_ids(guard, 400);
  std::vector<TokenVerdict> out(400);
  const auto room = static_cast<std::size_t>(kRoom - session.position());
  REQUIRE(session.push_tokens(std::span(ids).first(room), out).ok());
  const Status full = session.push_tokens(std::span(ids).subspan(room, 1), out);
  CHECK(full.error().code == ErrorCode::context_full);
  CHECK(full.error().detail.find("256") != std::string::npos);
  CHECK(session.position() == kRoom);
  CHECK(session.decision().is_complete);
}

TEST_CASE("context: stop judges what fits and says what it did not", "[stream][context]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = open(guard, ContextPolicy::stop);
  const auto ids = some_ids(guard, 400);
  std::vector<TokenVerdict> out(400);
  const auto room = static_cast<std::size_t>(kRoom - session.position());
  REQUIRE(session.push_tokens(std::span(ids).first(200), out).ok());
  CHECK(session.decision().is_complete);
  REQUIRE(session.push_tokens(std::span(ids).subspan(200), std::span(out).subspan(200)).ok());
  for (std::size_t i = 0; i < out.size(); ++i) {
    REQUIRE((out[i].source == VerdictSource::heads) == (i < room));
    REQUIRE(out[i].id == ids[i]);
  }
  CHECK(out[room].probabilities.safe == 0.0F);  // not a Safe
  CHECK_FALSE(session.decision().is_complete);
  CHECK(explain(session.decision()).find("not judged") != std::string::npos);
  CHECK(session.position() == kRoom);

  // As text; back to what was judged, judging goes on.
  StreamSession text = open(guard, ContextPolicy::stop);
  std::string all;
  std::optional<std::int64_t> stopped;
  StreamText random(78);
  for (int i = 0; i < 100; ++i) {
    const std::string more = random.next(4);
    const StreamUpdate update = text.push_text(more).value();
    all += more;
    if (stopped) {
      CHECK(update.tokens.empty());
      CHECK(update.stopped_at_byte == stopped);
    }
    stopped = update.stopped_at_byte;
    REQUIRE(text.turn_bytes() == static_cast<std::int64_t>(all.size()));
  }
  REQUIRE(stopped.has_value());
  CHECK_FALSE(text.decision().is_complete);
  const auto tokens = text.verdicts();
  CHECK(tokens.back().byte_end <= *stopped + 8);
  CHECK(text.rewind_to_byte(static_cast<std::int64_t>(all.size()) - 5).ok());
  CHECK_FALSE(text.decision().is_complete);
  text.rewind_to_byte(100).throw_if_error();
  CHECK(text.decision().is_complete);
  text.push_text(" Hello again").throw_if_error();
  check_close(text.verdicts(), test::judge_whole(guard, {}, "Please go on with the text.",
                                                 all.substr(0, 100) + " Hello again"));
  // A turn that was stopped can be ended; there is no room for another.
  while (text.decision().is_complete) text.push_text(" and so on").throw_if_error();
  CHECK_FALSE(text.end_turn().value().decision.is_complete);
  CHECK(text.push_prompt("Next?").error().code == ErrorCode::context_full);
}

TEST_CASE("context: slide keeps the prompt and the most recent window", "[stream][context]") {
  const Guard guard = test::load_tiny("stream").value();
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    CAPTURE(chunk);
    StreamSession session = open(guard, ContextPolicy::slide);
    const auto head = static_cast<std::size_t>(session.position());
    const std::size_t window = (kRoom - head) / 2;
    const auto ids = some_ids(guard, 1000);
    std::vector<TokenVerdict> out(ids.size());
    for (std::size_t pos = 0; pos < ids.size(); pos += chunk) {
      const std::size_t n = std::min(chunk, ids.size() - pos);
      REQUIRE(session.push_tokens(std::span(ids).subspan(pos, n), std::span(out).subspan(pos)).ok());
    }
    CHECK(session.position() == static_cast<std::int32_t>(head + ids.size()));
    CHECK(session.decision().is_complete);
    for (std::size_t i = 0; i < out.size(); ++i)
      REQUIRE(out[i].position == static_cast<std::int32_t>(head + i));
    // Each stretch equals a fresh session that has seen the prompt and the window: the first slide comes when
    // the context is full, the next each time the window has doubled.
    std::vector<TokenVerdict> expected(static_cast<std::size_t>(kCapacity));
    std::size_t from = 0, full = kRoom - head;
    while (from < ids.size()) {
      StreamSession fresh = open(guard, ContextPolicy::error);
      const std::size_t end = std::min(from + (kRoom - head), ids.size());
      REQUIRE(fresh.push_tokens(std::span(ids).subspan(from, end - from), expected).ok());
      const std::size_t first = from == 0 ? 0 : from + window;
      for (std::size_t i = first; i < end; ++i) {
        CAPTURE(i, from);
        REQUIRE(std::abs(out[i].probabilities.unsafe - expected[i - from].probabilities.unsafe) <
                test::kMargin);
        REQUIRE(std::abs(out[i].probabilities.safe - expected[i - from].probabilities.safe) < test::kMargin);
      }
      if (end == ids.size()) break;
      from = from + full - window;
    }
  }
}

TEST_CASE("context: an endless text slides with flat memory", "[stream][context]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = open(guard, ContextPolicy::slide);
  StreamText random(79);
  std::int64_t n_bytes = 0;
  std::size_t most = 0, early = 0;
  std::optional<std::int32_t> decided;
  for (int i = 0; i < 400; ++i) {
    const std::string more = random.next(5);
    session.push_text(more).throw_if_error();
    n_bytes += static_cast<std::int64_t>(more.size());
    REQUIRE(session.turn_bytes() == n_bytes);
    most = std::max(most, session.memory_bytes());
    if (i == 100) early = most;
    // The decision stays, even when the context has slid over where it fell.
    if (decided && session.decision().severity == Severity::unsafe)
      CHECK(session.decision().token.has_value());
    decided = session.decision().position;
  }
  CHECK(session.first_verdict() > 1000);
  CHECK(session.verdicts().size() <= static_cast<std::size_t>(kCapacity));
  CHECK(most <= early + early / 4);
  // Back within the window, and not further.
  const auto tokens = session.verdicts();
  CHECK(session.rewind_to_byte(5).error().code == ErrorCode::invalid_argument);
  session.rewind_to_byte(tokens[tokens.size() - 20].byte_begin).throw_if_error();
  REQUIRE(session.push_text(" Go on.").ok());
  session.end_turn().throw_if_error();
  session.push_prompt("And now?").throw_if_error();
  REQUIRE(session.push_text("Fine.").ok());
}

TEST_CASE("context: rewinding in a window that is filling", "[stream][context]") {
  constexpr std::uint32_t kSeed = 34001;
  const Guard guard = test::load_tiny("stream").value();
  StreamText random(kSeed);
  const auto ids = some_ids(guard, 3000);
  for (int n = 0; n < 4; ++n) {
    CAPTURE(kSeed, n);
    // Rewound now and then, and not at all: the same tokens in the end.
    StreamSession straight = open(guard, ContextPolicy::slide), session = open(guard, ContextPolicy::slide);
    const std::size_t n_ids = 150 + random.below(400);
    std::vector<TokenVerdict> expected(n_ids), out(n_ids);
    REQUIRE(straight.push_tokens(std::span(ids).first(n_ids), expected).ok());
    const std::vector<TokenId> noise(25, 77);
    std::vector<TokenVerdict> unused(25);
    const std::size_t limit = static_cast<std::size_t>(kRoom - session.position());
    for (std::size_t pos = 0; pos < n_ids;) {
      const std::size_t size = std::min(random.below(40) + 1, n_ids - pos);
      // Noise that does not make the context slide is taken back without a trace.
      const std::size_t in_context = static_cast<std::size_t>(session.position()) - session.first_verdict();
      if (in_context + 60 < limit) {
        const StreamMark mark = session.mark();
        REQUIRE(session.push_tokens(noise, unused).ok());
        session.rewind(mark).throw_if_error();
      }
      REQUIRE(session.push_tokens(std::span(ids).subspan(pos, size), std::span(out).subspan(pos)).ok());
      pos += size;
    }
    check_close(out, expected);
  }
}

namespace {

/// Of a Gen checkpoint, with room for a prompt, a verdict and about n_tokens tokens of a response.
StreamOptions gen_options(const Guard& guard, ContextPolicy context, std::int32_t n_tokens) {
  StreamOptions options;
  StreamSession probe = guard.open_stream(options).value();
  probe.push_prompt("Please go on with the text.").throw_if_error();
  probe.push_text("Hello").throw_if_error();
  options.context = context;
  options.gen_interval_tokens = 8;
  options.max_tokens = probe.end_turn().value().written->tokens.prompt + 128 + n_tokens;
  return options;
}

}  // namespace

TEST_CASE("context: a Gen checkpoint's endless response slides with flat memory", "[stream][context][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  for (const bool as_tokens : {false, true}) {
    CAPTURE(as_tokens);
    StreamSession session = guard.open_stream(gen_options(guard, ContextPolicy::slide, 60)).value();
    session.push_prompt("Please go on with the text.").throw_if_error();
    StreamText random(81);
    std::int64_t n_bytes = 0;
    std::size_t most = 0, early = 0;
    test::Record record;
    for (int i = 0; i < 90; ++i) {
      const std::string more = " and " + random.next(3);
      if (as_tokens) {
        const auto ids = guard.tokenizer()->encode(more).value();
        std::vector<TokenVerdict> out(ids.size());
        REQUIRE(session.push_tokens(ids, out).ok());
        n_bytes = out.back().byte_end;
      } else {
        record.apply(session.push_text(more).value());
        n_bytes += static_cast<std::int64_t>(more.size());
      }
      REQUIRE(session.turn_bytes() == n_bytes);
      REQUIRE(session.first_verdict() + session.verdicts().size() == session.n_verdicts());
      most = std::max(most, session.memory_bytes());
      if (i == 45) early = most;
    }
    CHECK(session.first_verdict() > 300);
    CHECK(session.n_verdicts() - session.first_verdict() < 160);
    CHECK(most <= early + early / 8);
    // What is there is what the updates said.
    const auto tokens = session.verdicts();
    for (std::size_t i = 0; i < tokens.size() && !as_tokens; ++i) {
      const TokenVerdict& said = record.verdicts()[session.first_verdict() + i];
      CAPTURE(i);
      REQUIRE(tokens[i].id == said.id);
      REQUIRE(tokens[i].position == said.position);
      REQUIRE(tokens[i].byte_end == said.byte_end);
      REQUIRE(tokens[i].source == said.source);
      REQUIRE(tokens[i].severity == said.severity);
    }
    // Back within the window, and not further.
    CHECK(session.rewind_to_byte(5).error().code == ErrorCode::invalid_argument);
    CHECK(session.turn_bytes() == n_bytes);
    StreamSession fork = session.fork().value();
    session.rewind_to_byte(tokens[tokens.size() - 10].byte_begin).throw_if_error();
    if (!as_tokens) REQUIRE(session.push_text(" Go on.").ok());
    CHECK(fork.turn_bytes() == n_bytes);
    for (StreamSession* each : {&session, &fork}) {
      const TurnVerdict turn = each->end_turn().value();
      CHECK(turn.decision.is_complete);
      CHECK(turn.decision.severity != Severity::not_judged);
      REQUIRE(each->push_prompt("And now?").ok());
      REQUIRE(each->push_text("Fine.").ok());
    }
  }
}

TEST_CASE("context: what a Gen checkpoint has decided stays when it slides", "[stream][context][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamOptions options = gen_options(guard, ContextPolicy::slide, 60);
  // Every verdict is blocked.
  options.policy = test::policy([](PolicySpec& spec) {
    test::each_category(spec.rules, [](CategoryRule& rule) { rule.block_threshold = 0.0F; });
  });
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt("Please go on with the text.").throw_if_error();
  for (int i = 0; i < 60; ++i) session.push_text(" and so on and on it goes").throw_if_error();
  REQUIRE(session.first_verdict() > 50);
  std::optional<Ruling> first;
  const auto check = [&] {
    const Decision decision = session.decision();
    CHECK(decision.action == Action::block);
    const Ruling ruling = decision.ruling;
    CHECK(ruling.action == Action::block);
    CHECK(ruling.rule == Rule::threshold);
    REQUIRE(ruling.position.has_value());
    CHECK(ruling.byte_end > 0);
    CHECK(ruling.byte_end < 100);
    CHECK(ruling.is_settled);
    if (first) CHECK(test::text_of(ruling) == test::text_of(*first));
    first = ruling;
  };
  check();
  const auto n_first = session.first_verdict();
  session.rewind_to_byte(session.verdicts().back().byte_begin).throw_if_error();
  check();
  CHECK(session.end_turn().ok());
  check();
  CHECK(session.first_verdict() == n_first);
}

TEST_CASE("context: thinking that never ends takes flat memory, too", "[stream][context][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamOptions options = gen_options(guard, ContextPolicy::slide, 60);
  options.thinking = Thinking::skip;
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt("Please go on with the text.").throw_if_error();
  session.push_text("<think>").throw_if_error();
  const auto n_most = 3 * static_cast<std::size_t>(options.max_tokens);
  std::string thought;
  for (int i = 0; i < 50; ++i) thought += " and so on and on it goes";
  while (session.n_verdicts() < 3 * n_most) session.push_text(thought).throw_if_error();
  CHECK(session.n_verdicts() - session.first_verdict() < n_most);
  CHECK(session.decision().severity == Severity::not_judged);
  const std::int64_t answer = session.turn_bytes() + 8;
  REQUIRE(session.push_text("</think>Fine, and so it went on and on.").ok());
  CHECK(session.rewind_to_byte(3).error().code == ErrorCode::invalid_argument);
  const TurnVerdict turn = session.end_turn().value();
  CHECK(turn.decision.is_complete);
  REQUIRE(turn.written.has_value());
  CHECK(
      turn.written->text ==
      guard.classify_response("Please go on with the text.", "Fine, and so it went on and on.").value().text);
  for (const TokenVerdict& token : session.verdicts()) CHECK(token.counts == (token.byte_end > answer));
}

TEST_CASE("context: behind its end a Gen checkpoint's session keeps no text", "[stream][context][gen]") {
  const Guard guard = test::load_tiny("gen").value();
  const StreamOptions options = gen_options(guard, ContextPolicy::stop, 60);
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt("Please go on with the text.").throw_if_error();
  const std::string more = " and so on and on it goes";
  std::int64_t n_bytes = 0, stopped_bytes = -1;
  std::optional<std::int64_t> stopped;
  std::size_t memory = 0;
  StreamMark behind;
  for (int i = 0; i < 400; ++i) {
    const StreamUpdate update = session.push_text(more).value();
    n_bytes += static_cast<std::int64_t>(more.size());
    REQUIRE(session.turn_bytes() == n_bytes);
    if (stopped) {
      REQUIRE(update.stopped_at_byte == stopped);
      REQUIRE(update.tokens.empty());
      REQUIRE(session.memory_bytes() == memory);
    } else if (update.stopped_at_byte) {
      stopped = update.stopped_at_byte;
      stopped_bytes = n_bytes;
      memory = session.memory_bytes();
    }
    if (i == 200) behind = session.mark();
  }
  REQUIRE(stopped.has_value());
  const auto check_stopped = [&](std::int64_t n) {
    CHECK(session.turn_bytes() == n);
    const Decision decision = session.decision();
    CHECK_FALSE(decision.is_complete);
    CHECK(decision.severity != Severity::safe);
    CHECK(decision.unjudged_begin == *stopped);
    CHECK(decision.unjudged_end == n);
  };
  check_stopped(n_bytes);
  // Back into what was not read, to what was, and on.
  session.rewind(behind).throw_if_error();
  check_stopped(behind.n_units);
  CHECK(session.push_text(more).value().stopped_at_byte == stopped);
  CHECK(session.end_turn().ok());
  check_stopped(behind.n_units + static_cast<std::int64_t>(more.size()));
  CHECK(session.begin_turn(Role::user).error().code == ErrorCode::context_full);
  CHECK(session.rewind(behind).value().stopped_at_byte == stopped);
  check_stopped(behind.n_units);
  session.rewind_to_byte(stopped_bytes).throw_if_error();
  CHECK(session.push_text(more).value().stopped_at_byte == stopped);
  const StreamUpdate back = session.rewind_to_byte(100).value();
  CHECK_FALSE(back.stopped_at_byte.has_value());
  CHECK(session.push_text(" Fine.").ok());
  CHECK(session.end_turn().value().decision.is_complete);
}

TEST_CASE("context: a conversation of many turns slides by turns", "[stream][context]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamOptions options;
  options.context = ContextPolicy::slide;
  options.max_tokens = 512;
  StreamSession session = guard.open_stream(options).value();
  REQUIRE(session.restore(std::vector<Message>{{Role::system, "Be kind."}}).ok());
  StreamText random(80);
  std::size_t most = 0;
  for (int turn = 0; turn < 30; ++turn) {
    CAPTURE(turn);
    REQUIRE(session.push_prompt(random.next(8)).ok());
    REQUIRE(session.push_text(random.next(20)).ok());
    REQUIRE(session.end_turn().ok());
    most = std::max(most, session.memory_bytes());
  }
  CHECK(session.position() > 512);
  CHECK(most < 40U * 64U * static_cast<std::size_t>(guard.info().kv_bytes_per_token));
  // A prompt has to fit in any case.
  CHECK(session.push_prompt(std::string(4000, 'z')).error().code == ErrorCode::context_full);
  CHECK(session.push_prompt("Short.").ok());
}

TEST_CASE("context: what was decided stays, back to the very beginning of the window", "[stream][context]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamOptions options;
  options.context = ContextPolicy::slide;
  options.max_tokens = kCapacity;
  for (const std::int32_t n_run : {2, 300}) {
    CAPTURE(n_run);
    // Every token is blocked.
    options.policy = test::policy([&](PolicySpec& spec) {
      spec.rules.debounce.consecutive_tokens = n_run;
      test::each_category(spec.rules, [](CategoryRule& rule) { rule.block_threshold = 0.0F; });
    });
    StreamSession session = guard.open_stream(options).value();
    session.push_prompt("Please go on with the text.").throw_if_error();
    const std::int32_t begin = session.position();
    const auto ids = some_ids(guard, 600);
    std::vector<TokenVerdict> out(ids.size());
    REQUIRE(session.push_tokens(ids, out).ok());
    REQUIRE(session.first_verdict() > 0);
    const auto check = [&] {
      const Decision decision = session.decision();
      CHECK(decision.is_complete);
      CHECK(decision.action == Action::block);
      CHECK(decision.ruling.action == Action::block);
      CHECK(decision.ruling.rule == Rule::threshold);
      CHECK(decision.ruling.category.has_value());
      CHECK(decision.ruling.position == begin + n_run - 1);
      CHECK(decision.ruling.byte_begin == 0);
      CHECK(decision.ruling.byte_end == out[static_cast<std::size_t>(n_run) - 1].byte_end);
    };
    check();
    // Nothing of the window is left, but the turn has a past.
    const std::size_t first = session.first_verdict();
    StreamMark mark = session.mark();
    mark.n_units = static_cast<std::int64_t>(first);
    const bool is_decided = first >= static_cast<std::size_t>(n_run);
    session.rewind(mark).throw_if_error();
    CHECK(session.n_verdicts() == first);
    CHECK(session.verdicts().empty());
    CHECK(session.turn_bytes() == out[first - 1].byte_end);
    if (is_decided) check();
    REQUIRE(session.push_tokens(std::span(ids).subspan(first), std::span(out).subspan(first)).ok());
    check();
    CHECK(out[first].byte_begin == out[first - 1].byte_end);
    mark.n_units -= 1;
    CHECK(session.rewind(mark).error().code == ErrorCode::invalid_argument);
  }
}

TEST_CASE("context: rewound, a stopped turn of tokens is what it was", "[stream][context]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = open(guard, ContextPolicy::stop);
  const auto ids = some_ids(guard, 400);
  std::vector<TokenVerdict> out(ids.size());
  const auto room = static_cast<std::size_t>(kRoom - session.position());
  REQUIRE(session.push_tokens(std::span(ids).first(room - 10), out).ok());
  const StreamMark fits = session.mark();
  REQUIRE(session.push_tokens(std::span(ids).subspan(room - 10, 60), std::span(out).subspan(room - 10)).ok());
  const StreamMark stopped = session.mark();
  const Decision decision = session.decision();
  const std::int64_t n_bytes = session.turn_bytes();
  CHECK_FALSE(decision.is_complete);
  CHECK(decision.severity != Severity::safe);
  CHECK(decision.unjudged_begin == out[room - 1].byte_end);
  CHECK(decision.unjudged_end == n_bytes);
  for (std::size_t i = room; i < room + 50; ++i) {
    CAPTURE(i);
    REQUIRE(out[i].severity == Severity::not_judged);
    REQUIRE(out[i].byte_begin == out[i - 1].byte_end);
    REQUIRE(out[i].position == out[0].position + static_cast<std::int32_t>(i));
  }
  CHECK(out[room + 49].byte_end == n_bytes);
  REQUIRE(session.push_tokens(std::span(ids).subspan(room + 50), std::span(out).subspan(room + 50)).ok());
  session.rewind(stopped).throw_if_error();
  CHECK(session.turn_bytes() == n_bytes);
  CHECK(session.decision().unjudged_end == n_bytes);
  CHECK_FALSE(session.decision().is_complete);
  session.rewind(fits).throw_if_error();
  CHECK(session.turn_bytes() == out[room - 11].byte_end);
  CHECK(session.decision().is_complete);
}

TEST_CASE("context: marks that wait for what follows count at the end of the turn", "[stream][context]") {
  const Guard guard = test::load_tiny("stream").value();
  const auto pushed = [&](ContextPolicy context, int n_marks, std::size_t piece_bytes) {
    std::string text = "e";
    // NFC sorts them.
    for (int i = 0; i < n_marks; ++i) text += i % 2 == 0 ? "\xCC\x81" : "\xCC\x96";
    StreamSession session = open(guard, context);
    for (std::size_t pos = 0; pos < text.size(); pos += piece_bytes) {
      if (!session.push_text(std::string_view(text).substr(pos, piece_bytes)).ok()) break;
    }
    return session;
  };
  for (const ContextPolicy context : {ContextPolicy::error, ContextPolicy::stop, ContextPolicy::slide}) {
    StreamSession bytes = pushed(context, 60, 1), whole = pushed(context, 60, 1000);
    REQUIRE(bytes.end_turn().ok());
    REQUIRE(whole.end_turn().ok());
    CHECK(bytes.position() == whole.position());
    CHECK(bytes.decision().is_complete);
    CHECK(bytes.decision().severity == whole.decision().severity);
    // Too many: never a verdict as if they had been judged.
    StreamSession many = pushed(context, 900, 2);
    const auto end = many.end_turn();
    CHECK_FALSE((end.ok() && many.decision().is_complete));
    if (!end.ok()) CHECK(end.error().code == ErrorCode::context_full);
  }
}

TEST_CASE("context: verdicts keep their numbers behind line breaks that the template strips",
          "[stream][context]") {
  GuardOptions small;
  small.max_context_tokens = 160;
  const Guard guard = test::load_tiny("stream", small).value();
  for (const std::string begin : {"", "\n\n"}) {
    for (const std::size_t n_pieces : {std::size_t{1}, std::size_t{80}}) {
      CAPTURE(begin.size(), n_pieces);
      StreamOptions options;
      options.context = ContextPolicy::slide;
      StreamSession session = guard.open_stream(options).value();
      session.push_prompt("Please go on with the text.").throw_if_error();
      StreamText random(83);
      std::string text = begin;
      for (int i = 0; i < 80; ++i) text += " and " + random.next(3);
      test::Record record;
      for (std::size_t i = 0; i < n_pieces; ++i) {
        const std::size_t n = text.size() / n_pieces;
        record.apply(session.push_text(std::string_view(text).substr(i * n, n)).value());
        REQUIRE(session.n_verdicts() == record.verdicts().size());
        REQUIRE(session.first_verdict() + session.verdicts().size() == session.n_verdicts());
      }
      REQUIRE(session.first_verdict() > 200);
      const auto tokens = session.verdicts();
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        const TokenVerdict& said = record.verdicts()[session.first_verdict() + i];
        CAPTURE(i);
        REQUIRE(tokens[i].id == said.id);
        REQUIRE(tokens[i].position == said.position);
        REQUIRE(tokens[i].byte_end == said.byte_end);
      }
      REQUIRE(session.verdicts(session.n_verdicts() - 1).size() == 1);
      if (begin.empty()) continue;
      const TokenVerdict &front = record.verdicts()[0], &next = record.verdicts()[1];
      CHECK(front.byte_end == 2);
      CHECK(front.source == VerdictSource::none);
      CHECK(front.position == next.position - 1);
    }
  }
}
