// SPDX-License-Identifier: Apache-2.0
#include "guard/policy/policy_document.hpp"

#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/policy.hpp"
#include "random_data.hpp"
#include "temporary_folder.hpp"

namespace {

using namespace qwen3guard;
using namespace qwen3guard::detail;

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t n) { return static_cast<std::size_t>(random() % n); }
bool coin(Random& random) { return below(random, 2) == 0; }

template <class Enum>
Enum any_of(Random& random, std::initializer_list<Enum> values) {
  return values.begin()[below(random, values.size())];
}

float random_probability(Random& random) {
  return static_cast<float>(q3g_test::random_24_bits(random)) * 0x1p-24F;
}

CategoryRule random_rule(Random& random) {
  CategoryRule rule;
  if (coin(random)) {
    rule.unsafe = any_of(random, {Action::allow, Action::flag, Action::block});
    if (coin(random)) rule.controversial = Action(1 + below(random, static_cast<std::size_t>(rule.unsafe)));
    return rule;
  }
  if (coin(random)) rule.block_threshold = random_probability(random);
  if (coin(random)) rule.flag_threshold = random_probability(random) * rule.block_threshold.value_or(1);
  return rule;
}

RoleRules random_role(Random& random) {
  RoleRules rules;
  if (coin(random)) rules.categories.fill(random_rule(random));
  for (CategoryRule& rule : rules.categories) {
    if (coin(random)) rule = random_rule(random);
  }
  if (coin(random)) rules.temperature = 0.01F + random_probability(random) * 99;
  return rules;
}

// With characters that JSON escapes, that end lines, that are outside of the BMP.
std::string random_text(Random& random, std::size_t max_pieces, bool with_controls) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "Z",
                                                   " ",
                                                   "\"",
                                                   "\\",
                                                   "/",
                                                   "\xC3\xA4",
                                                   "\xE2\x80\xAE",
                                                   "\xF0\x9F\x98\x80",
                                                   "\xEF\xBB\xBF",
                                                   "\n",
                                                   "\x01",
                                                   std::string(1, '\0')};
  std::string out;
  for (std::size_t n = 1 + below(random, max_pieces); n > 0; --n)
    out += kPieces[below(random, kPieces.size() - (with_controls ? 0 : 3))];
  return out;
}

PolicySpec random_spec(Random& random) {
  PolicySpec spec;
  spec.name = random_text(random, 15, false);
  spec.version = random_text(random, 7, false);
  PolicyRules& rules = spec.rules;
  rules.mode = any_of(random, {Mode::strict, Mode::loose});
  rules.prompt = random_role(random);
  rules.response = random_role(random);
  rules.debounce.rule = any_of(random, {RunRule::published, RunRule::report});
  rules.debounce.consecutive_tokens =
      any_of<std::int32_t>(random, {1, 2, 7, std::numeric_limits<std::int32_t>::max()});
  rules.debounce.end_of_turn = any_of(random, {EndOfTurn::ignore_open_run, EndOfTurn::count_open_run});
  if (coin(random)) rules.debounce.release_tokens = any_of<std::int32_t>(random, {1, 9});
  if (rules.debounce.release_tokens > 0 && coin(random))
    rules.debounce.release_threshold = random_probability(random);
  rules.unjudged = any_of(random, {Unjudged::no_action, Unjudged::block});
  rules.context = any_of(random, {ContextPolicy::error, ContextPolicy::stop, ContextPolicy::slide});
  rules.long_text = any_of(random, {LongText::error, LongText::windows});
  rules.window_overlap_tokens = any_of<std::int32_t>(random, {0, 64, 65});
  rules.dropped_messages = any_of(random, {DroppedMessages::report, DroppedMessages::reject});
  for (std::size_t n = below(random, 4); n > 0; --n) spec.lists.deny.push_back(random_text(random, 20, true));
  for (std::size_t n = below(random, 4); n > 0; --n)
    spec.lists.allow.push_back(random_text(random, 20, true));
  spec.lists.folding = {coin(random), coin(random), coin(random), coin(random), coin(random), coin(random)};
  spec.lists.judge_folded_copy = coin(random);
  return spec;
}

std::string error_of(std::string_view json) {
  const auto spec = read_policy(json);
  return spec.ok() ? "accepted" : spec.error().detail;
}

