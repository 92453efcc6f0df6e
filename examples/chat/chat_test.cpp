// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "guarded_chat.hpp"
#include "model_host.hpp"
#include "q3g_catch.hpp"
#include "scripted_host.hpp"
#include "tiny_models.hpp"

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

constexpr const char* kThreat = "You are a worthless idiot and I will burn your house down, kill yourself.";

struct Run {
  Outcome outcome;
  std::string seen;
  int n_taken_back = 0;
};

Run say(GuardedChat& chat, const std::string& prompt = kPrompt) {
  Run run;
  run.outcome = chat.say(prompt, {[&](std::string_view text, const TokenVerdict&) { run.seen += text; },
                                  [&](std::string_view kept) {
                                    REQUIRE(run.seen.size() > kept.size());
                                    REQUIRE(run.seen.starts_with(kept));
                                    run.seen = kept;
                                    ++run.n_taken_back;
                                  }});
  return run;
}

Guard tiny_stream() { return test::load_tiny("stream").value(); }

/// The default policy, but that so many tokens in a row decide.
Policy with_run_of(std::int32_t n_tokens) {
  PolicySpec spec;
  spec.rules.debounce.consecutive_tokens = n_tokens;
  return Policy::make(spec).value();
}

}  // namespace

TEST_CASE("chat: what is not flagged is shown as it was written", "[chat]") {
  const Guard guard = tiny_stream();
  for (const std::int32_t buffer : {0, 1, 40, 10000}) {
    CAPTURE(buffer);
    ScriptedHost host({{kClean}});
    chat::Settings settings;
    settings.buffer_tokens = buffer;
    GuardedChat chat(guard, host, settings);
    const Run run = say(chat);
    CHECK(run.seen == kClean);
    CHECK(run.outcome.shown == kClean);
    CHECK(run.outcome.stats.n_retries == 0);
    CHECK(run.outcome.n_discarded_tokens == 0);
    CHECK_FALSE(run.outcome.gave_up);
    CHECK(run.outcome.n_wait_tokens >= static_cast<std::size_t>(std::min(buffer, 20)));
  }
}

TEST_CASE("chat: nothing of a flagged passage is seen, and the next try goes on", "[chat]") {
  const Guard guard = tiny_stream();
  ScriptedHost host({{kClean + " " + kInsult, kClean + " Enjoy your meal, and tell me how it was."}});
  GuardedChat chat(guard, host, {});
  const Run run = say(chat);
  CHECK(run.outcome.stats.n_retries == 1);
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
  const Guard guard = tiny_stream();
  ScriptedHost host({{kClean + " " + kInsult}, {"Fine."}});
  chat::Settings settings;
  settings.max_retries = 3;
  GuardedChat chat(guard, host, settings);
  const Run run = say(chat);
  CHECK(run.outcome.gave_up);
  CHECK(run.outcome.stats.n_retries == 3);
  CHECK(run.seen == run.outcome.shown + std::string(GuardedChat::kGaveUp));
  CHECK(run.seen.find("idiot") == std::string::npos);
  // The conversation goes on.
  CHECK(say(chat, "Thank you.").seen == "Fine.");
  CHECK(chat.messages().size() == 4);
}

TEST_CASE("chat: a prompt that does not pass never reaches the host", "[chat]") {
  const Guard guard = tiny_stream();
  ScriptedHost host({{"Hello."}});
  GuardedChat chat(guard, host, {});
  const Run run = say(chat, kThreat);
  REQUIRE(run.outcome.prompt.action == Action::block);
  CHECK(run.outcome.prompt_was_refused);
  CHECK(run.seen == GuardedChat::kRefusal);
  CHECK(chat.messages().empty());
  CHECK(chat.session().position() == 0);
  CHECK(say(chat).seen == "Hello.");
}

