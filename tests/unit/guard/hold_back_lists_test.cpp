// SPDX-License-Identifier: Apache-2.0
// HoldBack with a policy that denies phrases: over sessions of both kinds of checkpoint, and batches.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "iterations.hpp"
#include "policies.hpp"
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

namespace {

/// Phrases decide; no category of the model's does.
Policy phrases_only() {
  return test::policy([](PolicySpec& spec) {
    spec.lists.deny = {"purple elephant", "zorblax", "x", "once upon a time in a land"};
    spec.lists.allow = {"the zorblax museum"};
    test::each_category(spec.rules, [](CategoryRule& rule) { rule.unsafe = Action::allow; });
  });
}

struct Kind {
  const char* model;
  bool is_batch;
  std::int32_t gen_interval_tokens = 4;
};
constexpr Kind kKinds[] = {{"stream", false}, {"gen", false}, {"stream", true}, {"gen", true}};

/// An answer over one of them, and what the person has of it.
class Answer {
 public:
  Answer(const Kind& kind, std::int32_t buffer_tokens, bool reports_provisional = false)
      : guard_(test::load_tiny(kind.model).value()) {
    StreamOptions stream;
    stream.policy = phrases_only();
    stream.gen_interval_tokens = kind.gen_interval_tokens;
    HoldBackOptions options;
    options.buffer_tokens = buffer_tokens;
    options.reports_provisional = reports_provisional;
    if (kind.is_batch) {
      batch_ = StreamBatch::open(guard_).value();
      const StreamId id = batch_->add(stream).value();
      batch_->push_prompt(id, "Hello").throw_if_error();
      hold_ = HoldBack::over(*batch_, id, options).value();
    } else {
      session_ = guard_.open_stream(stream).value();
      session_->push_prompt("Hello").throw_if_error();
      hold_ = HoldBack::over(*session_, options).value();
    }
  }

  HoldBack& hold() { return *hold_; }
  HoldBackRelease take() {
    while (batch_ && batch_->stats().n_waiting_sessions > 0) batch_->step();
    HoldBackRelease out = hold_->take().value();
    shown += out.text;
    return out;
  }
  /// Puts `text` in pieces, until something is blocked.
  void write(std::string_view text, std::size_t piece_bytes) {
    for (std::size_t i = 0; i < text.size() && hold_->state() == HoldBackState::writing; i += piece_bytes) {
      hold_->put(text.substr(i, piece_bytes)).throw_if_error();
      take();
    }
  }
  HoldBackRelease finish() {
    if (hold_->state() == HoldBackState::writing) hold_->finish().throw_if_error();
    return take();
  }

  std::string shown;

 private:
  Guard guard_;
  std::optional<StreamSession> session_;
  std::optional<StreamBatch> batch_;
  std::optional<HoldBack> hold_;
};

/// test(kind, piece_bytes) for all of them.
template <class Test>
void each_kind(const Test& test) {
  for (const Kind& kind : kKinds) {
    constexpr std::size_t kPieceBytes[] = {3, 1000, 11};
    for (int i = 0; i < q3g_test::iterations(3); ++i) {
      const std::size_t piece_bytes = kPieceBytes[i];
      CAPTURE(kind.model, kind.is_batch, piece_bytes);
      test(kind, piece_bytes);
    }
  }
}

const std::string kBegin =
    "We went there by train in the morning, and what we saw at the gate of the old garden was ";

}  // namespace

TEST_CASE("hold back: a denied phrase across pieces is held back", "[hold_back][lists]") {
  each_kind([](const Kind& kind, std::size_t piece_bytes) {
    for (const std::int32_t buffer : {4, 40}) {
      CAPTURE(buffer);
      Answer answer(kind, buffer);
      answer.write(kBegin + "a purple elephant, and everybody liked it.", piece_bytes);
      const HoldBackRelease out = answer.finish();
      REQUIRE(out.state == HoldBackState::blocked);
      REQUIRE(out.block.has_value());
      CHECK(out.block->decision.ruling.rule == Rule::deny_list);
      CHECK(out.block->decision.ruling.phrase == 0);
      CHECK(out.block->byte_begin == static_cast<std::int64_t>(kBegin.size() + 2));
      CHECK(out.block->shown_bytes == static_cast<std::int64_t>(answer.shown.size()));
      CHECK(out.block->shown_bytes <= out.block->byte_begin);
      REQUIRE(answer.hold().retry().ok());
      answer.write((kBegin + "a gray elephant.").substr(answer.shown.size()), piece_bytes);
      CHECK(answer.finish().state == HoldBackState::ended);
      CHECK(answer.shown == kBegin + "a gray elephant.");
    }
  });
}

