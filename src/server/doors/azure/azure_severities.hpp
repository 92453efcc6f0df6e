// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_SEVERITIES_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_SEVERITIES_HPP

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "qwen3guard/verdict.hpp"

namespace qwen3guard::server {

/// The harm categories of Azure AI Content Safety, in the order of its replies.
enum class AzureCategory { hate, self_harm, sexual, violence };
inline constexpr std::size_t kAzureCategoryCount = 4;

/// As Azure spells it: "SelfHarm". Static storage.
[[nodiscard]] const char* to_string(AzureCategory category) noexcept;
/// The inverse: exact match.
[[nodiscard]] std::optional<AzureCategory> parse_azure_category(std::string_view name) noexcept;

/// By AzureCategory. @{
using AskedCategories = std::array<bool, kAzureCategoryCount>;
using AzureSeverities = std::array<int, kAzureCategoryCount>;  /// @}

/// A verdict on Azure's scale of eight levels. docs/migrate_from_azure.md argues the mapping.
///
/// The policy's action selects a pair of levels: 0 and 1 for allow, 2 and 3 for flag, 4 and 5 for block, 6
/// and 7 for block of an Unsafe text. The upper level of the pair means that the category is more probable
/// than not. So a threshold of 4 is the policy's block, and 2 its flag. Everything is 7 if nothing was
/// judged.
///
/// Harm that Azure has no name for (Jailbreak, PII, ...) raises every category that was asked for, unless one
/// of those was found: a client that reads only the severities never sees zeros for such a text.
[[nodiscard]] AzureSeverities to_azure(const Verdict& verdict, const AskedCategories& asked);

/// The same on the scale of four levels: 0, 2, 4 or 6.
[[nodiscard]] constexpr int to_four_levels(int severity) noexcept { return severity - severity % 2; }

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_SEVERITIES_HPP