std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST_CASE("a spec written and read is the same spec") {
  constexpr std::uint64_t kSeed = 20261127;
  Random random(kSeed);
  for (int i = 0; i < q3g_test::iterations(2000); ++i) {
    const PolicySpec spec = random_spec(random);
    CAPTURE(kSeed, i);
    const Status status = check_policy(spec);
    INFO((status.ok() ? "" : status.error().detail));
    REQUIRE(status.ok());
    const std::string json = write_policy(spec);
    INFO(json);
    const auto read = read_policy(json);
    INFO((read.ok() ? "" : read.error().detail));
    REQUIRE(read.ok());
    REQUIRE(*read == spec);
    REQUIRE(write_policy(*read) == json);
  }
}

TEST_CASE("thresholds keep their bits") {
  Random random(7);
  for (int i = 0; i < q3g_test::iterations(20000); ++i) {
    // Any float of [0, 1], the tiny ones among them.
    const auto bits = static_cast<std::uint32_t>(random() % 0x3F800001U);
    PolicySpec spec;
    spec.rules.prompt.categories[0].block_threshold = std::bit_cast<float>(bits);
    const auto read = read_policy(write_policy(spec));
    REQUIRE(read.ok());
    REQUIRE(std::bit_cast<std::uint32_t>(*read->rules.prompt.categories[0].block_threshold) == bits);
  }
}

TEST_CASE("what is not given has its default") {
  const auto read = read_policy(R"({"schema": 1, "name": "n", "version": "v"})");
  REQUIRE(read.ok());
  PolicySpec expected;
  expected.name = "n";
  expected.version = "v";
  CHECK(*read == expected);
}

TEST_CASE("the short forms of categories") {
  const auto read = read_policy(R"({
    "schema": 1, "name": "chat-game", "version": "2026-11", "$schema": "policy.schema.json",
    "prompt": {
      "categories": {
        "Politically Sensitive Topics": "off",
        "Violent": {"unsafe": "flag"},
        "Personally Identifiable Information": {"flag_threshold": 0.4, "block_threshold": 0.8},
        "Jailbreak": {"controversial": "flag"},
        "Unethical Acts": {}
      },
      "default": "flag"
    },
    "response": {"default": "off", "temperature": 1.3, "categories": {}}
  })");
  INFO((read.ok() ? "" : read.error().detail));
  REQUIRE(read.ok());
  PolicySpec expected;
  expected.name = "chat-game";
  expected.version = "2026-11";
  auto& prompt = expected.rules.prompt.categories;
  prompt.fill({.unsafe = Action::flag, .controversial = {}, .flag_threshold = {}, .block_threshold = {}});
  prompt[6].unsafe = Action::allow;
  prompt[3] = {.unsafe = Action::block, .controversial = {}, .flag_threshold = 0.4F, .block_threshold = 0.8F};
  prompt[8] = {
      .unsafe = Action::block, .controversial = Action::flag, .flag_threshold = {}, .block_threshold = {}};
  prompt[5] = {};
  expected.rules.response.categories.fill(
      {.unsafe = Action::allow, .controversial = {}, .flag_threshold = {}, .block_threshold = {}});
  expected.rules.response.temperature = 1.3F;
  CHECK(*read == expected);
}

TEST_CASE("a byte order mark and other line ends change nothing") {
  const auto plain = read_policy("{\n\"schema\": 1,\n\"name\": \"n\",\n\"version\": \"v\"\n}\n");
  const auto marked =
      read_policy("\xEF\xBB\xBF{\r\n\"schema\": 1,\r\n\"name\": \"n\",\r\n\"version\": \"v\"\r\n}\r\n");
  REQUIRE((plain.ok() && marked.ok()));
  CHECK(*plain == *marked);
  CHECK(error_of("\xEF\xBB\xBF{\r\n\"schema\": 1,\r\n\"nam\": \"n\"}") ==
        "policy:3:1: nam: unknown key; did you mean \"name\"?");
}

// Members behind the three that have to be there, on the second line.
std::string error_behind(const std::string& members) {
  return error_of("{\"schema\": 1, \"name\": \"n\", \"version\": \"v\",\n" + members + "}");
}

