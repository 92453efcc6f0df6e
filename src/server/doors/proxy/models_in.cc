// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/models_in.hpp"

#include <charconv>
#include <utility>

#include "server/doors/proxy/answer_in.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {
namespace {

using wire::JsonValue;

constexpr std::size_t kMaxModels = 1000;

UpstreamModel read_model(const JsonValue& value) {
  UpstreamModel out;
  if (value.kind() != JsonValue::Kind::object) return out;
  for (const auto& member : value.members()) {
    const bool is_text = member.value.kind() == JsonValue::Kind::string;
    const std::string_view raw = member.value.raw();
    if (member.key == "id" && is_text) out.id = plain_name(member.value.text());
    if (member.key == "owned_by" && is_text) out.owner = plain_name(member.value.text());
    if (member.key == "created") std::from_chars(raw.data(), raw.data() + raw.size(), out.created);
  }
  return out;
}

}  // namespace

std::vector<UpstreamModel> read_models(std::string_view json) try {
  std::vector<UpstreamModel> out;
  if (json.empty()) return out;
  const auto data = JsonValue::parse(json).find("data");
  if (!data || data->kind() != JsonValue::Kind::array) return out;
  for (const JsonValue& value : data->items()) {
    UpstreamModel model = read_model(value);
    if (!model.id.empty() && out.size() < kMaxModels) out.push_back(std::move(model));
  }
  return out;
} catch (const wire::JsonError&) {
  return {};
}

}  // namespace qwen3guard::server
