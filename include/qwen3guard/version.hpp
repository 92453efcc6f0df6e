// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_VERSION_HPP
#define QWEN3GUARD_VERSION_HPP

/// @file
/// Version of the headers and of the library.

/// Version of the library. CMake reads these three lines, so this file is the only source. @{
#define QWEN3GUARD_VERSION_MAJOR 0
#define QWEN3GUARD_VERSION_MINOR 1
#define QWEN3GUARD_VERSION_PATCH 0
/// @}

namespace qwen3guard {

/// "major.minor.patch" of the library that was linked (not of the headers). Static storage.
[[nodiscard]] const char* version() noexcept;

}  // namespace qwen3guard

#endif  // QWEN3GUARD_VERSION_HPP
