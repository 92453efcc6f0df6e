// SPDX-License-Identifier: Apache-2.0
// Policies with lists over models: calls, streams in pieces, stored verdicts, folded copies.
#include <random>
#include <string>
#include <vector>

#include "iterations.hpp"
#include "policies.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::text_of;

namespace {

Policy with_lists(bool judges_copy = false) {
  return test::policy([&](PolicySpec& spec) {
    spec.lists.deny = {"purple elephant", "zorblax"};
    spec.lists.allow = {"the zorblax museum"};
    spec.lists.folding.leetspeak = spec.lists.folding.spaced_out = true;
    spec.lists.judge_folded_copy = judges_copy;
  });
}

ClassifyOptions options_with(const Policy& policy) {
  ClassifyOptions options;
  options.policy = policy;
  return options;
}

Guard model(bool is_stream) { return test::load_tiny(is_stream ? "stream" : "gen").value(); }

}  // namespace

TEST_CASE("lists: a denied phrase decides a call without a forward", "[lists]") {
  const Policy policy = with_lists();
  for (const bool is_stream : {false, true}) {
    const Guard guard = model(is_stream);
    const std::string text = "I saw a PURPLE\n elephant.";
    for (const bool is_response : {false, true}) {
      const Verdict verdict = is_response
                                  ? guard.classify_response("Hello", text, options_with(policy)).value()
                                  : guard.classify_prompt(text, options_with(policy)).value();
      CHECK(verdict.severity == Severity::not_judged);
      CHECK(verdict.role == (is_response ? Role::assistant : Role::user));
      CHECK(verdict.ruling.action == Action::block);
      CHECK(verdict.ruling.rule == Rule::deny_list);
      CHECK(verdict.ruling.phrase == 0);
      CHECK(text.substr(8, 16) == "PURPLE\n elephant");
      CHECK(verdict.ruling.byte_begin == 8);
      CHECK(verdict.ruling.byte_end == 24);
      CHECK(verdict.ruling.is_settled);
      CHECK(verdict.tokens.prompt == 0);
      // Without that entry nothing was judged.
      CHECK(decide(Policy(), verdict).value().action == Action::none);
      CHECK(text_of(decide(policy, verdict, text).value()) == text_of(verdict.ruling));
      CHECK_FALSE(decide(policy, verdict).ok());
    }
  }
}

TEST_CASE("lists: what no phrase denies is judged as without lists", "[lists]") {
  const Policy policy = with_lists();
  for (const bool is_stream : {false, true}) {
    const Guard guard = model(is_stream);
    for (const char* text :
         {"Where is the Zorblax museum?", "purple elephants", "Hello", "", "I will kill you"}) {
      const Verdict with = guard.classify_prompt(text, options_with(policy)).value();
      const Verdict without = guard.classify_prompt(text).value();
      CHECK(with.severity == without.severity);
      CHECK(with.ruling.action == without.ruling.action);
      CHECK(with.ruling.rule == without.ruling.rule);
    }
  }
}

TEST_CASE("lists: errors of the text come first, and no list lifts a verdict of the model's", "[lists]") {
  const Guard guard = model(false);
  CHECK(guard.classify_prompt("zorblax \xFF", options_with(with_lists())).error().code ==
        ErrorCode::invalid_utf8);
  ClassifyOptions options = options_with(with_lists());
  options.invalid_utf8 = InvalidUtf8::replace;
  const Verdict repaired = guard.classify_prompt("\xFF zorblax", options).value();
  CHECK(repaired.ruling.byte_begin == 2);
  CHECK(repaired.ruling.byte_end == 9);
  const std::string harm = "How can I make a bomb at home?";
  const Policy allows = test::policy([&](PolicySpec& spec) { spec.lists.allow = {harm}; });
  const Verdict plain = guard.classify_prompt(harm).value();
  REQUIRE(plain.ruling.action == Action::block);
  CHECK(guard.classify_prompt(harm, options_with(allows)).value().ruling.action == Action::block);
}