TEST_CASE("what is wrong in a policy is said with line, column and path") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"("mode": "lose")", R"(policy:2:1: mode: "lose"; expected "strict" or "loose")"},
      {R"("mode": "")", R"(policy:2:1: mode: ""; expected "strict" or "loose")"},
      {R"("mode": null)", R"(policy:2:1: mode: null; expected "strict" or "loose")"},
      {R"("mode": "loose", "mode": "loose")", "policy:2:18: mode: given twice"},
      {R"("name": "n")", "policy:2:1: name: given twice"},
      {R"("m\u006fde": "loose", "mode": "loose")", "policy:2:23: mode: given twice"},
      {R"("colour": 1)",
       "policy:2:1: colour: unknown key; expected one of: $schema, schema, name, version, mode, prompt, "
       "response, "
       "debounce, unjudged, context, long_text, window_overlap_tokens, dropped_messages, lists"},
      {R"("Mode": "loose")", R"(policy:2:1: Mode: unknown key; did you mean "mode"?)"},
      {R"("a\nb\u202e": 1)",
       "policy:2:1: a\\nb\\u202e: unknown key; expected one of: $schema, schema, name, version, mode, "
       "prompt, "
       "response, debounce, unjudged, context, long_text, window_overlap_tokens, dropped_messages, lists"},
      {R"("prompt": [])", "policy:2:1: prompt: an array; expected an object"},
      {R"("prompt": {"temprature": 2})",
       R"(policy:2:12: prompt.temprature: unknown key; did you mean "temperature"?)"},
      {R"("prompt": {"temperature": 0})", "policy:2:12: prompt.temperature: 0; expected 0.01 to 100"},
      {R"("prompt": {"temperature": -1})", "policy:2:12: prompt.temperature: -1; expected 0.01 to 100"},
      {R"("prompt": {"temperature": 101.5})", "policy:2:12: prompt.temperature: 101.5; expected 0.01 to 100"},
      {R"("prompt": {"temperature": "1"})",
       R"(policy:2:12: prompt.temperature: "1"; expected a number, 0.01 to 100)"},
      {R"("prompt": {"default": "allow"})",
       R"(policy:2:12: prompt.default: "allow"; expected "off", "flag" or "block")"},
      {R"("prompt": {"default": true})",
       R"(policy:2:12: prompt.default: true; expected "off", "flag" or "block", or an object)"},
      {R"("prompt": {"categories": ["PII"]})",
       "policy:2:12: prompt.categories: an array; expected an object"},
      {R"("prompt": {"categories": {"pii": "off"}})",
       R"(policy:2:27: prompt.categories.pii: unknown category; did you mean "PII"?)"},
      {R"("prompt": {"categories": {"Politics": "off"}})",
       "policy:2:27: prompt.categories.Politics: unknown category; expected one of: Violent, Non-violent "
       "Illegal "
       "Acts, Sexual Content or Sexual Acts, PII, Suicide & Self-Harm, Unethical Acts, Politically Sensitive "
       "Topics, Copyright Violation, Jailbreak"},
      {R"("prompt": {"categories": {"PII": "off", "Personally Identifiable Information": "off"}})",
       "policy:2:41: prompt.categories.Personally Identifiable Information: given twice"},
      {"\"prompt\": {\"categories\": {\"Violent\": \"off\",\n  \"PII\": {\"flag_threshold\": 1.4}}}",
       "policy:3:11: prompt.categories.PII.flag_threshold: 1.4; expected 0 to 1"},
      {R"("prompt": {"categories": {"PII": {"flag_threshold": 0.8, "block_threshold": 0.4}}})",
       "policy:2:35: prompt.categories.PII.flag_threshold: 0.8; expected at most block_threshold, 0.4"},
      {R"("prompt": {"categories": {"PII": {"unsafe": "block", "block_threshold": 0.4}}})",
       "policy:2:35: prompt.categories.PII.unsafe: an action beside a threshold; thresholds decide by the "
       "score "
       "alone"},
      {R"("prompt": {"categories": {"PII": {"block_threshold": 0.4, "controversial": "off"}}})",
       "policy:2:59: prompt.categories.PII.controversial: an action beside a threshold; thresholds decide by "
       "the "
       "score alone"},
      {R"("prompt": {"categories": {"PII": {"unsafe": "flag", "controversial": "block"}}})",
       "policy:2:53: prompt.categories.PII.controversial: \"block\" is stricter than \"flag\", which Unsafe "
       "leads "
       "to"},
      {R"("response": {"categories": {"Jailbreak": "off"}})",
       "policy:2:29: response.categories.Jailbreak: not a category of responses: only prompts are judged for "
       "it"},
      {R"("debounce": {"consecutive_tokens": 0})",
       "policy:2:14: debounce.consecutive_tokens: 0; expected at least 1"},
      {R"("debounce": {"consecutive_tokens": 1.5})",
       "policy:2:14: debounce.consecutive_tokens: 1.5; expected a whole number, at least 1"},
      {R"("debounce": {"consecutive_tokens": 3000000000})",
       "policy:2:14: debounce.consecutive_tokens: 3000000000; expected 1 to 2147483647"},
      {R"("debounce": {"release_tokens": 0, "release_threshold": 0.5})",
       "policy:2:35: debounce.release_threshold: set, but nothing is released; expected release_tokens of at "
       "least "
       "1 beside it"},
      {R"("window_overlap_tokens": -1)", "policy:2:1: window_overlap_tokens: -1; expected at least 0"},
      {R"("context": "Slide")", R"(policy:2:1: context: "Slide"; expected "error", "stop" or "slide")"},
      {R"("lists": {"deny": "bomb"})", "policy:2:11: lists.deny: \"bomb\"; expected an array of strings"},
      {R"("lists": {"deny": ["bomb", ["x"]]})", "policy:2:28: lists.deny[1]: an array; expected a string"},
      {R"("lists": {"allow": ["a", "b", ""]})",
       "policy:2:31: lists.allow[2]: \"\"; expected 1 to 1000 bytes of UTF-8"},
      {R"("lists": {"folding": {"width": 1}})",
       "policy:2:23: lists.folding.width: 1; expected true or false"},
      {R"("$schema": 1)", "policy:2:1: $schema: 1; expected a string"},
  };
  for (const auto& [members, expected] : table) {
    CAPTURE(members);
    CHECK(error_behind(members) == expected);
  }
}

