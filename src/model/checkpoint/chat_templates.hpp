// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_CHAT_TEMPLATES_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_CHAT_TEMPLATES_HPP

#include <vector>

#include "model/checkpoint/checkpoint.hpp"
#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// The templates in chat_template.jinja, chat_template.json and tokenizer_config.json, in this order. Errors:
/// bad_tokenizer (no JSON, or a file too large); those of ModelFiles::open().
[[nodiscard]] Result<std::vector<ChatTemplateText>> read_chat_templates(const ModelFiles& files);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_CHAT_TEMPLATES_HPP
