// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "guarded_chat.hpp"
#include "model_host.hpp"
#include "q3g_catch.hpp"
#include "scripted_host.hpp"

using namespace qwen3guard;
using chat::GuardedChat;
using chat::Outcome;
using chat::ScriptedHost;

namespace {

constexpr const char* kPrompt = "What do you think of my cooking?";
const std::string kClean =
    "It smells lovely, and the table looks great too. Serve it warm with a little butter.";
const std::string kInsult =
    "Only an ugly idiot like you would eat it, nobody likes you, somebody should burn you.";

struct Run {
  Outcome outcome;
  std::string seen;
};

Run say(GuardedChat& chat, const std::string& prompt = kPrompt) {
  Run run;
  run.outcome = chat.say(prompt, [&](std::string_view text, const TokenVerdict&) { run.seen += text; });
  return run;
}

Guard nano() { return Guard::load_embedded("nano-stream").value(); }

}  // namespace

TEST_CASE("chat: what is not flagged is shown as it was written", "[chat]") {
  const Guard guard = nano();
  for (const std::size_t buffer : {std::size_t{0}, std::size_t{1}, std::size_t{40}, std::size_t{10000}}) {
    CAPTURE(buffer);
    ScriptedHost host({{kClean}});
    chat::Settings settings;
    settings.buffer_tokens = buffer;
    GuardedChat chat(guard, host, settings);
    const Run run = say(chat);
    CHECK(run.seen == kClean);
    CHECK(run.outcome.shown == kClean);
    CHECK(run.outcome.n_retries == 0);
    CHECK(run.outcome.n_discarded_tokens == 0);
    CHECK_FALSE(run.outcome.gave_up);
    CHECK(run.outcome.n_wait_tokens >= std::min<std::size_t>(buffer, 20));
  }
}

TEST_CASE("chat: nothing of a flagged passage is seen, and the next try goes on", "[chat]") {
  const Guard guard = nano();
  ScriptedHost host({{kClean + " " + kInsult, kClean + " Enjoy your meal, and tell me how it was."}});
  GuardedChat chat(guard, host, {});
  const Run run = say(chat);
  CHECK(run.outcome.n_retries == 1);
  CHECK(run.outcome.n_discarded_tokens > 0);
  CHECK_FALSE(run.outcome.gave_up);
  CHECK(run.seen.find("idiot") == std::string::npos);
  CHECK(run.seen.substr(0, kClean.size()) == kClean);
  CHECK(run.seen.find("tell me how it was.") != std::string::npos);
  CHECK(run.outcome.shown == run.seen);
  // The session has seen what the user has, and nothing else.
  StreamSession fresh = guard.open_stream().value();
  fresh.push_prompt(kPrompt).throw_if_error();
  fresh.push_text(run.seen).throw_if_error();
  fresh.end_turn().throw_if_error();
  const auto expected = fresh.verdicts(), tokens = chat.session().verdicts();
  REQUIRE(tokens.size() == expected.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    REQUIRE(tokens[i].id == expected[i].id);
    REQUIRE(tokens[i].probabilities.safe == Approx(expected[i].probabilities.safe).margin(1e-4));
  }
  CHECK(fresh.position() == chat.session().position());
}

TEST_CASE("chat: after the last retry the rest is withheld", "[chat]") {
  const Guard guard = nano();
  ScriptedHost host({{kClean + " " + kInsult}, {"Fine."}});
  chat::Settings settings;
  settings.max_retries = 3;
  GuardedChat chat(guard, host, settings);
  const Run run = say(chat);
  CHECK(run.outcome.gave_up);
  CHECK(run.outcome.n_retries == 3);
  CHECK(run.seen == run.outcome.shown + std::string(GuardedChat::kGaveUp));
  CHECK(run.seen.find("idiot") == std::string::npos);
  // The conversation goes on.
  CHECK(say(chat, "Thank you.").seen == "Fine.");
  CHECK(chat.messages().size() == 4);
}

TEST_CASE("chat: a prompt that does not pass never reaches the host", "[chat]") {
  const Guard guard = nano();
  ScriptedHost host({{"Hello."}});
  GuardedChat chat(guard, host, {});
  const Run run = say(chat, "You are a worthless idiot and I will burn your house down, kill yourself.");
  REQUIRE(run.outcome.prompt.flagged);
  CHECK(run.outcome.prompt_was_refused);
  CHECK(run.seen == GuardedChat::kRefusal);
  CHECK(chat.messages().empty());
  CHECK(chat.session().position() == 0);
  CHECK(say(chat).seen == "Hello.");
}

TEST_CASE("chat: without a buffer what was shown stays", "[chat]") {
  const Guard guard = nano();
  ScriptedHost host({{kInsult + " " + kInsult, "unused", kClean}});
  chat::Settings settings;
  settings.buffer_tokens = 0;
  GuardedChat chat(guard, host, settings);
  const Run run = say(chat);
  CHECK(run.outcome.n_retries > 0);
  CHECK(run.seen.substr(0, run.outcome.shown.size()) == run.outcome.shown);
}

TEST_CASE("chat: a model as host writes the same for the same seed", "[chat]") {
  const Guard guard = nano(), model = Guard::load_embedded("nano-gen").value();
  const auto run = [&](std::uint64_t seed) {
    SamplingOptions sampling;
    sampling.temperature = 1.0F;
    sampling.seed = seed;
    chat::ModelHost host(model, sampling, 60);
    GuardedChat chat(guard, host, {});
    say(chat, "Hello");
    return say(chat, "And then?").seen;
  };
  CHECK(run(3) == run(3));
}

TEST_CASE("chat: scripts", "[chat]") {
  const auto answers = ScriptedHost::parse("one\nmore\nor\ntwo\n---\nthree\n").value();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0] == ScriptedHost::Answer{"one\nmore", "two"});
  CHECK(answers[1] == ScriptedHost::Answer{"three"});
  CHECK_FALSE(ScriptedHost::parse("").ok());
  CHECK_FALSE(ScriptedHost::parse("---\n---\n").ok());
}