TEST_CASE("chat: without a buffer what was shown stays", "[chat]") {
  const Guard guard = tiny_stream();
  ScriptedHost host({{kInsult + " " + kInsult, "unused", kClean}});
  chat::Settings settings;
  settings.buffer_tokens = 0;
  GuardedChat chat(guard, host, settings);
  const Run run = say(chat);
  CHECK(run.outcome.stats.n_retries > 0);
  CHECK(run.seen.substr(0, run.outcome.shown.size()) == run.outcome.shown);
}

TEST_CASE("chat: a denied phrase is taken back where it was shown, and what only begins like one stays",
          "[chat]") {
  PolicySpec spec;
  spec.lists.deny = {"enjoy your meal"};
  const Result<Policy> policy = Policy::make(spec);
  if (!policy.ok()) return;  // a library without lists
  const Guard guard = tiny_stream();
  for (const std::int32_t buffer : {0, 40}) {
    CAPTURE(buffer);
    ScriptedHost host({{kClean + " Enjoy your mealtime."},
                       {kClean + " Enjoy your meal, and more.", kClean + " Enjoy all of it."}});
    chat::Settings settings;
    settings.policy = *policy;
    settings.buffer_tokens = buffer;
    GuardedChat chat(guard, host, settings);
    const Run lifted = say(chat);
    CHECK(lifted.outcome.stats.n_retries == 0);
    CHECK(lifted.seen == kClean + " Enjoy your mealtime.");
    const Run denied = say(chat);
    CHECK(denied.outcome.stats.n_retries == 1);
    CHECK(denied.n_taken_back == (buffer == 0 ? 1 : 0));
    CHECK(denied.seen == kClean + " Enjoy all of it.");
    CHECK((denied.outcome.stats.retracted_bytes > 0) == (buffer == 0));
    CHECK(chat.messages().back().content == denied.seen);
    CHECK(chat.session().turn_bytes() == static_cast<std::int64_t>(denied.seen.size()));
  }
}

TEST_CASE("chat: an answer without text is one", "[chat]") {
  const Guard guard = tiny_stream();
  ScriptedHost host({{""}, {"Fine."}});
  GuardedChat chat(guard, host, {});
  const Run run = say(chat);
  CHECK(run.seen.empty());
  CHECK_FALSE(run.outcome.gave_up);
  CHECK(say(chat).seen == "Fine.");
  CHECK(chat.messages().size() == 4);
}

TEST_CASE("chat: a Gen checkpoint as guard", "[chat]") {
  const Guard guard = test::load_tiny("gen").value();
  ScriptedHost host({{kInsult + " " + kInsult}, {"Fine."}});
  GuardedChat chat(guard, host, {});
  const Run run = say(chat, "And now?");
  CHECK(run.outcome.gave_up);
  CHECK(run.outcome.stats.n_retries == 5);
  CHECK(run.seen.ends_with(GuardedChat::kGaveUp));
  CHECK(run.seen.find("idiot") == std::string::npos);
  CHECK(say(chat, "Thank you.").seen == "Fine.");
}

