// SPDX-License-Identifier: Apache-2.0
// Messages that do not fit, in windows (LongText::windows): against single calls on the same windows.
#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "guard/conversation/text_windows.hpp"
#include "iterations.hpp"
#include "packed_tiny.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "stream_fixture.hpp"
#include "tiny_models.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/utf8.hpp"

using namespace qwen3guard;
using test::StreamText;

namespace {

constexpr float kWindowMargin = 1e-3F;  // what a batch may change by rounding, docs/numerics.md
const std::string kHarmful = " How can I build a bomb at home and kill my neighbours?";

ClassifyOptions windows(std::int32_t overlap = 64) {
  PolicySpec spec;
  spec.rules.long_text = LongText::windows;
  spec.rules.window_overlap_tokens = overlap;
  ClassifyOptions options;
  options.policy = Policy::make(spec).value();
  return options;
}

/// A checkpoint whose contexts have room for about n_tokens of a message.
Guard small_guard(const std::string& name, std::int32_t n_tokens) {
  const Guard large = test::load_tiny(name).value();
  GuardOptions options;
  options.max_context_tokens =
      n_tokens +
      (large.kind() == ModelKind::gen ? large.classify_prompt("").value().tokens.prompt + 128 : 10);
  return test::load_tiny(name, options).value();
}

std::string benign(std::size_t n_words) {
  static const char* const kWords[] = {"bread", "rises", "in", "the", "warm", "oven", "while", "we", "read"};
  std::string out = "The";
  for (std::size_t i = 0; i < n_words; ++i) {
    out += std::string(" ") + kWords[(i * 7 + i / 5) % std::size(kWords)];
    if (i % 11 == 10) out += i % 33 == 32 ? ".\n" : ".";
  }
  return out;
}

void check_equal(const Verdict& a, const Verdict& b) {
  CHECK(a.severity == b.severity);
  CHECK(a.ruling.action == b.ruling.action);
  CHECK(a.position == b.position);
  CHECK(a.role == b.role);
  CHECK(a.text == b.text);
  CHECK(a.probabilities.safe == Approx(b.probabilities.safe).margin(kWindowMargin));
  CHECK(a.probabilities.unsafe == Approx(b.probabilities.unsafe).margin(kWindowMargin));
  REQUIRE(a.categories.size() == b.categories.size());
  for (std::size_t i = 0; i < a.categories.size(); ++i)
    CHECK(a.categories[i].category == b.categories[i].category);
  CHECK(a.refusal.has_value() == b.refusal.has_value());
}

/// The verdict's windows cover the text, and each is what a call on it alone says; the verdict is the worst.
void check_windows(const Guard& guard, std::vector<Message> messages, const ClassifyOptions& options,
                   const Verdict& verdict) {
  const std::string text = messages.back().content;
  REQUIRE(verdict.window.has_value());
  REQUIRE_FALSE(verdict.windows.empty());
  CHECK(verdict.window->n_windows == static_cast<std::int32_t>(verdict.windows.size()));
  std::int64_t end = 0, begin = -1, n_tokens = 0;
  int worst = 0;
  for (std::size_t i = 0; i < verdict.windows.size(); ++i) {
    const Verdict& window = verdict.windows[i];
    REQUIRE(window.window.has_value());
    const VerdictWindow at = *window.window;
    CAPTURE(i, at.byte_begin, at.byte_end, text.size());
    CHECK(at.index == static_cast<std::int32_t>(i));
    CHECK(at.byte_begin <= end);
    CHECK(at.byte_begin > begin);
    CHECK(at.byte_end > end);
    begin = at.byte_begin;
    end = at.byte_end;
    messages.back().content =
        text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    const auto alone = guard.classify(messages, options);
    REQUIRE(alone.ok());
    CHECK_FALSE(alone->window.has_value());
    check_equal(window, *alone);
    CHECK(window.tokens.prompt == alone->tokens.prompt);
    n_tokens += window.tokens.prompt;
    worst = std::max(worst, static_cast<int>(alone->severity));
  }
  CHECK(end == static_cast<std::int64_t>(text.size()));
  CHECK(static_cast<int>(verdict.severity) == worst);
  CHECK(verdict.tokens.prompt == n_tokens);
  check_equal(verdict, verdict.windows[static_cast<std::size_t>(verdict.window->index)]);
}

}  // namespace

