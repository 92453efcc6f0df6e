// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_WIRE_HPP
#define QWEN3GUARD_SRC_CLI_WIRE_HPP

namespace qwen3guard::wire {}

namespace qwen3guard::cli {

/// The JSON forms of src/wire are the program's own words.
using namespace wire;

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_WIRE_HPP
