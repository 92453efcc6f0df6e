// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LOADED_CHECKPOINT_TEMPLATE_HPP
#define QWEN3GUARD_SRC_GUARD_LOADED_CHECKPOINT_TEMPLATE_HPP

#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint/checkpoint.hpp"
#include "qwen3guard/guard.hpp"

namespace qwen3guard::detail {

/// A checkpoint's own chat template. The library runs none: it renders conversations as the published
/// checkpoints' templates do, and this says whether the checkpoint was made for that.
struct CheckpointTemplate {
  ChatTemplate kind = ChatTemplate::absent;
  std::string fingerprint;  ///< template_fingerprint(); empty when there is none
  std::string file;         ///< display name of the file it is in; empty when there is none
};

/// 16 hexadecimal digits for a template's text: its checksum() when line breaks are "\n" and one at the end
/// is left out, as Jinja reads it.
[[nodiscard]] std::string template_fingerprint(std::string text);

/// True for what template_fingerprint() can return.
[[nodiscard]] bool is_fingerprint(std::string_view text) noexcept;

/// The template of a checkpoint of this kind with these templates; of several the first one that is not
/// known. known: one more fingerprint to count as known; may be empty.
[[nodiscard]] CheckpointTemplate judge_templates(std::vector<ChatTemplateText> templates, ModelKind kind,
                                                 std::string_view known);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LOADED_CHECKPOINT_TEMPLATE_HPP
