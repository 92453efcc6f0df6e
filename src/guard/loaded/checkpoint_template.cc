// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/checkpoint_template.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "util/checksum.hpp"

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

CheckpointTemplate judge_templates(std::vector<ChatTemplateText> templates, ModelKind kind,
                                   std::string_view known) {
  CheckpointTemplate found;
  for (ChatTemplateText& item : templates) {
    std::string fingerprint = template_fingerprint(std::move(item.text));
    const bool is_good = is_known(fingerprint, kind, known);
    if (is_good && found.kind != ChatTemplate::absent) continue;
    found = {is_good ? ChatTemplate::known : ChatTemplate::unknown, std::move(fingerprint),
             std::move(item.file)};
    if (!is_good) break;
  }
  return found;
}

}  // namespace qwen3guard::detail