TEST_CASE("chat: a model as host writes the same for the same seed", "[chat]") {
  const Guard guard = tiny_stream(), model = test::load_tiny("gen").value();
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

TEST_CASE("chat: every token of the host is shown or counted as discarded", "[chat]") {
  // Counts what it passes on.
  class Counted : public chat::Host {
   public:
    explicit Counted(chat::Host& host) : host_(host) {}
    Status begin(std::span<const Message> messages) override { return host_.begin(messages); }
    Result<std::optional<std::string>> next() override {
      auto piece = host_.next();
      if (piece.ok() && *piece) ++n_written, ++n_kept;
      return piece;
    }
    Status rewind(std::size_t n) override {
      n_kept = n;
      return host_.rewind(n);
    }
    std::size_t n_written = 0, n_kept = 0;

   private:
    chat::Host& host_;
  };
  const Guard guard = tiny_stream();
  ScriptedHost script({{kClean + " " + kInsult, kClean + " " + kInsult, kClean + " Enjoy your meal."}});
  Counted host(script);
  GuardedChat chat(guard, host, {});
  const Run run = say(chat);
  CHECK(run.outcome.stats.n_retries == 2);
  CHECK(run.seen == kClean + " Enjoy your meal.");
  CHECK(run.outcome.n_discarded_tokens == host.n_written - host.n_kept);
}

TEST_CASE("chat: an answer longer than the guard's context is shown to its end", "[chat]") {
  GuardOptions small;
  small.max_context_tokens = 160;
  const Guard guard = test::load_tiny("stream", small).value();
  std::string answer;
  for (int i = 0; i < 24; ++i) answer += "It smells lovely, and the table looks great too. ";
  for (const std::int32_t buffer : {0, 40, 10000}) {
    CAPTURE(buffer);
    ScriptedHost host({{answer}, {"Fine."}});
    chat::Settings settings;
    settings.buffer_tokens = buffer;
    settings.policy = with_run_of(100000);  // answers always pass
    GuardedChat chat(guard, host, settings);
    const Run run = say(chat);
    CHECK(run.seen == answer);
    CHECK(run.outcome.stats.shown_tokens > 160);
    // The place before the prompt is gone with the beginning of that answer.
    CHECK(say(chat, kThreat).outcome.prompt_was_refused);
    CHECK(chat.messages().size() == 2);
    CHECK(say(chat).seen == "Fine.");
  }
}

TEST_CASE("chat: text held back for longer than the context reaches is withheld", "[chat]") {
  GuardOptions small;
  small.max_context_tokens = 160;
  const Guard guard = test::load_tiny("stream", small).value();
  std::string answer;
  for (int i = 0; i < 24; ++i) answer += "It smells lovely, and the table looks great too. ";
  for (int i = 0; i < 12; ++i) answer += kInsult + " ";
  ScriptedHost host({{answer}, {"Fine."}});
  chat::Settings settings;
  settings.buffer_tokens = 10000;
  settings.policy = with_run_of(50);  // first in the insults, behind a slide
  GuardedChat chat(guard, host, settings);
  const Run run = say(chat);
  CHECK(run.outcome.gave_up);
  CHECK(run.seen == GuardedChat::kGaveUp);
  CHECK(say(chat).seen == "Fine.");
}

TEST_CASE("chat: a host goes on after text that is not UTF-8", "[chat]") {
  const Guard guard = tiny_stream(), model = test::load_tiny("gen").value();
  chat::Settings settings;
  settings.policy = with_run_of(100000);
  std::size_t n_ill_formed = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    chat::ModelHost host(model, {1.5F, 0, 1.0F, seed}, 40);
    GuardedChat chat(guard, host, settings);
    const Run run = say(chat);
    // Text that is UTF-8 can be encoded.
    if (!model.tokenizer()->encode(run.seen).ok()) ++n_ill_formed;
    CHECK_NOTHROW(say(chat));
    CHECK_NOTHROW(host.begin(std::vector<Message>{{Role::user, "caf\xE9"}}).throw_if_error());
  }
  CHECK(n_ill_formed > 0);
}

TEST_CASE("chat: a host whose context is full forgets the oldest turns", "[chat]") {
  GuardOptions small;
  small.max_context_tokens = 120;
  const Guard guard = tiny_stream(), model = test::load_tiny("gen", small).value();
  chat::Settings settings;
  settings.policy = with_run_of(100000);
  chat::ModelHost host(model, {1.0F, 0, 1.0F, 3}, 1000);
  GuardedChat chat(guard, host, settings);
  for (int turn = 0; turn < 5; ++turn) {
    CAPTURE(turn);
    CHECK_NOTHROW(say(chat));
  }
}

TEST_CASE("chat: scripts", "[chat]") {
  const auto answers = ScriptedHost::parse("one\nmore\nor\ntwo\n---\nthree\n").value();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0] == ScriptedHost::Answer{"one\nmore", "two"});
  CHECK(answers[1] == ScriptedHost::Answer{"three"});
  CHECK_FALSE(ScriptedHost::parse("").ok());
  CHECK_FALSE(ScriptedHost::parse("---\n---\n").ok());
}
