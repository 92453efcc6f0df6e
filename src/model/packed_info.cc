// SPDX-License-Identifier: Apache-2.0
#include "model/packed_info.hpp"

#include <iterator>
#include <span>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "tensor/quantize.hpp"
#include "util/checksum.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kChecksumDigits = 16;

const WeightType* parse_type(std::string_view text) noexcept {
  for (const WeightType& type : kWeightTypes) {
    if (text == type.name) return &type;
  }
  return nullptr;
}

/// "bf16, int8 or int4"
std::string type_names() {
  std::string text;
  for (const WeightType& type : kWeightTypes) {
    const bool is_last = &type == std::end(kWeightTypes) - 1;
    text += concat(text.empty() ? "" : is_last ? " or " : ", ", type.name);
  }
  return text;
}

/// The group sizes of all types, by their exact text.
std::optional<std::size_t> parse_group(std::string_view text) {
  for (const WeightType& type : kWeightTypes) {
    for (const std::size_t group : type.groups) {
      if (text == concat(group)) return group;
    }
  }
  return std::nullopt;
}

std::string quoted(const std::optional<std::string>& text) {
  return text ? quote(*text) : std::string("missing");
}

}  // namespace

std::string to_text(const PackedInfo& info) {
  const WeightType& type = weight_type(info.type);
  if (!type.has_scales()) return concat(type.name, " (packed)");
  return info.group == 0 ? concat(type.name, " (per row)") : concat(type.name, " (group ", info.group, ")");
}

std::string to_text(const PackedInfo& matrices, std::string_view embeddings) {
  return concat(to_text(matrices), ", embeddings ", embeddings);
}

std::optional<std::string> packed_header_checksum(std::string_view header) {
  std::string key(1, '"');
  key.append(kPackedHeaderKey).append("\":\"");
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos || header.size() - at - key.size() < kChecksumDigits) return std::nullopt;
  std::string text(header);
  text.replace(at + key.size(), kChecksumDigits, kChecksumDigits, '0');
  return checksum_text(checksum(std::as_bytes(std::span(text))));
}

Result<std::optional<PackedFileInfo>> read_packed_info(const std::string& file,
                                                       const std::map<std::string, std::string>& metadata,
                                                       std::string_view header) {
  const auto value_of = [&](std::string_view key) {
    const auto at = metadata.find(std::string(key));
    return at == metadata.end() ? std::nullopt : std::optional(at->second);
  };
  const auto unsupported = [&](const auto&... what) {
    return error(ErrorCode::unsupported_model, file, ": ", what...);
  };
  const auto version = value_of(kPackedVersionKey);
  if (!version) return std::optional<PackedFileInfo>();
  if (*version != kPackedVersion) {
    return unsupported("packed model of version ", printable(*version), "; this library reads version ",
                       kPackedVersion);
  }
  const auto stored = value_of(kPackedHeaderKey), found = packed_header_checksum(header);
  if (!stored || !found || *stored != *found) {
    return error(ErrorCode::bad_checkpoint, file, ": the header is damaged: its checksum is ", quoted(found),
                 ", expected ", quoted(stored));
  }
  // behind: "" for all matrices, ":NAME" for one.
  const auto form = [&](const std::string& behind) -> Result<PackedInfo> {
    const std::string type_key = std::string(kPackedWeightsKey) + behind;
    const std::string group_key = std::string(kPackedGroupKey) + behind;
    const auto type_text = value_of(type_key), group_text = value_of(group_key);
    const WeightType* type = parse_type(type_text.value_or(""));
    if (type == nullptr)
      return unsupported(printable(type_key), " is ", quoted(type_text), "; expected ", type_names());
    const auto group = parse_group(group_text.value_or(""));
    if (!group) {
      return unsupported(printable(group_key), " is ", quoted(group_text),
                         "; expected the number of columns per scale");
    }
    const auto shape = packed_shape(type->id, *group, 1, 1);
    if (!shape.ok()) return unsupported(shape.error().detail);
    return PackedInfo{.type = type->id, .group = *group};
  };
  PackedFileInfo info;
  Q3G_ASSIGN(info.matrices, form(""));
  const std::string one = std::string(kPackedWeightsKey) + ":";
  for (const auto& [key, text] : metadata) {
    if (!key.starts_with(one)) continue;
    const std::string tensor = key.substr(one.size());
    Q3G_ASSIGN(info.others[tensor], form(":" + tensor));
  }
  return std::optional<PackedFileInfo>(std::move(info));
}

}  // namespace qwen3guard::detail
