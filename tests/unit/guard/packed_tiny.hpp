// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_GUARD_PACKED_TINY_HPP
#define QWEN3GUARD_TESTS_UNIT_GUARD_PACKED_TINY_HPP

#include <filesystem>
#include <random>
#include <string>

#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

namespace qwen3guard::test {

/// A packed tiny model in a file that goes away.
class PackedTiny {
 public:
  PackedTiny(const std::string& name, PackedWeights type)
      : path_((std::filesystem::temp_directory_path() /
               ("q3g-batch-" + name + to_string(type) + std::to_string(std::random_device{}()) + ".q3g"))
                  .string()) {
    QuantizeOptions options;
    options.type = type;
    quantize(tiny(name), path_, options).throw_if_error();
  }
  ~PackedTiny() { std::filesystem::remove(path_); }
  PackedTiny(const PackedTiny&) = delete;
  PackedTiny& operator=(const PackedTiny&) = delete;
  [[nodiscard]] Guard load() const { return Guard::load(path_).value(); }

 private:
  std::string path_;
};

}  // namespace qwen3guard::test

#endif  // QWEN3GUARD_TESTS_UNIT_GUARD_PACKED_TINY_HPP
