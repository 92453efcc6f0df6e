// SPDX-License-Identifier: Apache-2.0
// Texts far longer than the context are refused in memory of at most four times their size.
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "heap_peak.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using q3g_test::HeapPeak;

namespace {

/// What does not depend on the text's length.
constexpr std::size_t kFixedBytes = std::size_t{1} << 20;

/// U+1D160, three characters and 12 bytes in NFC; marks in the wrong order; single words; runs of spaces.
constexpr const char* kUnits[] = {"\xF0\x9D\x85\xA0", "\xCC\x81\xCC\x96", "a", "\xE4\xB8\xBA", " ",
                                  "One two. "};

std::string repeated(std::string_view unit, std::size_t n_bytes) {
  std::string text;
  text.reserve(n_bytes + unit.size());
  while (text.size() < n_bytes) text += unit;
  return text;
}

/// `judge(text)` refuses long texts, too long to be looked at and not, in little memory.
template <class Judge>
void check_refused(std::string_view unit, const Judge& judge) {
  for (const std::size_t n_bytes : {std::size_t{3} << 20, std::size_t{600} << 10}) {
    const std::string text = repeated(unit, n_bytes);
    const HeapPeak peak;
    const ErrorCode code = judge(text);
    CAPTURE(unit, n_bytes, peak.bytes());
    CHECK(code == ErrorCode::context_full);
    CHECK(peak.bytes() <= 4 * text.size() + kFixedBytes);
  }
}

}  // namespace

TEST_CASE("long text: every way to classify refuses it in little memory", "[memory]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    for (const char* unit : kUnits) {
      check_refused(unit, [&](const std::string& text) { return guard.classify_prompt(text).error().code; });
      check_refused(unit, [&](const std::string& text) {
        return guard.classify_response("Hello.", text).error().code;
      });
      check_refused(unit, [&](const std::string& text) {
        return guard.classify_response(text, "Hello.").error().code;
      });
      check_refused(unit, [&](const std::string& text) {
        const std::vector<std::vector<Message>> batch = {{{Role::user, text}}};
        ClassifyOptions options;
        options.decoder = Decoder::greedy;
        return guard.classify_batch(batch, options)[0].error().code;
      });
    }
  }
}