TEST_CASE("hold back: a phrase whose beginning was shown is gone back in front of", "[hold_back][lists]") {
  for (Kind kind : kKinds) {
    CAPTURE(kind.model, kind.is_batch);
    kind.gen_interval_tokens = 1;
    Answer answer(kind, 0);
    const std::string rest = "land of theirs there was a garden";
    // The beginning is harmless by itself, and was judged: it leaves.
    answer.write(kBegin + "once upon a time in a l", 1);
    const std::size_t n_shown = answer.shown.size();
    REQUIRE(n_shown > kBegin.size() + 4);
    answer.write(rest.substr(1), 1);
    const HoldBackRelease out = answer.finish();
    REQUIRE(out.state == HoldBackState::blocked);
    CHECK(answer.shown.size() >= n_shown);
    CHECK(answer.shown.size() < kBegin.size() + 26);
    CHECK(out.block->byte_begin == static_cast<std::int64_t>(kBegin.size()));
    CHECK(out.block->shown_bytes > out.block->byte_begin);
    // Behind what was shown, the same is blocked again; in front of the phrase it is not.
    REQUIRE(answer.hold().retry().ok());
    answer.write((kBegin + "once upon a time in a " + rest).substr(answer.shown.size()), 3);
    REQUIRE(answer.finish().state == HoldBackState::blocked);
    REQUIRE(answer.hold().retry(out.block->byte_begin).ok());
    answer.shown.resize(kBegin.size());
    answer.write("in the " + rest, 3);
    CHECK(answer.finish().state == HoldBackState::ended);
    CHECK(answer.shown == kBegin + "in the " + rest);
    const HoldBackStats stats = answer.hold().stats();
    CHECK(stats.n_retries == 2);
    CHECK(stats.retracted_bytes == out.block->shown_bytes - out.block->byte_begin);
  }
}

TEST_CASE("hold back: a phrase that is allowed lifts one in it, and what it held leaves",
          "[hold_back][lists]") {
  each_kind([](const Kind& kind, std::size_t piece_bytes) {
    for (const std::int32_t buffer : {0, 12}) {
      for (const std::string word : {"zorblax museum", "zorblaxes", "purple elephants"}) {
        CAPTURE(buffer, word);
        Answer answer(kind, buffer, true);
        const std::string text = kBegin + "the " + word + " which we liked very much indeed.";
        answer.write(text, piece_bytes);
        CHECK(answer.finish().state == HoldBackState::ended);
        CHECK(answer.shown == text);
      }
    }
    Answer answer(kind, 0, true);
    answer.write(kBegin + "the zorblax muse", piece_bytes);
    const HoldBackRelease out = answer.take();
    CHECK(out.state == HoldBackState::writing);
    REQUIRE(out.block.has_value());
    CHECK_FALSE(out.block->is_settled);
    CHECK(out.block->byte_begin == static_cast<std::int64_t>(kBegin.size() + 4));
    CHECK(answer.shown.size() <= kBegin.size() + 4);
    answer.write(" of", 3);
    const HoldBackRelease settled = answer.finish();
    CHECK(settled.state == HoldBackState::blocked);
    CHECK(settled.block->is_settled);
    CHECK(answer.shown.size() <= kBegin.size() + 4);
  });
}

TEST_CASE("hold back: a batch's retry that fails leaves what waits", "[hold_back][lists]") {
  for (const Kind& kind : {kKinds[2], kKinds[3]}) {
    CAPTURE(kind.model);
    Answer answer(kind, 0, true);
    const std::string begin = kBegin + "the zorblax", rest = " museum which we liked";
    answer.write(begin, 1000);
    REQUIRE(answer.take().block.has_value());
    answer.hold().put(rest).throw_if_error();
    // A place that has not been read yet.
    CHECK_FALSE(answer.hold().retry(static_cast<std::int64_t>(begin.size() + rest.size())).ok());
    CHECK(answer.finish().state == HoldBackState::ended);
    CHECK(answer.shown == begin + rest);
  }
}

