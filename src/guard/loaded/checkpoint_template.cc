// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/checkpoint_template.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "util/checksum.hpp"
#include "util/error.hpp"
#include "util/json.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kFingerprintDigits = 16;

/// Qwen3's template in the two forms that were published with checkpoints. They differ in contents that are
/// no text, which the library does not have. The template that only published Gen checkpoints have is not
/// here: its text was not at hand (docs/checkpoint_formats.md).
constexpr std::array<std::string_view, 2> kQwen3 = {"0283f874ff58d644", "c9e0155c80737cf2"};

bool is_known(const std::string& fingerprint, ModelKind kind, std::string_view known) {
  if (fingerprint == known) return true;
  return kind == ModelKind::stream && std::find(kQwen3.begin(), kQwen3.end(), fingerprint) != kQwen3.end();
}

/// The text under "chat_template"; what is no text, such as a list of templates with names, as it is written.
Result<std::optional<std::string>> template_in_json(const Blob& blob, const std::string& name) {
  Q3G_ASSIGN(const JsonFile json,
             JsonFile::parse(blob.text(), name, ErrorCode::bad_tokenizer, kMaxConfigBytes));
  if (!json.root().is_object()) return json.error("the top level is not an object");
  simdjson::dom::element value;
  if (json.root().at_key("chat_template").get(value) != simdjson::SUCCESS || value.is_null())
    return std::optional<std::string>();
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::optional(std::string(text));
  return std::optional(std::string(simdjson::minify(value)));
}

Result<std::optional<std::string>> template_in(const ModelFiles& files, const char* file) {
  const std::string name = files.display_name(file);
  Q3G_ASSIGN(const Blob blob, files.open(file));
  if (!std::string_view(file).ends_with(".jinja")) return template_in_json(blob, name);
  if (blob.bytes.size() > kMaxConfigBytes) {
    return error(ErrorCode::bad_tokenizer, name, ": ", blob.bytes.size(), " bytes; at most ",
                 kMaxConfigBytes);
  }
  return std::optional(std::string(blob.text()));
}

}  // namespace

std::string template_fingerprint(std::string text) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    text[n++] = text[i] == '\r' ? '\n' : text[i];
  }
  text.resize(n);
  if (text.ends_with('\n')) text.pop_back();
  return checksum_text(checksum(std::as_bytes(std::span(text))));
}

bool is_fingerprint(std::string_view text) noexcept {
  return text.size() == kFingerprintDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<CheckpointTemplate> find_template(const ModelFiles& files, ModelKind kind, std::string_view known) {
  CheckpointTemplate found;
  for (const char* file : {"chat_template.jinja", "chat_template.json", "tokenizer_config.json"}) {
    if (!files.contains(file)) continue;
    Q3G_ASSIGN(auto text, template_in(files, file));
    if (!text) continue;
    std::string fingerprint = template_fingerprint(*std::move(text));
    const bool is_good = is_known(fingerprint, kind, known);
    if (is_good && found.kind != ChatTemplate::absent) continue;
    found = {is_good ? ChatTemplate::known : ChatTemplate::unknown, std::move(fingerprint),
             files.display_name(file)};
    if (!is_good) break;
  }
  return found;
}

}  // namespace qwen3guard::detail