TEST_CASE("what is wrong with a document as a whole") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"{}", "policy:1:1: schema: missing; expected 1"},
      {R"({"schema": 1})",
       "policy:1:1: name: missing; expected 1 to 63 bytes of text, which every ruling names"},
      {R"({"schema": 1, "name": "n"})",
       "policy:1:1: version: missing; expected 1 to 31 bytes of text, which every ruling names"},
      {R"({"new": 1, "schema": 2})",
       "policy:1:12: schema: 2; expected 1, the version that this library reads"},
      {R"({"schema": "1"})", "policy:1:2: schema: \"1\"; expected 1, the version that this library reads"},
      {R"({"schema": 1, "name": ""})",
       "policy:1:15: name: \"\"; expected 1 to 63 bytes of UTF-8 without control characters"},
      {R"({"schema": 1, "name": "a\nb"})",
       "policy:1:15: name: \"a\\nb\"; expected 1 to 63 bytes of UTF-8 without control characters"},
      {R"({"schema": 1, "name": 7})", "policy:1:15: name: 7; expected a string"},
      {"[1]", "policy:1:1: an array; expected an object"},
      {"7", "policy:1:1: 7; expected an object"},
      {"{\"schema\": 1,\n \"name\": \"n\"\n \"version\": \"v\"}",
       "policy:3:2: not valid JSON: TAPE_ERROR: The JSON document has an improper structure: missing or "
       "superfluous commas, braces, missing keys, etc."},
  };
  for (const auto& [json, expected] : table) {
    CAPTURE(json);
    const std::string found = error_of(json);
    // simdjson's words differ between versions.
    const std::size_t same = std::min(expected.find("not valid JSON"), expected.size());
    CHECK(found.substr(0, same) == expected.substr(0, same));
  }
}

TEST_CASE("files that are no policy give one error") {
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string(4096, '\0'), std::string(1000, '['),
        std::string(100000, '['), std::string("\x80\x81\xFE\xFF"), std::string("GGUF\x03"),
        std::string("mode: loose\n"), std::string("{\"schema\": 1, \"name\": \"\xFF\"}"),
        std::string((std::size_t{16} << 20) + 1, ' '),
        std::string("{\"lists\": ") + std::string(2000, '[') + std::string(2000, ']') + "}"}) {
    CAPTURE(text.substr(0, 40), text.size());
    const auto read = read_policy(text, "file.json");
    REQUIRE(!read.ok());
    CHECK(read.error().code == ErrorCode::invalid_argument);
    CHECK(read.error().detail.starts_with("file.json:"));
    CHECK(read.error().detail.find('\n') == std::string::npos);
    CHECK(read.error().detail.size() < 400);
  }
  const std::string long_name = R"({"schema": 1, "name": ")" + std::string(64, 'a') + R"(", "version": "v"})";
  CHECK(error_of(long_name).find("expected 1 to 63 bytes") != std::string::npos);
  const std::string long_phrase = R"({"schema": 1, "name": "a", "version": "v", "lists": {"deny": [")" +
                                  std::string(1001, 'a') + R"("]}})";
  CHECK(error_of(long_phrase).find("lists.deny[0]: \"aaa") != std::string::npos);
}

