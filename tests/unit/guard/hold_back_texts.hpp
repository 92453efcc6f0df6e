// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_GUARD_HOLD_BACK_TEXTS_HPP
#define QWEN3GUARD_TESTS_UNIT_GUARD_HOLD_BACK_TEXTS_HPP

#include <string>

namespace qwen3guard::test {

/// What a host's model writes: harmless, and an insult. @{
inline const std::string kClean =
    "Well met, traveller. The bridge fell last winter, but the ferryman will take you across. ";
inline const std::string kInsult =
    "Only an ugly idiot like you would eat it, nobody likes you, burn in hell. ";  /// @}

}  // namespace qwen3guard::test

#endif  // QWEN3GUARD_TESTS_UNIT_GUARD_HOLD_BACK_TEXTS_HPP
