// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_CONCLUSION_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_CONCLUSION_HPP

#include <span>
#include <string>

#include "evaluation/comparison.hpp"

/// What a comparison comes to, in sentences that a person can act on. Pure; everything throws std::bad_alloc.
namespace qwen3guard::cli {

/// Differences that McNemar's tests (of F1: its bootstrap interval) show at p < 0.05, by Holm's method over
/// all that are made for the sentence, are stated; otherwise how large one could still be, never that there
/// is none. `other_data`: sets of which the runs judged different files. One paragraph without line breaks.
[[nodiscard]] std::string conclusion_of(const evaluation::Pairing& pairing,
                                        const evaluation::Comparison& comparison,
                                        std::span<const std::string> other_data);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_CONCLUSION_HPP
