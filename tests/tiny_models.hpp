// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_TINY_MODELS_HPP
#define QWEN3GUARD_TESTS_TINY_MODELS_HPP

#include <string>

#include "qwen3guard/guard.hpp"

namespace qwen3guard::test {

/// The folder of the checkpoint "gen" or "stream" in tests/golden/tiny: small, quick, and of settled opinions
/// (tests/tools/make_tiny_models.py has them), whatever the embedded models believe.
inline std::string tiny(const std::string& kind) { return Q3G_TEST_DIR "/golden/tiny/" + kind; }

inline Result<Guard> load_tiny(const std::string& kind, const GuardOptions& options = {}) {
  return Guard::load(tiny(kind), options);
}

}  // namespace qwen3guard::test

#endif  // QWEN3GUARD_TESTS_TINY_MODELS_HPP
