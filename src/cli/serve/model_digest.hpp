// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_SERVE_MODEL_DIGEST_HPP
#define QWEN3GUARD_SRC_CLI_SERVE_MODEL_DIGEST_HPP

#include <string>

namespace qwen3guard::cli {

/// What tells a model's files from any other's, for audit logs: "sha256:..." over a packed file, or over the
/// names, sizes and bytes of a folder's files in the order of their names; of a model in the library its name
/// and the program's version. Reads all of the files. Throws UsageError: what cannot be read.
[[nodiscard]] std::string model_digest(const std::string& model);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_SERVE_MODEL_DIGEST_HPP
