// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_FIGURES_TEXT_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_FIGURES_TEXT_HPP

#include <cstdint>
#include <optional>
#include <string>

/// Figures and names as people read them. Pure; everything throws std::bad_alloc.
namespace qwen3guard::cli {

/// "1,200"
[[nodiscard]] std::string grouped(std::int64_t n);
/// "1 row", "1,200 rows"
[[nodiscard]] std::string counted(std::int64_t n, const std::string& noun);
/// "-0.012"; `decimals` of them. Never "-0.000".
[[nodiscard]] std::string decimal(double value, int decimals);
/// With three decimals; "-" where there is no figure.
[[nodiscard]] std::string decimal_or_dash(const std::optional<double>& value);
/// "12.5 %", of a share.
[[nodiscard]] std::string in_percent(double share);
/// "0.035", "0.74", "<0.0001"
[[nodiscard]] std::string p_value(double p);
/// The name of a set or a language, escaped, in at most 25 bytes.
[[nodiscard]] std::string bounded_name(const std::string& name);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_FIGURES_TEXT_HPP
