// SPDX-License-Identifier: Apache-2.0
#include "util/model_files.hpp"

#include <filesystem>
#include <fstream>

#include "q3g_catch.hpp"
#include "temporary_folder.hpp"

using namespace qwen3guard::detail;
using qwen3guard::ErrorCode;

namespace {

const std::string kFolder = Q3G_TEST_DIR "/golden/models/gen_mha_f32";

ErrorCode code_of(const ModelFiles& files, std::string_view name) {
  const auto blob = files.open(name);
  REQUIRE_FALSE(blob.ok());
  INFO(blob.error().detail);
  CHECK_FALSE(blob.error().detail.empty());
  return blob.error().code;
}

}  // namespace

TEST_CASE("model files: a folder on disk", "[util][model_files]") {
  const DirectoryFiles files(kFolder);
  CHECK(files.contains("config.json"));
  CHECK_FALSE(files.contains("absent.json"));
  CHECK(files.display_name("config.json") == kFolder + "/config.json");
  const auto blob = files.open("config.json");
  REQUIRE(blob.ok());
  CHECK(blob->text().front() == '{');
  CHECK(code_of(files, "absent.json") == ErrorCode::file_not_found);
}

TEST_CASE("model files: the names of regular files that end so", "[util][model_files]") {
  const q3g_test::TemporaryFolder folder;
  for (const char* name : {"b.x", "a.x", ".x", "x", "a.xy"}) std::ofstream(folder / name) << "text";
  std::filesystem::create_directory(folder / "folder.x");
#ifndef _WIN32
  std::filesystem::create_symlink("a.x", folder / "c.x");
  std::filesystem::create_symlink("nowhere", folder / "d.x");
  const std::vector<std::string> expected = {".x", "a.x", "b.x", "c.x"};
#else
  const std::vector<std::string> expected = {".x", "a.x", "b.x"};
#endif
  CHECK(DirectoryFiles(folder / "").names_ending_in(".x") == expected);
  CHECK(DirectoryFiles(folder / "none").names_ending_in(".x").empty());
}

TEST_CASE("model files: names cannot leave the folder", "[util][model_files]") {
  const DirectoryFiles files(kFolder);
  for (const std::string_view name :
       {std::string_view("../gen_mha_f32/config.json"), std::string_view("/etc/hostname"),
        std::string_view(".."), std::string_view("."), std::string_view(""), std::string_view("a\\b"),
        std::string_view("config.json\0", 12)}) {
    CHECK(code_of(files, name) == ErrorCode::invalid_argument);
    CHECK_FALSE(files.contains(name));
  }
}

TEST_CASE("model files: a folder that is missing or is a file, and a folder in place of a file",
          "[util][model_files]") {
  CHECK(code_of(DirectoryFiles(kFolder + "/absent"), "config.json") == ErrorCode::file_not_found);
  CHECK(code_of(DirectoryFiles(kFolder + "/config.json"), "config.json") == ErrorCode::file_not_found);
  CHECK(code_of(DirectoryFiles(Q3G_TEST_DIR "/golden/models"), "gen_mha_f32") == ErrorCode::io_error);
}

TEST_CASE("model files: the mapping outlives the files object and its copies", "[util][model_files]") {
  Blob blob;
  {
    const DirectoryFiles files(kFolder);
    auto opened = files.open("model.safetensors");
    REQUIRE(opened.ok());
    blob = *opened;
  }
  CHECK(blob.bytes.size() > 8);
  CHECK(blob.owner != nullptr);
  CHECK(blob.text()[8] == '{');
}

TEST_CASE("model files: memory", "[util][model_files]") {
  const std::string text = "abc";
  const MemoryFiles files("label", {{"x", std::as_bytes(std::span<const char>(text.data(), text.size()))}});
  CHECK(files.contains("x"));
  CHECK_FALSE(files.contains("y"));
  CHECK(files.display_name("x") == "label/x");
  const auto blob = files.open("x");
  REQUIRE(blob.ok());
  CHECK(blob->text() == "abc");
  CHECK(code_of(files, "y") == ErrorCode::file_not_found);
}