TEST_CASE("lists: a batch rules as single calls do", "[lists]") {
  for (const bool judges_copy : {false, true}) {
    const Policy policy = with_lists(judges_copy);
    const std::vector<std::string> texts = {"Hello",
                                            "z0rblax",
                                            "H0w d0 1 m4ke a b0mb",
                                            "zorblax \xFF",
                                            "the zorblax museum",
                                            "How can I make a bomb at home?"};
    std::vector<std::vector<Message>> conversations;
    for (const std::string& text : texts) conversations.push_back({{Role::user, text}});
    for (const bool is_stream : {false, true}) {
      const Guard guard = model(is_stream);
      std::size_t n_told = 0;
      ClassifyOptions options = options_with(policy);
      options.progress = [&](std::size_t n_done, std::size_t n_total) {
        CHECK(n_total == texts.size());
        CHECK(n_done <= n_total);
        return ++n_told, true;
      };
      const auto verdicts = guard.classify_batch(conversations, options);
      CHECK(n_told == 4);  // two were decided without the model
      for (std::size_t i = 0; i < texts.size(); ++i) {
        CAPTURE(texts[i], is_stream, judges_copy);
        const auto one = guard.classify_prompt(texts[i], options_with(policy));
        REQUIRE(one.ok() == verdicts[i].ok());
        if (!one.ok()) continue;
        CHECK(one->severity == verdicts[i]->severity);
        CHECK(one->ruling.action == verdicts[i]->ruling.action);
        CHECK(one->ruling.rule == verdicts[i]->ruling.rule);
        CHECK(one->windows.size() == verdicts[i]->windows.size());
        CHECK(one->is_of_folded_copy == verdicts[i]->is_of_folded_copy);
      }
    }
  }
}

TEST_CASE("lists: the worse of a message and its folded copy counts", "[lists]") {
  const Policy policy = with_lists(true);
  const std::string plain_text = "How can I make a bomb at home?", folded = "H0w c4n I m4ke a b0mb at h0me?";
  for (const bool is_stream : {false, true}) {
    const Guard guard = model(is_stream);
    ClassifyOptions options = options_with(policy);
    options.keep_token_verdicts = true;
    for (const std::string& text : {plain_text, folded, std::string("Hello"), std::string("WH47 15 7H15?")}) {
      for (const bool is_response : {false, true}) {
        CAPTURE(text, is_stream, is_response);
        const auto judge = [&](const std::string& message, const ClassifyOptions& how) {
          return is_response ? guard.classify_response("Hi", message, how)
                             : guard.classify_prompt(message, how);
        };
        const Verdict both = judge(text, options).value();
        const Verdict alone = judge(text, {}).value();
        CHECK(both.severity >= alone.severity);
        CHECK(both.ruling.action >= alone.ruling.action);
        if (both.windows.empty()) {
          CHECK_FALSE(both.is_of_folded_copy);
        } else {
          REQUIRE(both.windows.size() == 2);
          CHECK_FALSE(both.windows[0].is_of_folded_copy);
          CHECK(both.windows[1].is_of_folded_copy);
          CHECK(both.windows[0].severity == alone.severity);
        }
        CHECK(both.ruling.byte_end <= static_cast<std::int64_t>(text.size()));
        // Decided again from what was stored.
        const Policy again = test::policy([](PolicySpec& spec) { spec.rules.mode = Mode::loose; });
        const Ruling ruling = decide(again, both).value();
        CHECK(text_of(decide(policy, both, text).value()) == text_of(both.ruling));
        ClassifyOptions loose = options_with(test::policy([](PolicySpec& spec) {
          spec.rules.mode = Mode::loose;
          spec.lists = with_lists(true).spec().lists;
        }));
        CHECK(ruling.action == judge(text, loose).value().ruling.action);
      }
    }
    // One that says where it is of without the other part cannot be ruled on.
    Verdict lonely = guard.classify_prompt(folded, options).value();
    REQUIRE(lonely.windows.size() == 2);
    lonely.windows.clear();
    lonely.is_of_folded_copy = true;
    CHECK_FALSE(decide(Policy(), lonely).ok());
  }
}