TEST_CASE("hold back: no denied phrase leaves whole, whatever the split", "[hold_back][lists]") {
  const std::vector<std::string> words = {"purple", "elephant", "elephants", "zorblax",   "x",  "xy",
                                          "the",    "museum",   "nice",      "caf\u00e9", "\n", "end."};
  const Policy policy = phrases_only();
  int n_blocked = 0, n_ended = 0;
  for (int i = 0; i < q3g_test::iterations(40); ++i) {
    const auto seed = static_cast<std::uint32_t>(57000 + i);
    std::mt19937 random(seed);
    const Kind& kind = kKinds[random() % 4];
    std::string text;
    for (std::size_t n = 1 + random() % 24; n > 0; --n)
      text += words[random() % words.size()] + (random() % 4 == 0 ? ", " : " ");
    CAPTURE(seed, text, kind.model, kind.is_batch);
    Answer answer(kind, static_cast<std::int32_t>(random() % 3 * 3));
    for (std::size_t at = 0; at < text.size() && answer.hold().state() == HoldBackState::writing;) {
      const std::size_t n = 1 + random() % 9;
      answer.hold().put(std::string_view(text).substr(at, n)).throw_if_error();
      at += n;
      if (random() % 2 == 0) answer.take();
    }
    const HoldBackRelease out = answer.finish();
    ClassifyOptions options;
    options.policy = policy;
    const Ruling whole = test::load_tiny("gen").value().classify_response("Hello", text, options)->ruling;
    REQUIRE(text.starts_with(answer.shown));
    if (whole.rule == Rule::deny_list) {
      ++n_blocked;
      REQUIRE(out.state == HoldBackState::blocked);
      REQUIRE(out.block->byte_begin <= whole.byte_begin);
      REQUIRE(static_cast<std::int64_t>(answer.shown.size()) < whole.byte_end);
    } else {
      ++n_ended;
      REQUIRE(out.state == HoldBackState::ended);
      REQUIRE(answer.shown == text);
    }
  }
  if (q3g_test::iterations(8) < 8) return;  // too few to have both
  CHECK(n_blocked > 0);
  CHECK(n_ended > 0);
}

TEST_CASE("lists: the updates of a stream add up to its verdicts", "[lists][stream]") {
  const std::vector<std::string> words = {"purple", "elephant", "s",     "zorblax", "x",
                                          "the",    "museum",   "nice ", " ",       ", "};
  for (int i = 0; i < q3g_test::iterations(40); ++i) {
    const auto seed = static_cast<std::uint32_t>(58000 + i);
    std::mt19937 random(seed);
    const char* name = random() % 2 == 0 ? "stream" : "gen";
    CAPTURE(seed, name);
    StreamOptions options;
    options.policy = phrases_only();
    options.gen_interval_tokens = 4;
    StreamSession session = test::load_tiny(name).value().open_stream(options).value();
    session.push_prompt("Hello").throw_if_error();
    test::Record record;
    std::string text;
    for (int n = 0; n < 40; ++n) {
      if (random() % 8 == 0) {
        text.resize(random() % (text.size() + 1));
        record.rewound(session.rewind_to_byte(static_cast<std::int64_t>(text.size())).value());
      } else {
        const std::string more = words[random() % words.size()] + (random() % 2 == 0 ? " " : "");
        text += more;
        record.apply(session.push_text(more).value());
      }
      const auto verdicts = session.verdicts();
      CAPTURE(text, n);
      REQUIRE(record.verdicts().size() == verdicts.size());
      for (std::size_t at = 0; at < verdicts.size(); ++at) {
        CAPTURE(at);
        REQUIRE(record.verdicts()[at].byte_end == verdicts[at].byte_end);
        REQUIRE(record.verdicts()[at].action == verdicts[at].action);
      }
      const Decision decision = session.decision();
      if (decision.ruling.rule != Rule::deny_list || decision.ruling.is_settled) continue;
      REQUIRE(decision.action == Action::block);
      REQUIRE_FALSE(verdicts.back().is_settled);
    }
  }
}
