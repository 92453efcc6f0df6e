// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_UTIL_WITHOUT_THREADS_HPP
#define QWEN3GUARD_TESTS_UNIT_UTIL_WITHOUT_THREADS_HPP

/// Included before everything else, this makes GNU's standard library one of a system without threads:
/// std::mutex, std::condition_variable and std::thread are not there.
#include <bits/c++config.h>
#undef _GLIBCXX_HAS_GTHREADS

#endif  // QWEN3GUARD_TESTS_UNIT_UTIL_WITHOUT_THREADS_HPP
