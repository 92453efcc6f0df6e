// SPDX-License-Identifier: Apache-2.0
// One conversation has one verdict, whichever way it comes in: classify(), classify_batch(), a session that
// is given the transcript, one that lives through it.
#include <string>
#include <vector>

#include "iterations.hpp"
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::kMargin;

namespace {

const std::string kGood = "Serve it warm with a little butter.";
const std::string kBad = "You vile idiot, somebody should burn their houses down.";

/// What a message can say; `i` chooses.
std::string content(std::size_t i, Role role) {
  static const std::string kTexts[] = {kGood,          kBad,           "\n\n" + kGood,         kGood + "\n",
                                       "  \n " + kBad, "\r\n" + kGood, "caf\xC3\xA9 \xCC\x81", "x"};
  static const std::string kAnswers[] = {"<think>\nHm.\n</think>\n\n" + kGood,
                                         "<think>" + kBad + "</think>" + kGood,
                                         "<think>" + kBad,
                                         "Hm.</think>" + kBad,
                                         "Sure. <think>Hm.</think>" + kGood,
                                         "<think>Hm.</think>" + kBad + "<think>Well.</think>" + kGood,
                                         "<think>\n\n</think>\n\n" + kBad};
  constexpr std::size_t kAll = std::size(kTexts) + std::size(kAnswers);
  if (role == Role::assistant && i % kAll >= std::size(kTexts)) return kAnswers[i % kAll - std::size(kTexts)];
  if (role == Role::user && i % 9 == 8) return "<tool_response>\n" + kGood + "\n</tool_response>";
  return kTexts[i % std::size(kTexts)];
}

/// A conversation whose answers have somebody who asked.
std::vector<Message> conversation(test::StreamText& random) {
  std::vector<Message> out;
  if (random.below(4) == 0) out.push_back({Role::system, content(random.below(8), Role::system)});
  out.push_back({Role::user, content(random.below(8), Role::user)});
  const std::size_t n = random.below(6);
  for (std::size_t i = 0; i < n; ++i) {
    static constexpr Role kRoles[] = {Role::assistant, Role::assistant, Role::assistant, Role::user,
                                      Role::user,      Role::system,    Role::tool};
    const Role role = kRoles[random.below(std::size(kRoles))];
    out.push_back({role, content(random.below(45), role)});
  }
  if (out.back().role != Role::user && out.back().role != Role::assistant)
    out.push_back({Role::assistant, content(random.below(15), Role::assistant)});
  return out;
}

bool is_close(const SeverityProbabilities& a, const SeverityProbabilities& b) {
  return std::abs(a.safe - b.safe) <= kMargin && std::abs(a.unsafe - b.unsafe) <= kMargin;
}

/// The conversation turn by turn, its last message's verdict.
TurnVerdict live(StreamSession& session, const std::vector<Message>& messages, std::size_t piece_bytes) {
  TurnVerdict turn;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == Role::tool) {
      std::size_t n = 1;
      while (messages[i + n].role == Role::tool) ++n;
      session.restore(std::span(messages).subspan(i, n)).throw_if_error();
      i += n - 1;
      continue;
    }
    session.begin_turn(messages[i].role).throw_if_error();
    const std::string& text = messages[i].content;
    for (std::size_t at = 0; at < text.size(); at += piece_bytes)
      session.push_text(std::string_view(text).substr(at, piece_bytes)).throw_if_error();
    turn = session.end_turn().value();
  }
  return turn;
}

/// The transcript up to the last message, and that one as a turn.
TurnVerdict given(StreamSession& session, const std::vector<Message>& messages) {
  session.restore(std::span(messages).first(messages.size() - 1)).throw_if_error();
  return live(session, {messages.back()}, std::string::npos);
}

/// Whether the template leaves an answer as it is, so that it is judged in one form alone.
bool is_canonical(const std::string& text) {
  if (text.find("<think>") == std::string::npos && text.find("</think>") == std::string::npos) return true;
  return text.starts_with("<think>\nHm.\n</think>\n\n") || text.starts_with("<think>\n\n</think>\n\n");
}

}  // namespace