TEST_CASE("a spoiled document is refused in one line, or a sound policy") {
  constexpr std::uint64_t kSeed = 3;
  Random random(kSeed);
  int n_refused = 0;
  for (int i = 0; i < q3g_test::iterations(4000); ++i) {
    std::string json = write_policy(random_spec(random));
    for (std::size_t n = 1 + below(random, 3); n > 0; --n) {
      const std::size_t at = below(random, json.size());
      const std::size_t n_cut = below(random, 12);
      const std::string other = json.substr(below(random, json.size()), below(random, 12));
      if (coin(random)) {
        json.replace(at, n_cut, other);
      } else {
        json[at] = static_cast<char>(random() & 0xFF);
      }
    }
    CAPTURE(kSeed, i);
    INFO(json);
    const auto read = read_policy(json);
    if (read.ok()) {
      CHECK(check_policy(*read).ok());
      continue;
    }
    ++n_refused;
    CHECK(read.error().code == ErrorCode::invalid_argument);
    CHECK(read.error().detail.starts_with("policy:"));
    CHECK(read.error().detail.find_first_of("\n\r") == std::string::npos);
    CHECK(read.error().detail.size() < 1000);
  }
  CHECK(n_refused > 0);
}

TEST_CASE("a spec is checked like a file") {
  const auto error_with = [](const auto& spoil) {
    PolicySpec spec;
    spoil(spec);
    const Status status = check_policy(spec);
    return status.ok() ? std::string("accepted") : status.error().detail;
  };
  CHECK(error_with([](PolicySpec&) {}) == "accepted");
  CHECK(error_with([](PolicySpec& spec) { spec.name.clear(); }) ==
        "name: \"\"; expected 1 to 63 bytes of UTF-8 without control characters");
  CHECK(error_with([](PolicySpec& spec) { spec.version = "\xFF"; }) ==
        "version: \"\\xff\"; expected 1 to 31 bytes of UTF-8 without control characters");
  CHECK(error_with([](PolicySpec& spec) { spec.rules.mode = Mode(7); }) ==
        "mode: the value 7; expected \"strict\" or \"loose\"");
  CHECK(error_with([](PolicySpec& spec) { spec.rules.context = ContextPolicy(-1); }) ==
        "context: the value -1; expected \"error\", \"stop\" or \"slide\"");
  CHECK(error_with([](PolicySpec& spec) { spec.rules.prompt.categories[3].unsafe = Action::none; }) ==
        "prompt.categories.PII.unsafe: the value 0; expected \"off\", \"flag\" or \"block\"");
  CHECK(error_with([](PolicySpec& spec) { spec.rules.response.categories[0].flag_threshold = 1.5F; }) ==
        "response.categories.Violent.flag_threshold: 1.5; expected 0 to 1");
  CHECK(error_with([](PolicySpec& spec) {
          spec.rules.response.categories[0].flag_threshold = std::numeric_limits<float>::quiet_NaN();
        }) == "response.categories.Violent.flag_threshold: nan; expected 0 to 1");
  CHECK(error_with([](PolicySpec& spec) {
          spec.rules.prompt.categories[8] = {.unsafe = Action::flag,
                                             .controversial = Action::block,
                                             .flag_threshold = {},
                                             .block_threshold = {}};
        }) ==
        "prompt.categories.Jailbreak.controversial: \"block\" is stricter than \"flag\", which Unsafe leads "
        "to");
  CHECK(
      error_with([](PolicySpec& spec) {
        spec.rules.prompt.categories[0] = {
            .unsafe = Action::allow, .controversial = {}, .flag_threshold = 0.5F, .block_threshold = {}};
      }) ==
      "prompt.categories.Violent.unsafe: an action beside a threshold; thresholds decide by the score alone");
  CHECK(error_with([](PolicySpec& spec) { spec.rules.response.temperature = 0; }) ==
        "response.temperature: 0; expected 0.01 to 100");
  CHECK(error_with([](PolicySpec& spec) { spec.rules.debounce.consecutive_tokens = 0; }) ==
        "debounce.consecutive_tokens: 0; expected at least 1");
  CHECK(error_with([](PolicySpec& spec) { spec.rules.debounce.release_threshold = 0.5F; }) ==
        "debounce.release_threshold: set, but nothing is released; expected release_tokens of at least 1 "
        "beside it");
  CHECK(error_with([](PolicySpec& spec) {
          spec.lists.deny = {"a", "\xC3"};
        }) == "lists.deny[1]: \"\\xc3\"; expected 1 to 1000 bytes of UTF-8");
}

