// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/chat_templates.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "util/error.hpp"
#include "util/json.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

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

Result<std::vector<ChatTemplateText>> read_chat_templates(const ModelFiles& files) {
  std::vector<ChatTemplateText> out;
  for (const char* file : {"chat_template.jinja", "chat_template.json", "tokenizer_config.json"}) {
    if (!files.contains(file)) continue;
    Q3G_ASSIGN(auto text, template_in(files, file));
    if (text) out.push_back({*std::move(text), files.display_name(file)});
  }
  return out;
}

}  // namespace qwen3guard::detail