TEST_CASE("long text: one that has to be repaired first", "[memory]") {
  ClassifyOptions options;
  options.invalid_utf8 = InvalidUtf8::replace;
  for (const char* name : {"gen", "stream"}) {
    const Guard guard = test::load_tiny(name).value();
    const std::string text(std::size_t{3} << 20, '\xFF');
    const HeapPeak peak;
    CHECK(guard.classify_prompt(text, options).error().code == ErrorCode::context_full);
    CAPTURE(peak.bytes());
    CHECK(peak.bytes() <= 4 * text.size() + kFixedBytes);
    // Short enough to be repaired.
    CHECK(guard.classify_prompt(text.substr(0, 20'000), options).error().code == ErrorCode::context_full);
    CHECK(guard.classify_prompt(text.substr(0, 20), options).ok());
  }
}

TEST_CASE("long text: a conversation for a generator", "[memory]") {
  const Guard guard = test::load_tiny("gen").value();
  Generator generator = guard.open_generator().value();
  for (const char* unit : kUnits) {
    check_refused(unit, [&](const std::string& text) {
      const std::vector<Message> messages = {{Role::user, text}};
      return generator.set_conversation(messages).error().code;
    });
  }
}

namespace {

constexpr ContextPolicy kPolicies[] = {ContextPolicy::error, ContextPolicy::stop, ContextPolicy::slide};

StreamOptions with(ContextPolicy policy) {
  StreamOptions options;
  options.context = policy;
  options.max_tokens = 600;
  return options;
}

template <class T>
ErrorCode code_of(const T& result) {
  return result.ok() ? ErrorCode::internal : result.error().code;
}

}  // namespace

TEST_CASE("long text: a session's prompt, whatever the policy", "[memory][stream]") {
  for (const char* name : {"gen", "stream"}) {
    for (const ContextPolicy policy : kPolicies) {
      CAPTURE(name, static_cast<int>(policy));
      const Guard guard = test::load_tiny(name).value();
      StreamSession session = guard.open_stream(with(policy)).value();
      for (const char* unit : kUnits) {
        const auto check_unchanged = [&] {
          CHECK(session.position() == 0);
          CHECK(session.turn_bytes() == 0);
        };
        check_refused(unit, [&](const std::string& text) { return code_of(session.push_prompt(text)); });
        check_unchanged();
        check_refused(unit, [&](const std::string& text) {
          const std::vector<Message> messages = {
              {Role::user, "Hello."}, {Role::assistant, "Hello."}, {Role::user, text}};
          return code_of(session.push_conversation(messages));
        });
        check_unchanged();
        check_refused(unit, [&](const std::string& text) {
          const std::vector<Message> messages = {{Role::user, "Hello."}, {Role::assistant, text}};
          return code_of(session.restore(messages));
        });
        check_unchanged();
        check_refused(unit, [&](const std::string& text) {
          const std::vector<Message> messages = {{Role::system, text}, {Role::user, "Hello."}};
          return code_of(session.restore(messages));
        });
        check_unchanged();
        session.begin_turn(Role::user).throw_if_error();
        REQUIRE(session.push_text("Hello. ").ok());
        const std::int64_t n_bytes = session.turn_bytes();
        check_refused(unit, [&](const std::string& text) { return code_of(session.push_text(text)); });
        CHECK(session.turn_bytes() == n_bytes);
        session.reset();
      }
    }
  }
}

TEST_CASE("long text: a response that has to fit", "[memory][stream]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    StreamSession session = guard.open_stream(with(ContextPolicy::error)).value();
    REQUIRE(session.push_prompt("Hello.").ok());
    REQUIRE(session.push_text("One two three. ").ok());
    const std::int64_t n_bytes = session.turn_bytes();
    for (const char* unit : kUnits) {
      check_refused(unit, [&](const std::string& text) { return code_of(session.push_text(text)); });
      CHECK(session.turn_bytes() == n_bytes);
    }
    CHECK(session.push_text("four.").ok());
  }
}

TEST_CASE("long text: a session of a batch", "[memory][stream]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamBatchOptions batch_options;
  batch_options.max_waiting_bytes = std::size_t{1} << 24;
  StreamBatch batch = StreamBatch::open(guard, batch_options).value();
  const StreamId id = batch.add(with(ContextPolicy::error)).value();
  check_refused("a", [&](const std::string& text) {
    batch.push_prompt(id, text).throw_if_error();
    batch.step();
    ErrorCode code = ErrorCode::internal;
    for (const StreamEvent& event : batch.poll(id).value()) {
      if (event.kind == StreamEvent::Kind::error) code = event.status.error().code;
    }
    return code;
  });
}

TEST_CASE("long text: a response that stops where the context ends", "[memory][stream]") {
  const Guard guard = test::load_tiny("stream").value();
  for (const char* unit : kUnits) {
    CAPTURE(unit);
    StreamSession session = guard.open_stream(with(ContextPolicy::stop)).value();
    REQUIRE(session.push_prompt("Hello.").ok());
    const std::string text = repeated(unit, std::size_t{3} << 20);
    const HeapPeak peak;
    const auto update = session.push_text(text).value();
    CAPTURE(peak.bytes());
    CHECK(peak.bytes() <= 4 * text.size() + kFixedBytes);
    REQUIRE(update.stopped_at_byte.has_value());
    CHECK(session.turn_bytes() == static_cast<std::int64_t>(text.size()));
    CHECK_FALSE(session.decision().is_complete);
    CHECK(session.position() == 600 - 2);  // room for the turn's end
    // What was judged is what is judged of a text that is a little too long.
    StreamSession other = guard.open_stream(with(ContextPolicy::stop)).value();
    REQUIRE(other.push_prompt("Hello.").ok());
    const auto expected =
        other.push_text(text.substr(0, 20'000 / std::string(unit).size() * std::string(unit).size())).value();
    CHECK(expected.stopped_at_byte == update.stopped_at_byte);
    CHECK(expected.tokens.size() == update.tokens.size());
    // The session goes on as ever.
    CHECK(session.push_text(text).value().stopped_at_byte == update.stopped_at_byte);
    CHECK(session.turn_bytes() == static_cast<std::int64_t>(2 * text.size()));
    CHECK_FALSE(session.rewind_to_byte(12).value().stopped_at_byte.has_value());
    CHECK(session.push_text("x").ok());
    CHECK(session.end_turn().ok());
  }
}

TEST_CASE("long text: the same where verdicts are written", "[memory][stream]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession session = guard.open_stream(with(ContextPolicy::stop)).value();
  REQUIRE(session.push_prompt("Hello.").ok());
  const std::string text = repeated("One two. ", std::size_t{3} << 20);
  const HeapPeak peak;
  const auto update = session.push_text(text).value();
  CAPTURE(peak.bytes());
  CHECK(peak.bytes() <= 4 * text.size() + kFixedBytes);
  REQUIRE(update.stopped_at_byte.has_value());
  CHECK(session.turn_bytes() == static_cast<std::int64_t>(text.size()));
  CHECK_FALSE(session.decision().is_complete);
  // What was judged is what is judged of the same text in pieces.
  StreamSession other = guard.open_stream(with(ContextPolicy::stop)).value();
  REQUIRE(other.push_prompt("Hello.").ok());
  std::optional<std::int64_t> stopped;
  for (std::size_t at = 0; at < 20'000; at += 1000)
    stopped = other.push_text(std::string_view(text).substr(at, 1000)).value().stopped_at_byte;
  CHECK(stopped == update.stopped_at_byte);
  CHECK(session.push_text(text).value().stopped_at_byte == update.stopped_at_byte);
  CHECK(session.turn_bytes() == static_cast<std::int64_t>(2 * text.size()));
  CHECK_FALSE(session.rewind_to_byte(12).value().stopped_at_byte.has_value());
  CHECK(session.push_text("x").ok());
  CHECK(session.end_turn().value().decision.is_complete);
}

TEST_CASE("long text: a word that never ends stops where no verdict has room for it", "[memory][stream]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamSession session = guard.open_stream(with(ContextPolicy::stop)).value();
  REQUIRE(session.push_prompt("Hello.").ok());
  std::optional<std::int64_t> stopped;
  int n = 0;
  for (; n < 400 && !stopped; ++n)
    stopped = session.push_text(std::string(20, static_cast<char>('a' + n % 26))).value().stopped_at_byte;
  REQUIRE(stopped.has_value());
  CHECK(session.n_verdicts() < 2 * 600);
  CHECK_FALSE(session.decision().is_complete);
  CHECK(session.decision().severity == Severity::not_judged);
  CHECK_FALSE(session.end_turn().value().decision.is_complete);
}

TEST_CASE("long text: an old one slides out of a conversation that is restored", "[memory][stream]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    for (const char* unit : kUnits) {
      const std::vector<Message> rest = {
          {Role::user, "Hello."}, {Role::assistant, "Hi."}, {Role::user, "Go on."}};
      std::vector<Message> messages = {{Role::system, "Be kind."},
                                       {Role::user, "Tell me all."},
                                       {Role::assistant, repeated(unit, std::size_t{3} << 20)}};
      messages.insert(messages.end(), rest.begin(), rest.end());
      StreamSession session = guard.open_stream(with(ContextPolicy::slide)).value();
      const HeapPeak peak;
      const auto verdict = session.push_conversation(messages);
      CAPTURE(unit, peak.bytes());
      REQUIRE(verdict.ok());
      CHECK(peak.bytes() <= 4 * messages[2].content.size() + kFixedBytes);
      // As if it had not been there.
      StreamSession other = guard.open_stream(with(ContextPolicy::slide)).value();
      messages.erase(messages.begin() + 1, messages.begin() + 3);
      const auto expected = other.push_conversation(messages).value();
      CHECK(verdict->severity == expected.severity);
      CHECK(std::abs(double{verdict->probabilities.unsafe} - double{expected.probabilities.unsafe}) < 1e-4);
    }
  }
}

TEST_CASE("long text: a fork shares texts and verdicts", "[memory][stream]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    StreamOptions options;
    options.gen_interval_tokens = 1'000'000;
    StreamSession session = guard.open_stream(options).value();
    session.push_prompt("Hello.").throw_if_error();
    session.push_text(repeated("One turn that is over. ", 6000)).throw_if_error();
    session.end_turn().throw_if_error();
    session.push_prompt("And then?").throw_if_error();
    session.push_text(repeated("One turn that goes on. ", 6000)).throw_if_error();
    const HeapPeak peak;
    StreamSession fork = session.fork().value();
    CAPTURE(peak.bytes(), session.n_verdicts());
    // Less than a copy of the open turn's verdicts alone, whose texts and those of the other turns come to as
    // much.
    CHECK(peak.bytes() < session.n_verdicts() * sizeof(TokenVerdict) / 2);
    // Whoever goes on has a turn of its own.
    const auto before = session.verdicts();
    fork.push_text("It ends.").throw_if_error();
    CHECK(session.verdicts().size() == before.size());
    CHECK(fork.n_verdicts() > before.size());
    session.push_text("It ends.").throw_if_error();
    CHECK(session.n_verdicts() == fork.n_verdicts());
  }
}