TEST_CASE("the library's policies are the files that are installed") {
  std::vector<std::string> names;
  for (const std::string_view name : preset_names()) {
    names.emplace_back(name);
    const auto spec = preset_spec(name);
    REQUIRE(spec.ok());
    CHECK(check_policy(*spec).ok());
    CHECK(spec->name == name);
    const std::string path =
        std::string(Q3G_TEST_DIR) + "/../src/guard/policy/presets/" + names.back() + ".json";
    CHECK(file_text(path) == write_policy(*spec));
    const auto loaded = Policy::load(path);
    REQUIRE(loaded.ok());
    CHECK(loaded->spec() == *spec);
    CHECK(Policy::preset(name).value().to_json() == loaded->to_json());
  }
  CHECK(names == std::vector<std::string>{"strict", "loose", "chat-game", "assistant"});
  const auto unknown = preset_spec("Strict");
  REQUIRE(!unknown.ok());
  CHECK(unknown.error().detail ==
        "\"Strict\" is no policy of the library; expected one of: strict, loose, chat-game, assistant");
}

TEST_CASE("a file's errors name the file") {
  const q3g_test::TemporaryFolder folder;
  const std::string path = folder / "a policy.json";
  CHECK(Policy::load(path).error().code == ErrorCode::file_not_found);
  std::ofstream(path) << "{\"schema\": 1,\n  \"nam\": 1}";
  CHECK(Policy::load(path).error().detail == path + ":2:3: nam: unknown key; did you mean \"name\"?");
}

TEST_CASE("what is found behind the reader has its place, too") {
  const std::string json =
      "\xEF\xBB\xBF{\"schema\": 1, \"lists\":\n {\"allow\": [],\n \"deny\": [\"a\",\n  \"b\"]}}";
  const auto placed = [&](const char* what) {
    return at_its_place({ErrorCode::unsupported_model, what}, json, "x.json").detail;
  };
  CHECK(placed("lists.deny[1]: wrong") == "x.json:4:3: lists.deny[1]: wrong");
  CHECK(placed("lists.deny: wrong: x") == "x.json:3:2: lists.deny: wrong: x");
  CHECK(placed("lists: wrong") == "x.json:1:15: lists: wrong");
  CHECK(placed("lists.deny[7]: wrong") == "x.json:3:2: lists.deny[7]: wrong");
  CHECK(placed("lists.folding.width: wrong") == "x.json:1:15: lists.folding.width: wrong");
  CHECK(placed("no path") == "x.json:1:1: no path");
  CHECK(at_its_place({ErrorCode::unsupported_model, "lists: x"}, json).code == ErrorCode::unsupported_model);
}

