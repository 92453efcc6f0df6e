// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_NPY_HPP
#define QWEN3GUARD_SRC_CLI_NPY_HPP

#include <bit>
#include <string>

#include "qwen3guard/guard.hpp"

namespace qwen3guard::cli {

/// A float32 array [rows, cols] in NumPy's .npy format, version 1.0: magic, header padded to 64 bytes, data.
inline std::string to_npy(const HeadLogits& head) {
  static_assert(std::endian::native == std::endian::little, "the header says '<f4'");
  constexpr std::size_t kPreambleBytes = 10;  // magic, version, header length
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(head.rows) +
                       ", " + std::to_string(head.cols) + "), }";
  header.append(63 - (kPreambleBytes + header.size()) % 64, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out.append(reinterpret_cast<const char*>(head.values.data()), head.values.size() * sizeof(float));
  return out;
}

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_NPY_HPP
