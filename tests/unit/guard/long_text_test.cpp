// SPDX-License-Identifier: Apache-2.0
// Texts far longer than the context are refused in memory of at most four times their size.
#include <string>
#include <vector>

#include "heap_peak.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"

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
  for (const char* name : {"nano-gen", "nano-stream"}) {
    CAPTURE(name);
    const Guard guard = Guard::load_embedded(name).value();
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
  for (const char* name : {"nano-gen", "nano-stream"}) {
    const Guard guard = Guard::load_embedded(name).value();
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
  const Guard guard = Guard::load_embedded("nano-gen").value();
  Generator generator = guard.open_generator().value();
  for (const char* unit : kUnits) {
    check_refused(unit, [&](const std::string& text) {
      const std::vector<Message> messages = {{Role::user, text}};
      return generator.set_conversation(messages).error().code;
    });
  }
}
