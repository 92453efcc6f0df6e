// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_LOAD_POLICY_HPP
#define QWEN3GUARD_SRC_CLI_LOAD_POLICY_HPP

#include <string>

#include "qwen3guard/policy.hpp"

namespace qwen3guard::cli {

/// What stands for a policy on the command line, for help texts.
inline constexpr const char* kPolicyForm = "a file (docs/policy.md), or strict, loose, chat-game, assistant";

/// A policy of the library by its name, else a file. A file of such a name is given as "./strict". Throws
/// Exception: invalid_argument; file_not_found (says that there is no policy of that name either); io_error.
[[nodiscard]] Policy load_policy(const std::string& name_or_file);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_LOAD_POLICY_HPP