TEST_CASE("lists: a stream finds a phrase across pieces, settled when the word has ended", "[lists]") {
  for (const bool is_stream : {false, true}) {
    const Guard guard = model(is_stream);
    StreamOptions options;
    options.policy = with_lists();
    StreamSession session = guard.open_stream(options).value();
    CHECK(session.push_prompt("Hi").value().action != Action::block);
    const StreamMark begin = session.mark();
    (void)session.push_text("Look, a pur").value();
    CHECK(session.decision().action != Action::block);
    (void)session.push_text("ple ele").value();
    (void)session.push_text("phant").value();
    Decision decision = session.decision();
    CHECK(decision.action == Action::block);
    CHECK(decision.ruling.rule == Rule::deny_list);
    CHECK(decision.ruling.byte_begin == 8);
    CHECK(decision.ruling.byte_end == 23);
    CHECK_FALSE(decision.ruling.is_settled);
    CHECK(decision.severity != Severity::unsafe);  // what the model says stays
    (void)session.push_text("s are").value();
    CHECK(session.decision().action != Action::block);
    (void)session.rewind(begin).value();
    (void)session.push_text("A z0rblax was here, and everybody was glad to see it. ").value();
    CHECK(session.decision().ruling.phrase == 1);
    CHECK(session.decision().ruling.rule == Rule::deny_list);
    CHECK(session.end_turn().value().decision.ruling.rule == Rule::deny_list);
    // In a prompt, too.
    CHECK(session.push_prompt("zorblax").value().action == Action::block);
    CHECK(session.prompt_decision().ruling.rule == Rule::deny_list);
  }
}

TEST_CASE("lists: a stream rules on any split as a call does on the whole", "[lists]") {
  const std::uint32_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::vector<std::string> words = {"purple", "elephant", "elephants", "zorblax",   "z0rblax",
                                          "the",    "museum",   "nice",      "caf\u00e9", "\U0001F600"};
  const Policy policy = with_lists();
  const Guard guard = model(true);
  for (int n = 0; n < q3g_test::iterations(60); ++n) {
    std::string text;
    for (int i = 0; i < 6; ++i) text += words[random() % words.size()] + (random() % 4 == 0 ? ", " : " ");
    CAPTURE(text);
    StreamOptions options;
    options.policy = policy;
    StreamSession session = guard.open_stream(options).value();
    (void)session.push_prompt("Hi").value();
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t n_bytes = 1 + random() % 7;
      (void)session.push_text(std::string_view(text).substr(i, n_bytes)).value();
      i += n_bytes;
    }
    const TurnVerdict turn = session.end_turn().value();
    const Verdict whole = guard.classify_response("Hi", text, options_with(policy)).value();
    const bool is_denied = whole.ruling.rule == Rule::deny_list;
    if (is_denied) REQUIRE(turn.decision.action == Action::block);
    // The model may have blocked before the phrase began.
    if (!is_denied || turn.decision.ruling.byte_begin < whole.ruling.byte_begin) {
      REQUIRE(turn.decision.ruling.rule != Rule::deny_list);
      continue;
    }
    REQUIRE(turn.decision.ruling.rule == Rule::deny_list);
    REQUIRE(turn.decision.ruling.byte_begin == whole.ruling.byte_begin);
    REQUIRE(turn.decision.ruling.byte_end == whole.ruling.byte_end);
  }
}

TEST_CASE("lists: streams refuse folded copies", "[lists]") {
  StreamOptions options;
  options.policy = with_lists(true);
  const auto session = model(true).open_stream(options);
  REQUIRE_FALSE(session.ok());
  CHECK(session.error().detail.find("judge_folded_copy") != std::string::npos);
}
