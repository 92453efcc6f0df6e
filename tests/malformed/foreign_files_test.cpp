// SPDX-License-Identifier: Apache-2.0
// What users give in the place of a model's files and folders: the error says what it is and what to do.
#include <filesystem>
#include <fstream>
#include <string>

#include "malformed/catalogue.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "temporary_folder.hpp"

using namespace q3g_test;
using namespace qwen3guard;

namespace {

struct Foreign {
  const char* name;
  std::string bytes;
  std::vector<std::string> words;
};

const std::vector<Foreign>& foreign_files() {
  static const std::vector<Foreign> all = {
      {"a git-lfs pointer",
       "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 1192135096\n",
       {"git-lfs pointer", "git lfs pull"}},
      {"an HTML page", "\n<!DOCTYPE html>\n<html class=\"\">\n<head>", {"HTML page", "download"}},
      {"another HTML page", "\xEF\xBB\xBF<html><body>Not here</body></html>", {"HTML page", "download"}},
      {"a GGUF file",
       std::string("GGUF\x03\x00\x00\x00\x01\x00\x00\x00", 12) + std::string(64, '\0'),
       {"GGUF", "safetensors"}},
      {"a PyTorch file",
       std::string("PK\x03\x04\x00\x00\x08\x08\x00\x00", 10) + std::string(64, '\0'),
       {"PyTorch", "safe_serialization"}},
      {"a hub's answer", "Entry not found", {"hub", "download"}},
  };
  return all;
}

void check_words(const Error& error, const std::vector<std::string>& words) {
  CAPTURE(error.detail);
  CHECK(error.detail.find('\n') == std::string::npos);
  CHECK(error.detail.size() < 500);
  for (const std::string& word : words) {
    CAPTURE(word);
    CHECK(error.detail.find(word) != std::string::npos);
  }
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

Error error_of(const std::string& path) {
  const auto guard = Guard::load(path);
  REQUIRE_FALSE(guard.ok());
  return guard.error();
}

}  // namespace

TEST_CASE("foreign files: in the place of a packed file", "[model][malformed]") {
  const TemporaryFolder folder;
  for (const Foreign& foreign : foreign_files()) {
    INFO(foreign.name);
    const std::string path = folder / "model.q3g";
    write(path, foreign.bytes);
    std::vector<std::string> words = foreign.words;
    words.push_back(path);
    check_words(error_of(path), words);
    check_words(verify_packed(path).error(), words);
    check_words(quantize(path, folder / "out").error(), words);
    const ModelFile file{"model", std::as_bytes(std::span(foreign.bytes))};
    check_words(Guard::load_memory({&file, 1}, nullptr).error(), foreign.words);
  }
  // A safetensors file alone is no model.
  write(folder / "model.safetensors", causal_checkpoint().model.bytes());
  check_words(error_of(folder / "model.safetensors"), {"no packed model", "give its folder"});
}

TEST_CASE("foreign files: in a checkpoint's folder", "[model][malformed]") {
  const auto contents = causal_checkpoint().contents();
  for (const Foreign& foreign : foreign_files()) {
    INFO(foreign.name);
    for (const std::string name :
         {"config.json", "model.safetensors", "generation_config.json", "tokenizer.json"}) {
      const TemporaryFolder folder;
      for (const auto& [file, bytes] : contents) write(folder / file, bytes);
      write(folder / name, foreign.bytes);
      std::vector<std::string> words = foreign.words;
      words.push_back(folder / name);
      check_words(error_of(folder / ""), words);
    }
    const TemporaryFolder folder;
    write(folder / "config.json", contents.at("config.json"));
    write(folder / "model.safetensors.index.json", foreign.bytes);
    check_words(error_of(folder / ""), foreign.words);
    write(folder / "model.safetensors.index.json", R"({"weight_map":{"lm_head.weight":"a.safetensors"}})");
    write(folder / "a.safetensors", foreign.bytes);
    check_words(error_of(folder / ""), foreign.words);
  }
}

TEST_CASE("foreign files: folders of other forms", "[model][malformed]") {
  const auto contents = causal_checkpoint().contents();
  struct Folder {
    std::vector<std::string> files;
    ErrorCode code;
    std::vector<std::string> words;
  };
  const std::vector<Folder> folders = {
      {{"adapter_config.json", "adapter_model.safetensors"}, kUnsupported, {"LoRA", "merge"}},
      {{"adapter_model.safetensors", "config.json"}, kUnsupported, {"LoRA", "merge"}},
      {{"config.json", "pytorch_model.bin"},
       kUnsupported,
       {"PyTorch", "pytorch_model.bin", "model.safetensors"}},
      {{"config.json", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"},
       kUnsupported,
       {"PyTorch", "pytorch_model-00001-of-00002.bin"}},
      {{"b.Q8_0.gguf", "a.Q4_K_M.gguf"}, kUnsupported, {"GGUF", "a.Q4_K_M.gguf"}},
      {{"config.json", "tokenizer.json", "m.gguf"}, kUnsupported, {"GGUF", "m.gguf"}},
      {{"gen.q3g"}, ErrorCode::file_not_found, {"gen.q3g", "packed file"}},
      {{"snapshots/0123/config.json"}, ErrorCode::file_not_found, {"cache", "snapshots"}},
      {{"readme.md"}, ErrorCode::file_not_found, {"config.json"}},
  };
  for (const Folder& item : folders) {
    const TemporaryFolder folder;
    for (const std::string& name : item.files) {
      std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
      write(folder / name, name == "config.json" ? contents.at(name) : "x");
    }
    const Error error = error_of(folder / "");
    CHECK(std::string(to_string(error.code)) == to_string(item.code));
    check_words(error, item.words);
  }
}

TEST_CASE("foreign files: names of a hub, and paths that lead nowhere", "[model][malformed]") {
  const Error hub = error_of("Qwen/Qwen3Guard-Gen-0.6B");
  CHECK(hub.code == ErrorCode::file_not_found);
  check_words(hub, {"Qwen/Qwen3Guard-Gen-0.6B", "not downloaded",
                    "hf download Qwen/Qwen3Guard-Gen-0.6B --local-dir Qwen3Guard-Gen-0.6B"});
  const Error url = error_of("https://huggingface.co/Qwen/Qwen3Guard-Gen-0.6B");
  CHECK(url.code == ErrorCode::file_not_found);
  check_words(url, {"not downloaded"});
  for (const std::string path : {"./Qwen/Model", "/no/such", "a/b/c", "nothing"}) {
    const Error error = error_of(path);
    CHECK(error.code == ErrorCode::file_not_found);
    CHECK(error.detail.find("hf download") == std::string::npos);
    check_words(error, {path, "no such file or folder", "folder or a packed file"});
  }
}

TEST_CASE("foreign files: a byte order mark, null metadata, and files that are too large",
          "[model][malformed]") {
  const std::string mark = "\xEF\xBB\xBF";
  CheckpointSpec c = causal_checkpoint();
  c.model.extra_header = "\"__metadata__\":null,";
  auto contents = c.contents();
  contents["config.json"] = mark + contents["config.json"];
  contents["generation_config.json"] = mark + "{\"eos_token_id\":[1]}";
  REQUIRE(load_model(contents).ok());
  // In shards.
  contents["a.safetensors"] = contents["model.safetensors"];
  contents.erase("model.safetensors");
  std::string map;
  for (const TensorSpec& tensor : c.model.tensors)
    map += (map.empty() ? "\"" : ",\"") + tensor.name + "\":\"a.safetensors\"";
  contents["model.safetensors.index.json"] = mark + "{\"weight_map\":{" + map + "}}";
  const auto model = load_model(contents);
  REQUIRE(model.ok());
  CHECK(model.value()->config().eos_token_ids == std::vector<std::int32_t>{2, 3, 1});
  // Sound JSON of more than 16 MiB.
  const std::string blanks((std::size_t{16} << 20) + 1, ' ');
  for (const std::string name : {"config.json", "generation_config.json", "model.safetensors.index.json"}) {
    auto large = contents;
    large[name] += blanks;
    const auto refused = load_model(large);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == kBad);
    check_words(refused.error(), {name, "at most 16777216"});
  }
}