TEST_CASE("a policy in plain words") {
  CHECK(describe_policy(PolicySpec()) ==
        "Policy \"default\", version \"1\", strict mode.\n"
        "Prompts:\n"
        "  all categories: Unsafe and Controversial are blocked.\n"
        "Responses:\n"
        "  all categories: Unsafe and Controversial are blocked.\n"
        "Streams: 2 tokens in a row of one severity decide. A shorter run in which the turn ends decides "
        "nothing. An "
        "action stays until the turn ends.\n"
        "What was not judged gets no action: the host decides.\n"
        "Streams at the end of the context: an error.\n"
        "Messages longer than the context: an error.\n"
        "Messages that a Gen checkpoint's template leaves out are reported.\n");
  PolicySpec spec;
  spec.rules.mode = Mode::loose;
  spec.rules.prompt.temperature = 1.3F;
  spec.rules.prompt.categories[3] = {
      .unsafe = Action::block, .controversial = {}, .flag_threshold = 0.4F, .block_threshold = 0.8F};
  spec.rules.prompt.categories[6].unsafe = Action::allow;
  spec.rules.debounce = {.rule = RunRule::report,
                         .consecutive_tokens = 3,
                         .end_of_turn = EndOfTurn::count_open_run,
                         .release_tokens = 5,
                         .release_threshold = 0.25F};
  spec.rules.unjudged = Unjudged::block;
  spec.rules.context = ContextPolicy::slide;
  spec.rules.long_text = LongText::windows;
  spec.rules.dropped_messages = DroppedMessages::reject;
  spec.lists.deny = {"a", "b"};
  spec.lists.judge_folded_copy = true;
  CHECK(describe_policy(spec) ==
        "Policy \"default\", version \"1\", loose mode.\n"
        "Prompts:\n"
        "  Violent, Non-violent Illegal Acts, Sexual Content or Sexual Acts, Suicide & Self-Harm, Unethical "
        "Acts, "
        "Copyright Violation, Jailbreak: Unsafe is blocked, Controversial is flagged.\n"
        "  PII: flagged from 0.4 on, blocked from 0.8 on, else allowed, by P(Unsafe).\n"
        "  Politically Sensitive Topics: off.\n"
        "  Thresholds see probabilities at temperature 1.3.\n"
        "Responses:\n"
        "  all categories: Unsafe is blocked, Controversial is flagged.\n"
        "Streams: 3 tokens in a row of which none is Safe decide. A shorter run decides, too, when the turn "
        "ends in "
        "it. An action is taken back after 5 tokens in a row that lead to none and score below 0.25.\n"
        "What was not judged is blocked.\n"
        "Streams at the end of the context: the oldest half of the response makes room.\n"
        "Messages longer than the context are judged in windows that overlap by 64 tokens; the worst verdict "
        "counts.\n"
        "Messages that a Gen checkpoint's template leaves out are an error.\n"
        "Phrases that block before the model judges: 2; that lift such hits: 0. Folded away: case, width, "
        "invisible "
        "characters.\n"
        "A folded copy is judged, too, and the worse verdict counts.\n");
}

}  // namespace

namespace {

/// What a policy's description says of each category of a role: the text behind its name.
std::string said_of(const std::string& description, bool is_prompt, Category category) {
  std::size_t at = description.find(is_prompt ? "Prompts:\n" : "Responses:\n");
  at = description.find('\n', at) + 1;
  while (description.compare(at, 2, "  ") == 0) {
    const std::size_t end = description.find('\n', at);
    const std::string line = description.substr(at + 2, end - at - 2);
    const std::size_t colon = line.find(": ");
    const std::string names = ", " + line.substr(0, colon) + ", ";
    if (names == ", all categories, " ||
        names.find(std::string(", ") + to_string(category) + ", ") != std::string::npos)
      return line.substr(colon + 2);
    at = end + 1;
  }
  return "nothing";
}

/// What that means for a severity, or a score.
Action action_of(const std::string& text, Severity severity, float score) {
  if (text == "off.") return Action::allow;
  const auto named = [](const std::string& word) {
    return word.starts_with("blocked")   ? Action::block
           : word.starts_with("flagged") ? Action::flag
                                         : Action::allow;
  };
  if (text.find("else allowed") != std::string::npos) {
    Action out = Action::allow;
    for (const char* word : {"flagged from ", "blocked from "}) {
      const std::size_t at = text.find(word);
      if (at != std::string::npos && score >= std::stof(text.substr(at + 13))) out = named(word);
    }
    return out;
  }
  const std::string all = "Unsafe and Controversial are ", unsafe = "Unsafe is ", other = "Controversial is ";
  if (text.starts_with(all)) return named(text.substr(all.size()));
  const std::string& word = severity == Severity::unsafe ? unsafe : other;
  return named(text.substr(text.find(word) + word.size()));
}

}  // namespace

TEST_CASE("what a policy says in plain words is what it does") {
  constexpr std::uint64_t kSeed = 1529;
  Random random(kSeed);
  for (int i = 0; i < q3g_test::iterations(400); ++i) {
    PolicySpec spec = random_spec(random);
    spec.rules.prompt.temperature = spec.rules.response.temperature = 1;
    spec.lists = {};
    const Policy policy = Policy::make(spec).value();
    const std::string description = policy.describe();
    CAPTURE(kSeed, i, description);
    CHECK((description.find("strict mode") != std::string::npos) == (spec.rules.mode == Mode::strict));
    CHECK((description.find("What was not judged is blocked.") != std::string::npos) ==
          (rule_unjudged(policy).action == Action::block));
    for (const Role role : {Role::user, Role::assistant}) {
      for (std::int32_t c = 0; c < kCategoryCount - (role == Role::user ? 0 : 1); ++c) {
        Verdict verdict;
        verdict.role = role;
        verdict.severity = coin(random) ? Severity::unsafe : Severity::controversial;
        verdict.categories = {{static_cast<Category>(c), 1.0F}};
        verdict.probabilities.unsafe = random_probability(random);
        verdict.probabilities.safe = 1 - verdict.probabilities.unsafe;
        const std::string said = said_of(description, role == Role::user, static_cast<Category>(c));
        CAPTURE(c, said, to_string(verdict.severity), verdict.probabilities.unsafe);
        REQUIRE(decide(policy, verdict).value().action ==
                action_of(said, verdict.severity, verdict.probabilities.unsafe));
      }
    }
  }
}

