// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_CONCLUSION_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_CONCLUSION_HPP

#include <cstdint>
#include <string>

#include "evaluation/comparison.hpp"

/// What a comparison comes to, in sentences that a person can act on. Pure; everything throws std::bad_alloc.
namespace qwen3guard::cli {

/// Differences at p < 0.05, or with an F1 interval that leaves out 0, are stated; otherwise how large one
/// could still be, never that there is none. One paragraph without line breaks.
[[nodiscard]] std::string conclusion_of(const evaluation::Pairing& pairing,
                                        const evaluation::Comparison& comparison);

/// "1,200"
[[nodiscard]] std::string grouped(std::int64_t n);
/// "1 row", "1,200 rows"
[[nodiscard]] std::string counted(std::int64_t n, const std::string& noun);
/// "-0.012"; `decimals` of them.
[[nodiscard]] std::string decimal(double value, int decimals);
/// "0.035", "0.74", "<0.0001"
[[nodiscard]] std::string p_value(double p);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_CONCLUSION_HPP
