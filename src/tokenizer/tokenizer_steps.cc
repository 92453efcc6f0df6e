// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/quote.hpp"
#include "tokenizer/load_tokenizer.hpp"
#include "tokenizer/vocabulary_builder.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

/// The steps before the merges, as tokenizer.json describes them: {"type": ..., ...}, or a Sequence of such.
namespace qwen3guard::detail {
namespace {

using simdjson::dom::element;

template <class... Parts>
Error unsupported_step(const JsonFile& file, const Parts&... what) {
  return error(ErrorCode::unsupported_model, file.name(), ": ", what...);
}

Result<std::string_view> type_of(const JsonFile& file, element value, const std::string& where) {
  std::string_view type;
  if (value["type"].get(type) != simdjson::SUCCESS) return file.error(where, ".type is missing or no string");
  return type;
}

Result<bool> flag_of(const JsonFile& file, element value, const char* key, bool absent,
                     const std::string& where) {
  element flag;
  if (value[key].get(flag) != simdjson::SUCCESS) return absent;
  bool set = false;
  if (flag.get(set) != simdjson::SUCCESS) return file.error(where, ".", key, " is not true or false");
  return set;
}

Status normalizer_step(const JsonFile& file, element value, const std::string& where, int depth,
                       TokenizerParts& parts) {
  Q3G_ASSIGN(const std::string_view type, type_of(file, value, where));
  if (type == "NFC") return parts.nfc = true, Status();
  if (type != "Sequence" || depth > 0)
    return unsupported_step(file, where, ".type is ", quote(type), "; only \"NFC\" is implemented");
  simdjson::dom::array steps;
  if (value["normalizers"].get(steps) != simdjson::SUCCESS)
    return file.error(where, ".normalizers is missing or no array");
  std::size_t index = 0;
  for (const element step : steps) {
    const std::string step_name = concat(where, ".normalizers[", index++, "]");
    Q3G_TRY(normalizer_step(file, step, step_name, depth + 1, parts));
  }
  return {};
}

Status add_pattern(const JsonFile& file, std::string_view regex, const std::string& where,
                   TokenizerParts& parts) {
  if (Status status = parts.pre_tokenizer.add_pattern(regex); !status.ok())
    return prefixed(std::move(status).error(), file.name() + ": " + where);
  return {};
}

Status split_step(const JsonFile& file, element value, const std::string& where, TokenizerParts& parts) {
  std::string_view behavior, regex;
  if (value["behavior"].get(behavior) != simdjson::SUCCESS)
    return file.error(where, ".behavior is missing or no string");
  if (behavior != "Isolated")
    return unsupported_step(file, where, ".behavior is ", quote(behavior),
                            "; only \"Isolated\" is implemented");
  // Isolated gives the same words inverted or not: the matches and the gaps.
  Q3G_TRY(flag_of(file, value, "invert", false, where));
  element pattern;
  if (value["pattern"].get(pattern) != simdjson::SUCCESS) return file.error(where, ".pattern is missing");
  if (pattern["Regex"].get(regex) == simdjson::SUCCESS)
    return add_pattern(file, regex, where + ".pattern", parts);
  if (pattern["String"].get(regex) == simdjson::SUCCESS)
    return unsupported_step(file, where, ".pattern is a String; only a Regex is implemented");
  return file.error(where, ".pattern is not {\"Regex\": \"...\"}");
}

/// `byte_level` is set when the step that maps bytes to characters has come.
Status pre_tokenizer_step(const JsonFile& file, element value, const std::string& where, int depth,
                          bool& byte_level, TokenizerParts& parts) {
  Q3G_ASSIGN(const std::string_view type, type_of(file, value, where));
  if (byte_level) return unsupported_step(file, where, " comes after the ByteLevel step");
  if (type == "Split") return split_step(file, value, where, parts);
  if (type == "ByteLevel") {
    byte_level = true;
    Q3G_ASSIGN(const bool add_prefix_space, flag_of(file, value, "add_prefix_space", true, where));
    if (add_prefix_space) return unsupported_step(file, where, ".add_prefix_space is true (or missing)");
    Q3G_ASSIGN(const bool use_regex, flag_of(file, value, "use_regex", true, where));
    return use_regex ? add_pattern(file, kByteLevelPattern, where, parts) : Status();
  }
  if (type != "Sequence" || depth > 0) {
    return unsupported_step(file, where, ".type is ", quote(type),
                            "; only \"Split\", \"ByteLevel\" and a \"Sequence\" of them are implemented");
  }
  simdjson::dom::array steps;
  if (value["pretokenizers"].get(steps) != simdjson::SUCCESS)
    return file.error(where, ".pretokenizers is missing or no array");
  std::size_t index = 0;
  for (const element step : steps) {
    const std::string step_name = concat(where, ".pretokenizers[", index++, "]");
    Q3G_TRY(pre_tokenizer_step(file, step, step_name, depth + 1, byte_level, parts));
  }
  return {};
}

}  // namespace

Status parse_normalizer(const JsonFile& file, element value, TokenizerParts& parts) {
  return normalizer_step(file, value, "normalizer", 0, parts);
}

Status parse_pre_tokenizer(const JsonFile& file, element value, TokenizerParts& parts) {
  bool byte_level = false;
  Q3G_TRY(pre_tokenizer_step(file, value, "pre_tokenizer", 0, byte_level, parts));
  if (!byte_level) return unsupported_step(file, "pre_tokenizer has no ByteLevel step");
  return {};
}

}  // namespace qwen3guard::detail
