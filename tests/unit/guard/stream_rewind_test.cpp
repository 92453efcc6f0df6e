// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <thread>

#include "packed_tiny.hpp"
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::check_close;
using test::StreamText;

namespace {

/// A session and what it was told, to be told again to a fresh one.
struct Told {
  StreamSession session;
  std::string text;
};

/// The last character boundary at or before n: other text may follow there.
std::size_t boundary(const std::string& text, std::size_t n) {
  while (n > 0 && n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) --n;
  return n;
}

void check_as_fresh(const Guard& guard, const Told& told) {
  check_close(told.session.verdicts(), test::judge_whole(guard, {}, "Go on.", told.text));
}

}  // namespace

TEST_CASE("rewind: bytes taken back leave no trace", "[stream][rewind]") {
  constexpr std::uint32_t kSeed = 32001;
  const Guard guard = test::load_tiny("stream").value();
  StreamText random(kSeed);
  for (int n = 0; n < 12; ++n) {
    StreamSession session = guard.open_stream().value();
    session.push_prompt("Go on.").throw_if_error();
    std::string text;
    for (int step = 0; step < 14; ++step) {
      CAPTURE(kSeed, n, step, text);
      if (random.below(5) < 3) {
        const std::string more = random.next(1 + random.below(8));
        session.push_text(more).throw_if_error();
        text += more;
      } else {
        const std::size_t keep = boundary(text, random.below(text.size() + 1));
        session.rewind_to_byte(static_cast<std::int64_t>(keep)).throw_if_error();
        text.resize(keep);
      }
      REQUIRE(session.turn_bytes() == static_cast<std::int64_t>(text.size()));
    }
    check_as_fresh(guard, {std::move(session), text});
  }
}

TEST_CASE("rewind: random marks and forks all end as fresh sessions do", "[stream][rewind]") {
  constexpr std::uint32_t kSeed = 32002;
  const Guard guard = test::load_tiny("stream").value();
  StreamText random(kSeed);
  for (int n = 0; n < 8; ++n) {
    std::vector<Told> all;
    std::vector<std::optional<std::pair<StreamMark, std::size_t>>> marks;
    all.push_back({guard.open_stream().value(), {}});
    marks.emplace_back();
    all[0].session.push_prompt("Go on.").throw_if_error();
    for (int step = 0; step < 40; ++step) {
      const std::size_t i = random.below(all.size());
      Told& told = all[i];
      CAPTURE(kSeed, n, step, i, told.text);
      switch (random.below(5)) {
        case 0:
          if (all.size() < 6) {
            Told copy{told.session.fork().value(), told.text};
            all.push_back(std::move(copy));
            marks.push_back(marks[i]);
          }
          break;
        case 1:
          marks[i] = {told.session.mark(), told.text.size()};
          break;
        case 2:
          if (marks[i] && marks[i]->second <= told.text.size()) {
            told.session.rewind(marks[i]->first).throw_if_error();
            told.text.resize(marks[i]->second);
          }
          break;
        default: {
          const std::string more = random.next(1 + random.below(6));
          told.session.push_text(more).throw_if_error();
          told.text += more;
          if (marks[i] && marks[i]->second > told.text.size()) marks[i].reset();
        }
      }
    }
    for (const Told& told : all) check_as_fresh(guard, told);
  }
}

TEST_CASE("rewind: in a turn of tokens", "[stream][rewind]") {
  const Guard guard = test::load_tiny("stream").value();
  const auto ids =
      guard.tokenizer()->encode("Those people are vermin and should all be burned, I say.").value();
  std::vector<TokenVerdict> expected(ids.size()), out(ids.size());
  StreamSession fresh = guard.open_stream().value(), session = guard.open_stream().value();
  fresh.push_prompt("Go on.").throw_if_error();
  REQUIRE(fresh.push_tokens(ids, expected).ok());
  session.push_prompt("Go on.").throw_if_error();
  const StreamMark begin = session.mark();
  REQUIRE(session.push_tokens(std::span(ids).first(4), out).ok());
  const StreamMark mark = session.mark();
  const std::vector<TokenId> other(20, 99);
  std::vector<TokenVerdict> unused(20);
  REQUIRE(session.push_tokens(other, unused).ok());
  session.rewind(mark).throw_if_error();
  CHECK(session.verdicts().size() == 4);
  REQUIRE(session.push_tokens(std::span(ids).subspan(4), std::span(out).subspan(4)).ok());
  check_close(out, expected);
  CHECK(session.decision().position == fresh.decision().position);
  // To a byte inside the third token: it goes.
  session.rewind_to_byte(expected[2].byte_begin + 1).throw_if_error();
  CHECK(session.verdicts().size() == 2);
  REQUIRE(session.push_tokens(std::span(ids).subspan(2), std::span(out).subspan(2)).ok());
  check_close(out, expected);
  session.rewind(begin).throw_if_error();
  CHECK(session.decision().severity == Severity::not_judged);
  REQUIRE(session.push_tokens(ids, out).ok());
  check_close(out, expected);
}