TEST_CASE("one conversation: one verdict, whichever way it comes in", "[stream][conversation]") {
  constexpr std::uint32_t kSeed = 61001;
  const Guard guard = test::load_tiny("stream").value();
  test::StreamText random(kSeed);
  std::vector<std::vector<Message>> all;
  for (std::size_t n = q3g_test::iterations(400); n > 0; --n) all.push_back(conversation(random));
  const auto batch = guard.classify_batch(all);
  std::size_t n_answers = 0, n_unsafe = 0;
  for (std::size_t n = 0; n < all.size(); ++n) {
    const std::vector<Message>& messages = all[n];
    std::string story;
    for (const Message& message : messages)
      story += std::string(to_string(message.role)) + " [" + message.content + "]; ";
    CAPTURE(kSeed, n, story);
    const Verdict verdict = guard.classify(messages).value();
    REQUIRE(batch[n].ok());
    REQUIRE(batch[n]->severity == verdict.severity);
    REQUIRE(batch[n]->position == verdict.position);
    REQUIRE(is_close(batch[n]->probabilities, verdict.probabilities));
    StreamSession lived = guard.open_stream().value(), told = guard.open_stream().value();
    const std::size_t piece = 1 + random.below(9);
    for (const TurnVerdict& turn : {live(lived, messages, piece), given(told, messages)}) {
      if (messages.back().role == Role::user) {
        REQUIRE(turn.prompt.has_value());
        REQUIRE(turn.prompt->severity == verdict.severity);
        REQUIRE(turn.prompt->position == verdict.position);
        REQUIRE(is_close(turn.prompt->probabilities, verdict.probabilities));
        continue;
      }
      REQUIRE(turn.decision.is_complete);
      // As it was written, an answer can have been found worse than in the template's form of it.
      REQUIRE(turn.decision.severity >= verdict.severity);
      if (!is_canonical(messages.back().content)) continue;
      REQUIRE(turn.decision.severity == verdict.severity);
      if (!turn.decision.token) continue;
      REQUIRE(turn.decision.position == verdict.position);
      REQUIRE(is_close(turn.decision.token->probabilities, verdict.probabilities));
    }
    n_answers += messages.back().role == Role::assistant ? 1 : 0;
    n_unsafe += verdict.severity == Severity::unsafe ? 1 : 0;
  }
  CHECK(n_answers > all.size() / 4);
  CHECK(n_unsafe > all.size() / 10);
}

TEST_CASE("one conversation: all of an answer is judged, also what the template leaves out",
          "[stream][conversation]") {
  const Guard guard = test::load_tiny("stream").value();
  for (const std::string& text :
       {kBad + "<think>Hm.</think>" + kGood, "<think>Hm.</think>" + kBad + "<think>Hm.</think>" + kGood,
        kBad + "</think>" + kGood, "<think>" + kBad + "</think>" + kGood, "\n\n" + kBad, kBad + "\n\n"}) {
    CAPTURE(text);
    CHECK(guard.classify_response("Go on.", text).value().severity == Severity::unsafe);
    StreamSession session = guard.open_stream().value();
    session.push_prompt("Go on.").throw_if_error();
    session.push_text(text).throw_if_error();
    CHECK(session.end_turn().value().decision.severity == Severity::unsafe);
  }
}

TEST_CASE("one conversation: a response needs somebody who asked", "[stream][conversation]") {
  const Guard guard = test::load_tiny("stream").value();
  using Messages = std::vector<Message>;
  for (const Messages& bad : {Messages{}, Messages{{Role::system, "s"}}, Messages{{Role::assistant, "b"}},
                              Messages{{Role::system, "s"}, {Role::assistant, "b"}},
                              Messages{{Role::user, "a"}, {Role::assistant, ""}},
                              Messages{{Role::user, "a"}, {Role::assistant, "\n\n"}}}) {
    const auto verdict = guard.classify(bad);
    REQUIRE_FALSE(verdict.ok());
    CHECK(verdict.error().code == ErrorCode::invalid_argument);
  }
  CHECK(guard.classify(Messages{{Role::user, "a"}, {Role::system, "s"}, {Role::assistant, "b"}}).ok());
}

TEST_CASE("one conversation: line breaks that the template strips have bytes and no verdict",
          "[stream][conversation]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = guard.open_stream().value();
  session.push_prompt("Go on.").throw_if_error();
  session.push_text("\n").throw_if_error();
  CHECK(session.decision().severity == Severity::not_judged);
  session.push_text("\nWell then.").throw_if_error();
  const auto tokens = session.verdicts();
  REQUIRE(tokens.size() > 2);
  CHECK(tokens[0].source == VerdictSource::none);
  CHECK(tokens[0].severity == Severity::not_judged);
  CHECK_FALSE(tokens[0].counts);
  CHECK(tokens[0].byte_begin == 0);
  CHECK(tokens[0].byte_end == 2);
  CHECK(tokens[1].byte_begin == 2);
  CHECK(tokens[1].source == VerdictSource::heads);
  CHECK(session.decision().is_complete);
  // As without them.
  StreamSession other = guard.open_stream().value();
  other.push_prompt("Go on.").throw_if_error();
  other.push_text("Well then.").throw_if_error();
  CHECK(other.position() == session.position());
  CHECK(other.verdicts()[0].probabilities.safe == Approx(tokens[1].probabilities.safe).margin(kMargin));
  // A turn of nothing else says nothing.
  StreamSession empty = guard.open_stream().value();
  empty.push_prompt("Go on.").throw_if_error();
  empty.push_text("\n\n").throw_if_error();
  const Decision decision = empty.end_turn().value().decision;
  CHECK_FALSE(decision.is_complete);
  CHECK(decision.severity != Severity::safe);
  CHECK(decision.unjudged_end == 2);
}
