// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/checkpoint_template.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "model/checkpoint/chat_templates.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "temporary_folder.hpp"

using namespace qwen3guard;
using detail::template_fingerprint;

namespace {

const std::string kOurs = "{% for m in messages %}\n{{ m.content }}\n{% endfor %}";
const std::string kOther = "{{ messages[0].content }}";

/// The template of a checkpoint with these files.
Result<detail::CheckpointTemplate> found_in(const std::vector<std::pair<std::string, std::string>>& files,
                                            const std::string& known = "") {
  std::vector<detail::MemoryFiles::Entry> entries;
  for (const auto& [name, text] : files) entries.push_back({name, std::as_bytes(std::span(text))});
  auto texts = detail::read_chat_templates(detail::MemoryFiles("test", std::move(entries)));
  if (!texts.ok()) return std::move(texts).error();
  return detail::judge_templates(*std::move(texts), ModelKind::stream, known);
}

/// A golden checkpoint of random weights with one more file.
void copy_checkpoint(const std::string& name, const std::string& folder, const std::string& file,
                     const std::string& text) {
  std::filesystem::create_directory(folder);
  for (const char* part : {"config.json", "model.safetensors"}) {
    std::filesystem::copy_file(std::string(Q3G_TEST_DIR) + "/golden/models/" + name + "/" + part,
                               folder + "/" + part);
  }
  std::ofstream(folder + "/" + file, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("chat template: fingerprints ignore what Jinja ignores", "[guard][template]") {
  const std::string fingerprint = template_fingerprint("a\nb");
  CHECK(detail::is_fingerprint(fingerprint));
  for (const char* same : {"a\r\nb", "a\rb", "a\nb\n", "a\r\nb\r\n"})
    CHECK(template_fingerprint(same) == fingerprint);
  for (const char* other : {"a\n\nb", "a\nb\n\n", "a\nb ", "\na\nb", "A\nb", ""})
    CHECK(template_fingerprint(other) != fingerprint);
  CHECK_FALSE(detail::is_fingerprint("0123456789abcde"));
  CHECK_FALSE(detail::is_fingerprint("0123456789ABCDEF"));
}

TEST_CASE("chat template: where it is looked for", "[guard][template]") {
  CHECK(found_in({})->kind == ChatTemplate::absent);
  CHECK(found_in({{"tokenizer_config.json", "{}"}})->kind == ChatTemplate::absent);
  CHECK(found_in({{"tokenizer_config.json", R"({"chat_template": null})"}})->kind == ChatTemplate::absent);
  const std::string as_json =
      R"({"chat_template": "{% for m in messages %}\n{{ m.content }}\n{% endfor %}"})";
  for (const auto& [name, text] :
       std::vector<std::pair<std::string, std::string>>{{"chat_template.jinja", kOurs},
                                                        {"chat_template.json", as_json},
                                                        {"tokenizer_config.json", as_json}}) {
    CAPTURE(name);
    const auto unknown = found_in({{name, text}});
    CHECK(unknown->kind == ChatTemplate::unknown);
    CHECK(unknown->fingerprint == template_fingerprint(kOurs));
    CHECK(unknown->file.find(name) != std::string::npos);
    CHECK(found_in({{name, text}}, template_fingerprint(kOurs))->kind == ChatTemplate::known);
    CHECK(found_in({{name, text}}, template_fingerprint(kOther))->kind == ChatTemplate::unknown);
  }
  // Of two, one that is not known is told, wherever it is.
  for (const std::string& known : {kOurs, kOther}) {
    const auto two = found_in({{"chat_template.jinja", kOther}, {"tokenizer_config.json", as_json}},
                              template_fingerprint(known));
    CHECK(two->kind == ChatTemplate::unknown);
    CHECK(two->fingerprint == template_fingerprint(known == kOurs ? kOther : kOurs));
  }
  // Templates with names: something else than a published checkpoint has.
  CHECK(found_in({{"tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "x"}]})"}})
            ->kind == ChatTemplate::unknown);
}

TEST_CASE("chat template: a broken file is an error that names it", "[guard][template]") {
  for (const char* text : {"", "[]", "{", "\"x\"", "version https://git-lfs.github.com/spec/v1"}) {
    for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
      const auto result = found_in({{name, text}});
      REQUIRE_FALSE(result.ok());
      CHECK(result.error().code == ErrorCode::bad_tokenizer);
      CHECK(result.error().detail.find(name) != std::string::npos);
    }
  }
}

TEST_CASE("chat template: an unknown one is reported, and refused by option", "[guard][template]") {
  const q3g_test::TemporaryFolder folder;
  for (const auto& [name, kind] :
       {std::pair("stream_gqa2_bf16", "stream"), std::pair("gen_gqa2_bf16", "gen")}) {
    CAPTURE(name);
    const std::string checkpoint = folder / name, packed = checkpoint + ".q3g";
    copy_checkpoint(name, checkpoint, "chat_template.jinja", kOurs + "\n");
    QuantizeOptions packing;
    packing.type = PackedWeights::bf16;
    REQUIRE(quantize(checkpoint, packed, packing).ok());
    for (const std::string& path : {checkpoint, packed}) {
      CAPTURE(path);
      std::vector<std::string> warnings;
      GuardOptions options;
      options.require_tokenizer = false;
      options.log = [&](LogLevel level, std::string_view line) {
        if (level == LogLevel::warning) warnings.emplace_back(line);
      };
      const auto guard = Guard::load(path, options);
      REQUIRE(guard.ok());
      CHECK(guard->info().chat_template == ChatTemplate::unknown);
      CHECK(guard->info().chat_template_fingerprint == template_fingerprint(kOurs));
      REQUIRE(warnings.size() == 1);
      CHECK(warnings[0].find(template_fingerprint(kOurs)) != std::string::npos);
      CHECK(warnings[0].find(kind) != std::string::npos);

      warnings.clear();
      options.unknown_template = UnknownTemplate::refuse;
      const auto refused = Guard::load(path, options);
      REQUIRE_FALSE(refused.ok());
      CHECK(refused.error().code == ErrorCode::unsupported_model);
      CHECK(refused.error().detail.find("chat_template.jinja") != std::string::npos);
      CHECK(refused.error().detail.find(template_fingerprint(kOurs)) != std::string::npos);

      options.known_template = template_fingerprint(kOurs);
      const auto known = Guard::load(path, options);
      REQUIRE(known.ok());
      CHECK(known->info().chat_template == ChatTemplate::known);
      CHECK(warnings.empty());
    }
  }
}

TEST_CASE("chat template: options", "[guard][template]") {
  const std::string checkpoint = std::string(Q3G_TEST_DIR) + "/golden/models/stream_gqa2_bf16";
  GuardOptions options;
  options.require_tokenizer = false;
  options.unknown_template = UnknownTemplate::refuse;
  const auto without = Guard::load(checkpoint, options);
  REQUIRE(without.ok());  // none is not an unknown one
  CHECK(without->info().chat_template == ChatTemplate::absent);
  CHECK(without->info().chat_template_fingerprint.empty());
  options.known_template = "01234567";
  CHECK(Guard::load(checkpoint, options).error().code == ErrorCode::invalid_argument);
  options.known_template.clear();
  options.unknown_template = static_cast<UnknownTemplate>(2);
  CHECK(Guard::load(checkpoint, options).error().code == ErrorCode::invalid_argument);
  CHECK(std::string(to_string(ChatTemplate::absent)) == "absent");
  CHECK(std::string(to_string(ChatTemplate::known)) == "known");
  CHECK(std::string(to_string(ChatTemplate::unknown)) == "unknown");
}