TEST_CASE("rewind: to a mark in an earlier turn", "[stream][rewind]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = guard.open_stream().value();
  const StreamMark start = session.mark();
  session.push_prompt("Tell me a story.").throw_if_error();
  session.push_text("Once upon a time there was").throw_if_error();
  const StreamMark inside = session.mark();
  session.push_text(" a vile idiot who").throw_if_error();
  session.end_turn().throw_if_error();
  const StreamMark between = session.mark();
  const Decision first = session.decision();
  session.push_prompt("And then?").throw_if_error();
  session.push_text("They all lived happily").throw_if_error();
  const auto second = session.verdicts();

  session.rewind(between).throw_if_error();
  CHECK(session.decision().position == first.position);
  session.push_prompt("And then?").throw_if_error();
  session.push_text("They all lived happily").throw_if_error();
  check_close(session.verdicts(), second);

  session.rewind(inside).throw_if_error();
  session.push_text(" a king.").throw_if_error();
  check_close(session.verdicts(),
              test::judge_whole(guard, {}, "Tell me a story.", "Once upon a time there was a king."));
  CHECK(session.rewind(between).ok() == false);  // that turn is open and shorter now

  session.rewind(start).throw_if_error();
  CHECK(session.position() == 0);
  session.push_prompt("Go on.").throw_if_error();
  session.push_text("Hello").throw_if_error();
  check_close(session.verdicts(), test::judge_whole(guard, {}, "Go on.", "Hello"));
  const Status gone = [&] {
    const auto result = session.rewind(inside);
    return result.ok() ? Status() : Status(result.error());
  }();
  CHECK(gone.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("fork: memory is shared until it differs", "[stream][rewind]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = guard.open_stream().value();
  session.push_prompt("Go on.").throw_if_error();
  std::string text;
  for (int i = 0; i < 60; ++i) text += " The quick brown fox jumps.";
  session.push_text(text).throw_if_error();
  // However many forks are made and dropped or kept, a session's own pages stay at least half full.
  std::vector<StreamSession> forks;
  for (int i = 0; i < 200; ++i) {
    forks.push_back(session.fork().value());
    session.push_text(" x").throw_if_error();
    text += " x";
  }
  StreamSession fresh = guard.open_stream().value();
  fresh.push_prompt("Go on.").throw_if_error();
  fresh.push_text(text).throw_if_error();
  check_close(session.verdicts(), fresh.verdicts());
  const auto pages = [&](const StreamSession& s) {
    return static_cast<double>(s.memory_bytes()) / static_cast<double>(64 * guard.info().kv_bytes_per_token);
  };
  CHECK(pages(session) < 2.2 * pages(fresh) + 2);
}

TEST_CASE("fork: parent and forks go on from different threads", "[stream][rewind]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession parent = guard.open_stream().value();
  parent.push_prompt("Go on.").throw_if_error();
  const std::string past = "It was a dark and stormy night, and";
  parent.push_text(past).throw_if_error();
  std::vector<StreamSession> all;
  for (int i = 0; i < 4; ++i) all.push_back(parent.fork().value());
  all.push_back(std::move(parent));
  std::vector<std::string> texts(all.size(), past);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < all.size(); ++i) {
    threads.emplace_back([&, i] {
      StreamText random(static_cast<std::uint32_t>(i));
      for (int n = 0; n < 20; ++n) {
        const std::string more = random.next(2);
        all[i].push_text(more).throw_if_error();
        texts[i] += more;
        if (n % 7 == 6) {
          texts[i].resize(boundary(texts[i], past.size() + 3));
          all[i].rewind_to_byte(static_cast<std::int64_t>(texts[i].size())).throw_if_error();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < all.size(); ++i)
    check_close(all[i].verdicts(), test::judge_whole(guard, {}, "Go on.", texts[i]));
}

TEST_CASE("rewind: with packed weights and a cache in bfloat16", "[stream][rewind]") {
  constexpr std::uint32_t kSeed = 32003;
  // Another cut of the same text rounds attention's weights to bfloat16 at other places. That is less than
  // what bfloat16 does to a logit at all: an RMS of 0.0033 of their spread (docs/numerics.md), some 5 here. A
  // softmax's slope is at most 1/4 per logit, two of which move; of some thousand tokens the worst is within
  // four such deviations.
  constexpr float kPackedMargin = 4 * 2 * 0.25F * 0.0033F * 5;
  const test::PackedTiny packed("stream", PackedWeights::int8);
  const Guard guard = packed.load();
  StreamText random(kSeed);
  StreamOptions options;
  options.context = ContextPolicy::slide;
  options.max_tokens = 256;
  for (int n = 0; n < 6; ++n) {
    // Straight, in one piece; and in pieces, with noise that is taken back and forks that go their own way.
    StreamSession straight = guard.open_stream(options).value(), session = guard.open_stream(options).value();
    straight.push_prompt("Go on.").throw_if_error();
    session.push_prompt("Go on.").throw_if_error();
    std::string text;
    for (int step = 0; step < 40; ++step) {
      CAPTURE(kSeed, n, step, text);
      StreamSession fork = session.fork().value();
      const StreamMark mark = session.mark();
      if (session.verdicts().size() < 100) {
        session.push_text(random.next(3)).throw_if_error();
        session.rewind(mark).throw_if_error();
      }
      const std::string more = random.next(1 + random.below(4));
      session.push_text(more).throw_if_error();
      fork.push_text("something else").throw_if_error();
      text += more;
    }
    straight.push_text(text).throw_if_error();
    const auto a = session.verdicts(), b = straight.verdicts();
    CHECK(session.first_verdict() == straight.first_verdict());
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      CAPTURE(kSeed, n, i);
      REQUIRE(a[i].id == b[i].id);
      REQUIRE(a[i].position == b[i].position);
      REQUIRE(std::abs(a[i].probabilities.safe - b[i].probabilities.safe) < kPackedMargin);
    }
  }
}
