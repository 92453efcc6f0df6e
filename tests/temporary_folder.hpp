// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_TEMPORARY_FOLDER_HPP
#define QWEN3GUARD_TESTS_TEMPORARY_FOLDER_HPP

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <random>
#include <string>

namespace q3g_test {

/// An empty folder of its own, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    // Test cases run as processes side by side, so the name must not be the same in all of them.
    std::random_device random;
    path_ = std::filesystem::temp_directory_path() /
            ("q3g_" + std::to_string(random()) + "_" + std::to_string(random()));
    std::filesystem::create_directory(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::size_t n_files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_TEMPORARY_FOLDER_HPP
