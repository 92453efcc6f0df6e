// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_VERDICT_PARSER_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_VERDICT_PARSER_HPP

#include <optional>
#include <string_view>
#include <vector>

#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// What a Gen checkpoint was asked to judge; decides which lines and categories exist.
enum class Subject { prompt, response };

/// What a verdict text says.
struct ParsedVerdict {
  Severity severity = Severity::not_judged;
  std::vector<Category> categories;  ///< in the text's order, each once; empty for None and for Safe
  std::optional<bool> refusal;
  /// True when the text is exactly what the prompt asks for: the lines in order and nothing else; None if and
  /// only if Safe; no category twice; Jailbreak for prompts only; a refusal line for responses only.
  bool well_formed = false;
};

/// Reads a generated verdict. As tolerant as the published parser: only the severity is required, names that
/// are no category are passed over, text around the lines does not matter; what it found odd shows in
/// `well_formed`. Errors: unparsable_output, with the raw text in the detail.
[[nodiscard]] Result<ParsedVerdict> parse_verdict(std::string_view text, Subject subject);

/// The text of a verdict in the prompt's own form; the inverse of parse_verdict for well-formed ones.
[[nodiscard]] std::string format_verdict(const ParsedVerdict& verdict);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_VERDICT_PARSER_HPP