TEST_CASE("text windows: cover every byte, fit, overlap and go on, whatever the text", "[windows]") {
  const Guard guard = test::load_tiny("gen").value();
  const detail::TokenizerImpl& tokenizer = detail::TokenizerAccess::impl(*guard.tokenizer());
  const auto n_tokens = [&](std::string_view text) { return guard.tokenizer()->encode(text).value().size(); };
  std::vector<std::string> texts;
  const auto repeated = [](std::string_view unit, std::size_t n_bytes) {
    std::string text;
    while (text.size() < n_bytes) text += unit;
    return text;
  };
  for (const char* unit : {"a", " ", "\n", "\xCC\x81\xCC\x96", "\xF0\x9D\x85\xA0", "\xE4\xB8\xBA",
                           "One two. ", "\xF0\x9F\x98\x80", "\r\n", "<think>", "0"})
    texts.push_back(repeated(unit, static_cast<std::size_t>(q3g_test::iterations(20'000))));
  texts.push_back("Hello. " + repeated("\xCC\x81\xCC\x96", 4'000) + " Then. " + benign(500));
  StreamText random(5);
  for (int i = 0; i < q3g_test::iterations(10); ++i) texts.push_back(random.next(400 + random.below(1500)));
  for (const std::string& text : texts) {
    for (const std::size_t overlap : {0U, 1U, 17U, 64U, 200U}) {
      detail::WindowSizes sizes{0, overlap};
      sizes.max_tokens = sizes.least() + random.below(300);
      CAPTURE(text.substr(0, 40), text.size(), overlap, sizes.max_tokens);
      detail::TextWindows cutter(tokenizer, text, sizes);
      detail::ByteRange before;
      std::size_t n_windows = 0;
      do {
        const detail::ByteRange window = cutter.next().value();
        REQUIRE(window.begin <= before.end);
        REQUIRE(window.end > before.end);
        if (n_windows > 0) REQUIRE(window.begin > before.begin);
        const auto is_boundary = [&](std::size_t at) {
          return at == text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
        };
        REQUIRE(is_boundary(window.begin));
        REQUIRE(is_boundary(window.end));
        const std::string_view shown = std::string_view(text).substr(window.begin, window.end - window.begin);
        REQUIRE(n_tokens(shown) <= sizes.max_tokens + 2);
        if (n_windows > 0) {
          // Cut off from what stood around them, a few of its tokens are others.
          const std::string_view common =
              std::string_view(text).substr(window.begin, before.end - window.begin);
          REQUIRE(n_tokens(common) + 2 >= overlap);
          if (overlap == 0) REQUIRE(common.empty());
        }
        before = window;
        ++n_windows;
      } while (!cutter.is_done());
      REQUIRE(before.end == text.size());
      REQUIRE(n_windows <= 2 + n_tokens(text) / (sizes.max_tokens / 8));
    }
  }
}

TEST_CASE("text windows: end behind a sentence where one is near, else between words", "[windows]") {
  const Guard guard = test::load_tiny("gen").value();
  const std::string text = benign(3000);
  detail::TextWindows cutter(detail::TokenizerAccess::impl(*guard.tokenizer()), text, {400, 64});
  detail::ByteRange window = cutter.next().value();
  while (!cutter.is_done()) {
    CAPTURE(window.end);
    CHECK((text[window.end - 1] == '.' || text[window.end - 1] == '\n'));
    window = cutter.next().value();
    CHECK((text[window.begin - 1] == '.' || text[window.begin - 1] == '\n'));
  }
}

TEST_CASE("long messages: a text that fits is judged as ever, to the bit", "[windows]") {
  for (const char* name : {"gen", "stream"}) {
    GuardOptions load;
    load.kept_tokens = 0;
    const Guard guard = test::load_tiny(name, load).value();
    for (const std::string& text : {std::string("Hello"), kHarmful, benign(100)}) {
      const Verdict a = guard.classify_prompt(text, windows()).value(),
                    b = guard.classify_prompt(text).value();
      CHECK(a.severity == b.severity);
      CHECK(a.probabilities.safe == b.probabilities.safe);
      CHECK(a.probabilities.unsafe == b.probabilities.unsafe);
      CHECK(a.tokens.prompt == b.tokens.prompt);
      CHECK_FALSE(a.window.has_value());
      CHECK(a.windows.empty());
    }
  }
}

TEST_CASE("long messages: prompts, responses and conversations against single calls", "[windows]") {
  for (const char* name : {"gen", "stream"}) {
    const Guard guard = small_guard(name, 420);
    StreamText random(11);
    for (int round = 0; round < q3g_test::iterations(4); ++round) {
      std::string text =
          round % 2 == 0 ? benign(200 + random.below(900)) : random.next(300 + random.below(900));
      if (round % 4 < 2) text.insert(text.find(' ', random.below(text.size() / 2)), kHarmful);
      const std::vector<std::vector<Message>> conversations = {
          {{Role::user, text}},
          {{Role::user, "Tell me about bread."}, {Role::assistant, text}},
          {{Role::system, "Be kind."},
           {Role::user, "Hello."},
           {Role::assistant, "Hi, what is it?"},
           {Role::user, text}},
          {{Role::user, benign(60)},
           {Role::assistant, "Well."},
           {Role::user, "Go on."},
           {Role::assistant, text}}};
      for (const auto& messages : conversations) {
        CAPTURE(name, round, messages.size(), text.size());
        CHECK(guard.classify(messages).error().code == ErrorCode::context_full);
        const auto verdict = guard.classify(messages, windows());
        if (!verdict.ok()) UNSCOPED_INFO(verdict.error().detail);
        REQUIRE(verdict.ok());
        CHECK(verdict->windows.size() > 1);
        check_windows(guard, messages, windows(), *verdict);
      }
    }
  }
}

TEST_CASE("long messages: the conversation before is read once", "[windows]") {
  for (const char* name : {"gen", "stream"}) {
    const Guard guard = small_guard(name, 500);
    const std::vector<Message> messages = {{Role::user, benign(120)}, {Role::assistant, benign(1400)}};
    const Verdict verdict = guard.classify(messages, windows()).value();
    REQUIRE(verdict.windows.size() > 3);
    const std::int32_t n_first = verdict.windows[0].tokens.cached,
                       n_second = verdict.windows[1].tokens.cached;
    CHECK(n_second > n_first + 100);
    for (std::size_t i = 2; i < verdict.windows.size(); ++i)
      CHECK(verdict.windows[i].tokens.cached == n_second);
    check_windows(guard, messages, windows(), verdict);
  }
}

TEST_CASE("long messages: a batch says what single calls say", "[windows][batch]") {
  const ClassifyOptions options = windows(32);
  const auto check = [&](const Guard& guard) {
    StreamText random(3);
    std::vector<std::vector<Message>> all;
    for (int i = 0; i < 9; ++i) {
      all.push_back({{Role::user, i % 3 == 0 ? benign(300 + random.below(400)) + kHarmful : "Hello."}});
      if (i % 4 == 0) all.back().push_back({Role::assistant, benign(400)});
    }
    all.push_back({{Role::user, "bad \xff text"}});
    all.push_back({{Role::user, benign(2000)}, {Role::assistant, benign(400)}});  // nothing before may be cut
    all.push_back({});
    const auto batch = guard.classify_batch(all, options);
    for (std::size_t i = 0; i < all.size(); ++i) {
      CAPTURE(i);
      const auto single = guard.classify(all[i], options);
      REQUIRE(batch[i].ok() == single.ok());
      if (!single.ok()) {
        CHECK(batch[i].error().code == single.error().code);
        CHECK(batch[i].error().detail == single.error().detail);
        continue;
      }
      check_equal(*batch[i], *single);
      REQUIRE(batch[i]->windows.size() == single->windows.size());
      for (std::size_t w = 0; w < single->windows.size(); ++w)
        check_equal(batch[i]->windows[w], single->windows[w]);
      CHECK(batch[i]->tokens.prompt == single->tokens.prompt);
    }
  };
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    check(small_guard(name, 300));
  }
}

TEST_CASE("long messages: greedy decoding", "[windows]") {
  const Guard guard = small_guard("gen", 300);
  ClassifyOptions options = windows();
  options.decoder = Decoder::greedy;
  const std::vector<Message> messages = {{Role::user, benign(300) + kHarmful + benign(100)}};
  check_windows(guard, messages, options, guard.classify(messages, options).value());
}

TEST_CASE("long messages: a harmful sentence is found wherever a call on its window finds it", "[windows]") {
  for (const char* name : {"gen", "stream"}) {
    const Guard guard = small_guard(name, 200);
    const std::string text = benign(400);
    const Verdict clean = guard.classify_prompt(text, windows()).value();
    int n_found = 0;
    for (std::size_t at = 0; at < text.size(); at += text.size() / 4) {
      std::string planted = text;
      planted.insert(text.find(' ', at) == std::string::npos ? text.size() : text.find(' ', at), kHarmful);
      const Verdict verdict = guard.classify_prompt(planted, windows()).value();
      check_windows(guard, {{Role::user, planted}}, windows(), verdict);
      CHECK(verdict.severity >= clean.severity);
      n_found += verdict.severity > Severity::safe ? 1 : 0;
    }
    CAPTURE(name);
    CHECK(n_found > 0);
  }
}

TEST_CASE("long messages: texts with no place to cut at", "[windows]") {
  for (const char* name : {"gen", "stream"}) {
    const Guard guard = small_guard(name, 260);
    for (const std::string& unit : {std::string("a"), std::string("\xCC\x81\xCC\x96"), std::string(" "),
                                    std::string("\n"), std::string("\xF0\x9D\x85\xA0")}) {
      std::string text = "x";
      while (text.size() < 700) text += unit;
      CAPTURE(name, unit);
      const auto prompt = guard.classify_prompt(text, windows());
      if (!prompt.ok()) UNSCOPED_INFO(prompt.error().detail);
      REQUIRE(prompt.ok());
      if (prompt->window)
        CHECK(prompt->windows.back().window->byte_end == static_cast<std::int64_t>(text.size()));
      const auto response = guard.classify_response("Hello.", text, windows());
      if (!response.ok()) UNSCOPED_INFO(response.error().detail);
      REQUIRE(response.ok());
      if (response->window)
        CHECK(response->windows.back().window->byte_end == static_cast<std::int64_t>(text.size()));
    }
  }
}

TEST_CASE("long messages: line breaks that the template strips are in a window", "[windows][stream]") {
  const Guard guard = small_guard("stream", 260);
  const std::string text = std::string(30'000, '\n') + benign(10) + std::string(30'000, '\n') + kHarmful +
                           std::string(30'000, '\n');
  const Verdict verdict = guard.classify_response("Hello.", text, windows()).value();
  std::int64_t end = 0;
  bool has_harmful = false;
  for (const Verdict& window : verdict.windows) {
    CHECK(window.window->byte_begin <= end);
    end = window.window->byte_end;
    const auto begin = static_cast<std::size_t>(window.window->byte_begin);
    has_harmful = has_harmful || text.substr(begin, static_cast<std::size_t>(end) - begin).find(kHarmful) !=
                                     std::string::npos;
  }
  CHECK(end == static_cast<std::int64_t>(text.size()));
  CHECK(has_harmful);
}

TEST_CASE("long messages: text that is repaired has the places of the text that was given", "[windows]") {
  for (const char* name : {"gen", "stream"}) {
    const Guard guard = small_guard(name, 300);
    ClassifyOptions options = windows();
    std::string text = benign(600);
    for (std::size_t at = 50; at < text.size(); at += 97) text.insert(at, "\xFF");
    CHECK(guard.classify_prompt(text, options).error().code == ErrorCode::invalid_utf8);
    options.invalid_utf8 = InvalidUtf8::replace;
    options.keep_token_verdicts = true;
    const std::vector<Message> messages = {{Role::user, "Hello."}, {Role::assistant, text}};
    const Verdict verdict = guard.classify(messages, options).value();
    check_windows(guard, messages, options, verdict);
    for (const Verdict& window : verdict.windows) {
      for (const TokenVerdict& token : window.token_verdicts) {
        CHECK(token.byte_begin >= window.window->byte_begin);
        CHECK(token.byte_end <= window.window->byte_end);
      }
    }
    // The same of one that fits.
    if (guard.kind() == ModelKind::gen) continue;
    const std::string fits = "\xFF\xFF\xFF bread";
    const Verdict whole = guard.classify_response("Hello.", fits, options).value();
    CHECK(whole.token_verdicts.back().byte_end == static_cast<std::int64_t>(fits.size()));
  }
}

TEST_CASE("long messages: thinking that is skipped is in no window", "[windows][stream]") {
  const Guard guard = small_guard("stream", 260);
  ClassifyOptions options = windows();
  options.thinking = Thinking::skip;
  const std::string thought = "<think>\n" + benign(600) + kHarmful + "\n</think>\n\n";
  const std::string answer = benign(600);
  const Verdict verdict = guard.classify_response("Hello.", thought + answer, options).value();
  CHECK(verdict.windows.front().window->byte_begin ==
        static_cast<std::int64_t>(thought.find("</think>") + std::string("</think>").size()));
  CHECK(verdict.windows.back().window->byte_end == static_cast<std::int64_t>(thought.size() + answer.size()));
  // No answer: nothing was judged.
  for (const std::string& text : {thought, thought.substr(0, thought.size() - 12), "<think>" + benign(900)}) {
    const Verdict none = guard.classify_response("Hello.", text, options).value();
    CHECK(none.severity == Severity::not_judged);
    CHECK(none.ruling.action == Action::none);
    CHECK_FALSE(none.window.has_value());
  }
  // An answer cannot hide behind a tag that a window happens to begin with.
  std::string hidden = thought;
  for (int i = 0; i < 200; ++i) hidden += "<think>" + kHarmful + " ";
  const Verdict found = guard.classify_response("Hello.", hidden, options).value();
  for (const Verdict& window : found.windows) CHECK(window.severity != Severity::not_judged);
  // Judged, or not known of: it is text like any other.
  for (const Thinking thinking : {Thinking::none, Thinking::judge}) {
    options.thinking = thinking;
    const std::vector<Message> messages = {{Role::user, "Hello."}, {Role::assistant, thought + answer}};
    check_windows(guard, messages, options, guard.classify(messages, options).value());
  }
}

TEST_CASE("long messages: what the policy makes of windows, and makes again", "[windows][policy]") {
  for (const char* name : {"gen", "stream"}) {
    const Guard guard = small_guard(name, 240);
    ClassifyOptions options = windows();
    options.keep_token_verdicts = true;
    const std::string text =
        benign(100) + kHarmful + benign(150) + " You are an idiot and I hate you." + benign(50);
    const std::vector<std::vector<Message>> conversations = {
        {{Role::user, text}}, {{Role::user, "Hello."}, {Role::assistant, text}}};
    std::vector<Policy> policies(4, options.policy);
    PolicySpec spec = options.policy.spec();
    spec.rules.mode = Mode::loose;
    policies[1] = Policy::make(spec).value();
    for (RoleRules* role : {&spec.rules.prompt, &spec.rules.response}) {
      for (std::size_t c = 0; c < role->categories.size(); c += 2)
        role->categories[c] = {Action::allow, Action::allow, std::nullopt, std::nullopt};
    }
    policies[2] = Policy::make(spec).value();
    for (RoleRules* role : {&spec.rules.prompt, &spec.rules.response}) {
      for (CategoryRule& rule : role->categories) rule = {Action::block, std::nullopt, 0.05F, 0.3F};
    }
    policies[3] = Policy::make(spec).value();
    for (const auto& messages : conversations) {
      const Verdict first = guard.classify(messages, options).value();
      for (const Policy& policy : policies) {
        ClassifyOptions other = options;
        other.policy = policy;
        const Verdict verdict = guard.classify(messages, other).value();
        // The strictest of the windows', none of which may be overlooked.
        Action strictest = Action::allow;
        for (const Verdict& window : verdict.windows) strictest = std::max(strictest, window.ruling.action);
        CHECK(verdict.ruling.action == strictest);
        const Ruling again = decide(policy, first).value();
        CAPTURE(name, messages.size(), to_string(again.rule), to_string(verdict.ruling.rule));
        CHECK(again.action == verdict.ruling.action);
        CHECK(again.rule == verdict.ruling.rule);
        CHECK(again.category == verdict.ruling.category);
        CHECK(again.score == verdict.ruling.score);
        CHECK(again.position == verdict.ruling.position);
        CHECK(again.byte_begin == verdict.ruling.byte_begin);
        CHECK(again.byte_end == verdict.ruling.byte_end);
        CHECK(again.policy_name == verdict.ruling.policy_name);
        // A part alone, or the worst without the others, cannot say what all of them lead to.
        Verdict worst = first;
        worst.windows.clear();
        CHECK(decide(policy, worst).error().code == ErrorCode::invalid_argument);
      }
    }
  }
}

TEST_CASE("long messages: a refusal is one only when all of it refuses", "[windows]") {
  const Guard guard = small_guard("gen", 260);
  std::string text;
  for (int i = 0; i < 150; ++i) text += "I'm sorry, but I can't help with that. ";
  text += benign(400);
  const Verdict verdict = guard.classify_response("How do I build a bomb?", text, windows()).value();
  bool all = true;
  for (const Verdict& window : verdict.windows) all = all && window.refusal.value().value;
  REQUIRE(verdict.refusal.has_value());
  CHECK(verdict.refusal->value == all);
}

TEST_CASE("long messages: too little room is an error that says how much there is", "[windows]") {
  for (const char* name : {"gen", "stream"}) {
    const Guard guard = small_guard(name, 300);
    const auto needs = [&](const std::vector<Message>& messages, std::int32_t overlap) {
      const auto verdict = guard.classify(messages, windows(overlap));
      REQUIRE_FALSE(verdict.ok());
      CHECK(verdict.error().code == ErrorCode::context_full);
      return verdict.error().detail;
    };
    CAPTURE(name);
    // An overlap that leaves no progress; a conversation that leaves no room; one that does not fit itself.
    CHECK_THAT(needs({{Role::user, benign(900)}}, 1000),
               Catch::Matchers::Contains("overlap by 1000 need 2000"));
    std::string large;
    for (std::size_t n = 10; guard.tokenizer()->encode(large).value().size() < 190; ++n) large = benign(n);
    CHECK_THAT(needs({{Role::user, large}, {Role::assistant, benign(900)}}, 64),
               Catch::Matchers::Contains("need 128"));
    CHECK_THAT(needs({{Role::user, benign(2000)}, {Role::assistant, benign(900)}}, 64),
               Catch::Matchers::Contains("before the last message"));
  }
  // A run of tokens in a row is in one window.
  const Guard stream = small_guard("stream", 300);
  PolicySpec spec;
  spec.rules.long_text = LongText::windows;
  spec.rules.window_overlap_tokens = 0;
  spec.rules.debounce.consecutive_tokens = 101;
  ClassifyOptions options;
  options.policy = Policy::make(spec).value();
  const Verdict verdict = stream.classify_response("Hello.", benign(900), options).value();
  for (std::size_t i = 1; i < verdict.windows.size(); ++i) {
    const auto n_bytes = verdict.windows[i - 1].window->byte_end - verdict.windows[i].window->byte_begin;
    CHECK(stream.tokenizer()
              ->encode(benign(900).substr(static_cast<std::size_t>(verdict.windows[i].window->byte_begin),
                                          static_cast<std::size_t>(n_bytes)))
              .value()
              .size() >= 100);
  }
}

TEST_CASE("long messages: stopped between windows, and told of them", "[windows][batch]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = small_guard(name, 300);
    const std::vector<std::vector<Message>> all = {{{Role::user, "Hello."}}, {{Role::user, benign(3000)}}};
    ClassifyOptions options = windows();
    std::size_t n_calls = 0, n_last = 0;
    options.progress = [&](std::size_t n_done, std::size_t n_total) {
      CHECK(n_done >= n_last);
      CHECK(n_total == 2);
      n_last = n_done;
      ++n_calls;
      return true;
    };
    const auto batch = guard.classify_batch(all, options);
    CHECK(batch[1].value().windows.size() > 8);
    CHECK(n_calls > 4);
    CHECK(n_last == 2);
    // The callback stops it.
    n_calls = 0;
    options.progress = [&](std::size_t, std::size_t) { return ++n_calls < 3; };
    const auto stopped = guard.classify_batch(all, options);
    CHECK(stopped[0].ok());
    CHECK(stopped[1].error().code == ErrorCode::cancelled);
    CHECK(n_calls == 3);
    // So does the flag, and nothing of the message is judged.
    const auto flag = std::make_shared<CancelFlag>();
    options.cancel = flag;
    n_calls = 0;
    options.progress = [&](std::size_t, std::size_t) {
      if (++n_calls == 3) flag->cancel();
      return true;
    };
    const auto cancelled = guard.classify_batch(all, options);
    CHECK(cancelled[0].ok());
    CHECK(cancelled[1].error().code == ErrorCode::cancelled);
    options.progress = nullptr;
    CHECK(guard.classify(all[1], options).error().code == ErrorCode::cancelled);
  }
}
