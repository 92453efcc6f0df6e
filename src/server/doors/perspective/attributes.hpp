// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_ATTRIBUTES_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_ATTRIBUTES_HPP

#include <cstdint>
#include <string>
#include <string_view>

#include "qwen3guard/verdict.hpp"

namespace qwen3guard::server {

/// An attribute of Perspective's that is offered: one of which everything that its name means is harm in one
/// of our categories, so that a low score may be believed. docs/migrate_from_perspective.md argues each.
struct Attribute {
  std::string_view name;
  std::uint32_t categories = 0;    ///< those of ours that it may be: bit i is Category i
  bool is_of_unsafe_only = false;  ///< Controversial does not count
};

/// Null: it is not offered.
[[nodiscard]] const Attribute* find_attribute(std::string_view name) noexcept;
/// True for one that Perspective has and nothing of ours means, "PROFANITY" for example.
[[nodiscard]] bool is_without_counterpart(std::string_view name) noexcept;
/// Those that are offered, for error messages: "TOXICITY, SEVERE_TOXICITY, ...".
[[nodiscard]] std::string offered_attributes();

/// The summary score, in [0, 1]: how probable it is at most that the text is this, by what the verdict says.
/// Of a text judged in parts, the highest of these. 1 where nothing was judged.
[[nodiscard]] double score_of(const Attribute& attribute, const Verdict& verdict) noexcept;
/// The same of a token of a Stream checkpoint. 1 where it was not judged.
[[nodiscard]] double score_of(const Attribute& attribute, const TokenVerdict& token) noexcept;

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_ATTRIBUTES_HPP
