// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/model_digest.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "cli/cli.hpp"
#include "server/digest.hpp"

namespace qwen3guard::cli {
namespace {

namespace fs = std::filesystem;

void update_with_file(server::Sha256& digest, const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<char> buffer(std::size_t{1} << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0)
    digest.update({buffer.data(), static_cast<std::size_t>(in.gcount())});
  if (!in.eof()) throw UsageError(printable(path.string()) + " cannot be read");
}

}  // namespace

std::string model_digest(const std::string& model) {
  if (!is_path(model)) return model + "@" + version();
  server::Sha256 digest;
  if (!fs::is_directory(model)) {
    update_with_file(digest, model);
    return "sha256:" + digest.hex();
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(model)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const std::string name = file.filename().string();
    digest.update(name + '\0' + std::to_string(fs::file_size(file)) + '\0');
    update_with_file(digest, file);
  }
  return "sha256:" + digest.hex();
}

}  // namespace qwen3guard::cli
