// SPDX-License-Identifier: Apache-2.0
// What a push of text costs as a turn grows: a byte or a word at a time, at 1, 4, 16 and 64 kB, for texts
// that leave the tokenizer nothing to settle as well as for prose, for both kinds of session and the three
// context policies.
//
//     push_bench [MODEL] [KILOBYTES]
//
// A line of JSON for each: "growth" is the time at the largest size over that at the one before, four times
// as long; 4 is linear. Where the context is long enough for all of the text, attention's part grows with it:
// the time of a turn that is read but not judged (a system turn) is the sessions' own.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "qwen3guard/guard.hpp"
#include "qwen3guard/stream_session.hpp"

namespace {

using namespace qwen3guard;

struct Pattern {
  const char* name;
  std::string unit;
};

const std::vector<Pattern> kPatterns = {
    {"spaces", " "},
    {"newlines", "\n"},
    {"letters", "a"},
    {"combining", "\xCC\x81"},
    {"mixed marks", "\xCC\x81\xCC\x96"},
    {"digits", "7"},
    {"punctuation", "!"},
    {"chinese", "\xE4\xB8\xBA"},
    {"emoji", "\xF0\x9F\x98\x80"},
    {"prose", "The quick brown fox jumps over the lazy dog and thinks about it. "},
};

std::string repeated(const Pattern& pattern, std::size_t n_bytes) {
  std::string text = pattern.unit == "\n" ? "x" : "";
  while (text.size() + pattern.unit.size() <= n_bytes) text += pattern.unit;
  return text;
}

struct Case {
  Role role;
  ContextPolicy context;
  const char* name;
};

/// Seconds for the text, `piece` bytes at a time; negative when the context ended.
double run(const Guard& guard, const Case& how, const std::string& text, std::size_t piece) {
  StreamOptions options;
  options.context = how.context;
  options.max_tokens = how.context == ContextPolicy::error ? 0 : 512;
  options.gen_interval_tokens = 1'000'000;
  StreamSession session = guard.open_stream(options).value();
  if (how.role == Role::assistant) {
    session.push_prompt("Go on.").throw_if_error();
  } else {
    session.begin_turn(how.role).throw_if_error();
  }
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t at = 0; at < text.size(); at += piece) {
    if (!session.push_text(std::string_view(text).substr(at, piece)).ok()) return -1;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string model = argc > 1 ? argv[1] : "nano-stream";
  const std::size_t most = (argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 64) * 1024;
  GuardOptions guard_options;
  guard_options.n_threads = 1;
  const Guard guard = model.starts_with("nano-") ? Guard::load_embedded(model, guard_options).value()
                                                 : Guard::load(model, guard_options).value();
  const std::vector<Case> cases = {{Role::system, ContextPolicy::error, "read only"},
                                   {Role::assistant, ContextPolicy::error, "error"},
                                   {Role::assistant, ContextPolicy::stop, "stop"},
                                   {Role::assistant, ContextPolicy::slide, "slide"}};
  for (const Case& how : cases) {
    for (const Pattern& pattern : kPatterns) {
      for (const std::size_t piece : {std::size_t{1}, std::size_t{6}}) {
        std::printf("{\"model\":\"%s\",\"context\":\"%s\",\"text\":\"%s\",\"piece_bytes\":%zu,\"ms\":[",
                    model.c_str(), how.name, pattern.name, piece);
        double before = 0, last = 0;
        for (std::size_t n = 1024; n <= most; n *= 4) {
          const double seconds = run(guard, how, repeated(pattern, n), piece);
          std::printf("%s%.2f", n > 1024 ? "," : "", seconds < 0 ? -1.0 : 1e3 * seconds);
          if (seconds < 0) break;
          before = last;
          last = seconds;
        }
        std::printf("],\"growth\":%.2f}\n", before > 0 ? last / before : 0.0);
        std::fflush(stdout);
      }
    }
  }
  return 0;
}
