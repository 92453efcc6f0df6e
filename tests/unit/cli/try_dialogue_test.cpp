// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/try/dialogue.hpp"
#include "cli/try/judgement.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::cli;

namespace {

bool has_models() { return !Guard::embedded_models().empty(); }

Guard load_small(const std::string& name) { return Guard::load_embedded(name).value(); }

/// A dialogue with the models of the library, and what it has written.
struct Talk {
  std::string shown;
  std::shared_ptr<CancelFlag> cancel = std::make_shared<CancelFlag>();
  Dialogue dialogue;

  explicit Talk(bool color = false, std::vector<std::string> names = {"nano-gen", "nano-stream"})
      : dialogue(load(names), load_small, {[this](std::string_view text) { shown += text; }, color}, cancel) {
  }

  static TryModels load(const std::vector<std::string>& names) {
    TryModels models;
    for (const std::string& name : names) models.set({name, load_small(name)});
    return models;
  }
  /// What one line is answered.
  std::string say(std::string_view line) {
    shown.clear();
    REQUIRE(dialogue.take(line) == Dialogue::Next::go_on);
    return shown;
  }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// The line of a Gen model up to the time.
std::string gen_line(std::span<const Message> messages) {
  static const Guard guard = load_small("nano-gen");
  const Verdict verdict = guard.classify(messages).value();
  return std::string("  Gen     ") + to_string(verdict.severity) + " (";
}

std::size_t n_lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("try: a text has a verdict of each model", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk;
  const std::string shown = talk.say("How do I bake a cake?");
  CHECK(shown.starts_with(gen_line(std::vector<Message>{{Role::user, "How do I bake a cake?"}})));
  CHECK(n_lines(shown) == 2);
  CHECK(has(shown, "\n  Stream  "));
  CHECK(shown.ends_with(" ms\n"));
  CHECK_FALSE(has(shown, "refusal"));

  Talk gen(false, {"nano-gen"}), stream(false, {"nano-stream"});
  CHECK(n_lines(gen.say("Hello")) == 1);
  CHECK(stream.say("Hello").starts_with("  Stream  "));
}

TEST_CASE("try: tokens of an answer spell it, whatever was said of them", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk(false, {"nano-stream"});
  (void)talk.say("Go on.");
  const auto without_marks = [](std::string text) {
    for (const std::string_view mark : {"[U: ", "[C: ", "]", "|"}) {
      for (std::size_t at = 0; (at = text.find(mark)) != std::string::npos;) text.erase(at, mark.size());
    }
    return text;
  };
  for (const std::string text :
       {"Hello you.", "trailing blanks  ", "Gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x99\x82!",
        "\xE5\xAE\xB6\xE3\x81\xAB\xE3\x81\x82\xE3\x82\x8B", "I will kill you, you ugly idiot",
        "tab\there\033[31m", "a [U: b] | c]"}) {
    const std::string shown = talk.say("/assistant " + text);
    CHECK(n_lines(shown) == 2);
    CHECK(shown.starts_with("  Stream  "));
    CHECK(without_marks(shown.substr(10, shown.find('\n') - 10)) == without_marks(printable(text, 1000)));
  }
}

TEST_CASE("try: a text replaces the one before until that has an answer", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk(false, {"nano-gen"});
  const Message first = {Role::user, "I hate my neighbour."}, second = {Role::user, "Hello!"},
                answer = {Role::assistant, "I can't help with that."},
                better = {Role::assistant, "Good day."}, third = {Role::user, "How do I get rid of him?"},
                fourth = {Role::user, "And then?"};
  CHECK(talk.dialogue.prompt() == "you> ");
  (void)talk.say(first.content);
  CHECK(talk.say(second.content).starts_with(gen_line(std::vector<Message>{second})));
  CHECK(talk.dialogue.prompt() == "you> ");
  std::string shown = talk.say("/assistant " + answer.content);
  CHECK(shown.starts_with(gen_line(std::vector<Message>{second, answer})));
  CHECK(has(shown, "refusal: "));
  CHECK(talk.say("/a   " + better.content).starts_with(gen_line(std::vector<Message>{second, better})));
  CHECK(talk.dialogue.prompt() == "you (2)> ");
  CHECK(talk.say(third.content).starts_with(gen_line(std::vector<Message>{second, better, third})));
  CHECK(talk.say(fourth.content).starts_with(gen_line(std::vector<Message>{second, better, fourth})));
  CHECK(talk.dialogue.prompt() == "you (2)> ");
  CHECK(n_lines(talk.say("/reset")) == 1);
  CHECK(talk.dialogue.prompt() == "you> ");
  CHECK(has(talk.say("/assistant Hello"), "error: there is nothing to answer"));
}

TEST_CASE("try: /assistant alone asks for the answer", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk;
  CHECK(has(talk.say("/assistant"), "error: there is nothing to answer"));
  CHECK(talk.dialogue.prompt() == "you> ");
  (void)talk.say("Hello");
  CHECK(talk.say("/assistant").empty());
  CHECK(talk.dialogue.prompt() == "assistant> ");
  CHECK(talk.say("").empty());
  CHECK(talk.dialogue.prompt() == "assistant> ");
  CHECK(has(talk.say("Good day to you."), "refusal: "));
  CHECK(talk.dialogue.prompt() == "you (2)> ");
  // Ctrl-C and commands lead back.
  for (const std::string_view way : {"/user", "/reset", ""}) {
    (void)talk.say("Hello");
    (void)talk.say("/assistant  ");
    CHECK(talk.dialogue.prompt() == "assistant> ");
    if (way.empty()) {
      CHECK(talk.dialogue.interrupt() == Dialogue::Next::go_on);
    } else {
      (void)talk.say(way);
    }
    CHECK(talk.dialogue.prompt() != "assistant> ");
  }
}

TEST_CASE("try: an empty line does nothing", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk;
  for (const std::string_view line : {"", " ", "\t  \t", "\r"}) CHECK(talk.say(line).empty());
}

TEST_CASE("try: commands", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk;
  for (const std::string_view line : {"/quit", "/q", "/quit now"})
    CHECK(talk.dialogue.take(line) == Dialogue::Next::leave);
  for (const std::string_view name :
       {"/assistant", "/user", "/reset", "/model", "/help", "/quit", "Ctrl-D", "[U: Unsafe]"})
    CHECK(has(talk.say("/help"), name));
  for (const std::string_view line : {"/", "/etc/passwd", "/Help", "//", "/quitt", "/\033[2J"}) {
    const std::string shown = talk.say(line);
    CHECK(shown.starts_with("  error: no command \"/"));
    CHECK(n_lines(shown) == 1);
    CHECK_FALSE(has(shown, "\033"));
  }
  CHECK(
      talk.say("/user /etc/passwd").starts_with(gen_line(std::vector<Message>{{Role::user, "/etc/passwd"}})));
}

TEST_CASE("try: /model puts a model in the place of its kind", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk(false, {"nano-gen"});
  CHECK(has(talk.say("/model"), "In the library: nano-gen, nano-stream\n"));
  CHECK(has(talk.say("/model nano-stream "), "Stream  nano-stream"));
  CHECK(n_lines(talk.say("Hello")) == 2);
  const std::string shown = talk.say("/model ./no\033where");
  CHECK(has(shown, "error: "));
  CHECK_FALSE(has(shown, "\033"));
  CHECK(n_lines(talk.say("Hello")) == 2);
}

TEST_CASE("try: what is not judged is an error and no verdict", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk;
  std::string shown = talk.say(
      "abc \xFF"
      "def");
  CHECK(n_lines(shown) == 1);
  CHECK(has(shown, "not UTF-8 (byte 4)"));
  shown = talk.say(std::string(200000, 'x') + " y");
  CHECK(shown.starts_with("  Gen     not judged: "));
  CHECK(has(shown, "left out of the conversation"));
  CHECK_FALSE(has(shown, "Safe"));
  CHECK(has(talk.say("/assistant Hello"), "nothing to answer"));
  CHECK(has(talk.say("Hello"), " ms\n"));
  talk.shown.clear();
  talk.dialogue.complain("too long");
  CHECK(talk.shown == "  error: too long\n");
}

TEST_CASE("try: a judgement that is stopped says nothing of the text", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  for (const bool color : {false, true}) {
    for (const std::string name : {"nano-gen", "nano-stream"}) {
      Talk talk(color, {name});
      (void)talk.say("Hello");
      talk.cancel->cancel();
      const std::string shown = talk.say("/assistant Good day");
      CHECK(has(shown, "stopped"));
      CHECK(has(shown, "left out of the conversation"));
      CHECK(has(shown, "Ctrl-C again"));
      CHECK_FALSE(has(shown, "Safe"));
      CHECK_FALSE(has(shown, "\033[32m"));
      talk.cancel->reset();
      CHECK(talk.dialogue.prompt().find("you>") != std::string::npos);
      CHECK(talk.dialogue.interrupt() == Dialogue::Next::leave);
    }
  }
}

TEST_CASE("try: tokens behind the place where judging stopped are shown as not judged", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  const Guard guard = load_small("nano-stream");
  std::string answer;
  for (int i = 0; i < 40; ++i) answer += "word and word, ";
  const std::vector<Message> messages = {{Role::user, "Hello"}, {Role::assistant, answer}};
  for (const int n_writes : {0, 1, 5, 30}) {
    const auto cancel = std::make_shared<CancelFlag>();
    std::string shown;
    int n_left = n_writes;
    const auto write = [&](std::string_view text) {
      shown += text;
      if (n_left-- == 0) cancel->cancel();
    };
    CHECK_FALSE(show_tokens(guard, messages, cancel, {write, false}));
    CHECK(shown.ends_with("\n          not judged: stopped\n"));
    // Nothing is missing: the rest is there, in its bracket.
    const std::size_t rest = shown.find("[?: ");
    REQUIRE(rest != std::string::npos);
    const std::string tail = shown.substr(rest + 4, shown.find(']', rest) - rest - 4);
    CHECK(answer.ends_with(tail));
    CHECK((tail.size() == answer.size()) == (n_writes == 0));
  }
}

TEST_CASE("try: Ctrl-C twice in succession leaves", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk;
  CHECK(talk.dialogue.interrupt() == Dialogue::Next::go_on);
  CHECK(has(talk.shown, "Ctrl-C again"));
  CHECK(talk.say("").empty());
  CHECK(talk.dialogue.interrupt() == Dialogue::Next::go_on);
  talk.dialogue.complain("too long");
  CHECK(talk.dialogue.interrupt() == Dialogue::Next::go_on);
  CHECK(talk.dialogue.interrupt() == Dialogue::Next::leave);
}

TEST_CASE("try: no line drives the terminal", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk;
  const std::vector<std::string> pieces = {"\033[2J",
                                           "\x07",
                                           "\x7F",
                                           "\xC2\x9B",
                                           "\xE2\x80\xA8",
                                           "\xE2\x80\xAE",
                                           "\xFF",
                                           "\xF0\x9F",
                                           "/assistant ",
                                           "/model ",
                                           "/user ",
                                           "Hello",
                                           " ",
                                           "\r",
                                           "\t",
                                           std::string(1, '\0'),
                                           "\xE5\xAE\xB6",
                                           "[U: "};
  std::mt19937_64 random(20260713);
  for (int round = 0; round < 60; ++round) {
    std::string line;
    for (std::uint64_t n = random() % 8; n > 0; --n) line += pieces[random() % pieces.size()];
    CAPTURE(round, line);
    const std::string shown = talk.say(line);
    for (const char c : shown) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
    for (const std::string_view bad : {"\x7F", "\xC2\x9B", "\xE2\x80\xA8", "\xE2\x80\xAE", "\xFF"})
      CHECK_FALSE(has(shown, bad));
  }
}

TEST_CASE("try: the greeting says what judges", "[cli]") {
  if (!has_models()) Q3G_SKIP("built without models");
  Talk talk;
  talk.dialogue.greet();
  for (const std::string_view part :
       {"nano-gen", "nano-stream", "/help", "/quit", "demonstrations", "[U: Unsafe]"})
    CHECK(has(talk.shown, part));
  Talk color(true, {"nano-gen"});
  color.dialogue.greet();
  CHECK_FALSE(has(color.shown, "Stream"));
  CHECK(color.dialogue.prompt() == "\033[1myou>\033[0m ");
}