TEST_CASE("texts and numbers at the edge of JSON are read, or refused at their place") {
  const auto with = [](const std::string& member) {
    return R"({"schema": 1, "name": "n", "version": "v", )" + member + "}";
  };
  const auto debounce = [&](const std::string& number) {
    return with(R"("debounce": {"consecutive_tokens": )" + number + "}}").substr(0, std::string::npos);
  };
  // A lone surrogate is no text, a pair is; so are control characters and NUL.
  for (const std::string phrase :
       {R"("\ud800")", R"("\udc00\ud800")", R"("\ud83d")", "\"\x01\"", "\"\xED\xA0\x80\""})
    CHECK(error_of(with(R"("lists": {"deny": [)" + phrase + "]}")) != "accepted");
  CHECK(error_of(with(R"("lists": {"deny": ["\ud83d\ude00"]})")) == "accepted");
  CHECK(error_of(with(R"("na\u006de": "x")")).find("given twice") != std::string::npos);
  CHECK(error_of(with(R"("mo\u0064e": "loose")")) == "accepted");
  CHECK(error_of(with(R"("mode": "loose", "mode": "loose")")).find("given twice") != std::string::npos);
  CHECK(
      error_of(
          with(R"("prompt": {"categories": {"PII": "off", "Personally Identifiable Information": "block"}})"))
          .find("given twice") != std::string::npos);
  for (const char* number : {"1e999",
                             "-1e999",
                             "1e400",
                             "0",
                             "-1",
                             "1.5",
                             "2147483648",
                             "9223372036854775808",
                             "18446744073709551616",
                             "123456789012345678901234567890",
                             "NaN",
                             "Infinity",
                             "01",
                             "+1",
                             "0x1",
                             "1.",
                             "null",
                             "true",
                             "\"2\"",
                             "[2]"}) {
    CAPTURE(number);
    CHECK(error_of(debounce(number).substr(0, debounce(number).size() - 1)) != "accepted");
  }
  for (const char* number : {"1", "2147483647", "1e3", "20E-1"}) {
    CAPTURE(number);
    CHECK(error_of(debounce(number).substr(0, debounce(number).size() - 1)) == "accepted");
  }
  // More than one document, or one that is cut off.
  const std::string good = with(R"("mode": "loose")");
  for (const std::string& text :
       {good + "{}", good + ",", good + good, good + std::string(1, '\0'), good + "\xEF\xBB\xBF",
        good.substr(0, good.size() - 1), std::string("\xEF\xBB\xBF"), std::string("\xFF\xFE{\0}\0", 6)})
    CHECK(error_of(text) != "accepted");
  CHECK(error_of("\xEF\xBB\xBF" + good + " \r\n\t") == "accepted");
  for (std::size_t n = 0; n < good.size(); ++n) CHECK(error_of(good.substr(0, n)) != "accepted");
}

TEST_CASE("what is no file of a policy is an error that names it") {
  const q3g_test::TemporaryFolder folder;
  const auto load_error = [](const std::string& path) {
    const auto policy = Policy::load(path);
    return policy.ok() ? "accepted" : policy.error().detail;
  };
  CHECK(load_error(folder / ".") != "accepted");  // a directory
  CHECK(load_error(folder / "none.json") != "accepted");
  for (const std::string& text : {std::string(), std::string(4096, '\0'), std::string("\xEF\xBB\xBF")}) {
    const std::string path = folder / "policy.json";
    std::ofstream(path, std::ios::binary) << text;
    const std::string error = load_error(path);
    CHECK(error.find("policy.json") != std::string::npos);
    CHECK(error.find('\n') == std::string::npos);
  }
}
