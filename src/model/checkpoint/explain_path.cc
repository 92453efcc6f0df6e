// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/explain_path.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {
namespace {

namespace fs = std::filesystem;

/// "owner/name", as model hubs write it.
bool is_hub_name(std::string_view path) noexcept {
  const auto is_part = [](std::string_view part) {
    return !part.empty() && part.front() != '.' && std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
             c == '_' || c == '.';
    });
  };
  const std::size_t slash = path.find('/');
  return slash != std::string_view::npos && is_part(path.substr(0, slash)) && is_part(path.substr(slash + 1));
}

/// The first name in the folder with one of these endings; empty when there is none among many.
std::string name_ending_in(const std::string& folder, std::initializer_list<std::string_view> endings) {
  constexpr int kMaxEntries = 1000;
  std::error_code failed;
  fs::directory_iterator entry(fs::path(std::u8string(folder.begin(), folder.end())), failed);
  std::string found;
  for (int i = 0; !failed && entry != fs::directory_iterator() && i < kMaxEntries; ++i) {
    const std::u8string raw = entry->path().filename().u8string();
    const std::string name(raw.begin(), raw.end());
    const bool matches =
        std::any_of(endings.begin(), endings.end(), [&](auto e) { return name.ends_with(e); });
    // The first by name: folders are listed in no particular order.
    if (matches && (found.empty() || name < found)) found = name;
    entry.increment(failed);
  }
  return found;
}

}  // namespace

Status check_model_path(const std::string& path) {
  if (!path.empty() && path.find('\0') == std::string::npos) return {};
  return Error{ErrorCode::invalid_argument,
               "model path: empty or with a NUL byte; expected a folder or a packed file"};
}

Error no_such_model(const std::string& path) {
  constexpr std::string_view kExpected = "expected a checkpoint's folder or a packed file";
  std::string detail = printable(path) + ": no such file or folder; ";
  if (path.find("://") != std::string::npos) {
    detail += "models are not downloaded: download the checkpoint's folder and give its path";
  } else if (is_hub_name(path)) {
    const std::string name = printable(path);
    detail += "if this is a name on a model hub: models are not downloaded, so download it (\"hf download " +
              name + " --local-dir " + printable(path.substr(path.find('/') + 1)) +
              "\") and give that folder";
  } else {
    detail += kExpected;
  }
  return {ErrorCode::file_not_found, std::move(detail)};
}

Status explain_folder(const std::string& folder) {
  const DirectoryFiles files(folder);
  const bool has_weights =
      files.contains("model.safetensors") || files.contains("model.safetensors.index.json");
  if (has_weights && files.contains("config.json")) return {};
  const std::string shown = printable(folder);
  if (files.contains("adapter_config.json") || files.contains("adapter_model.safetensors")) {
    return error(ErrorCode::unsupported_model, shown,
                 ": is a LoRA adapter and not a model; merge it into its base model first "
                 "(merge_and_unload() and save_pretrained() of the peft package)");
  }
  if (has_weights) return {};
  if (const std::string name = name_ending_in(folder, {".gguf"}); !name.empty()) {
    return error(ErrorCode::unsupported_model, shown, ": has weights as GGUF only (", printable(name),
                 "), which this library does not read; expected model.safetensors with config.json and "
                 "tokenizer.json");
  }
  if (const std::string name = name_ending_in(folder, {".bin", ".bin.index.json", ".pt", ".pth"});
      !name.empty()) {
    return error(ErrorCode::unsupported_model, shown, ": has weights as PyTorch files only (",
                 printable(name),
                 "); expected model.safetensors: save the model again with safe_serialization=True");
  }
  if (const std::string name = name_ending_in(folder, {".q3g"}); !name.empty()) {
    return error(ErrorCode::file_not_found, shown, ": is the folder of a packed file; give the file itself, ",
                 printable(folder + "/" + name));
  }
  std::error_code failed;
  if (fs::is_directory(fs::path(std::u8string(folder.begin(), folder.end())) / "snapshots", failed)) {
    return error(ErrorCode::file_not_found, shown,
                 ": is a hub's cache folder; give the folder in its \"snapshots\" that has config.json");
  }
  return {};
}

}  // namespace qwen3guard::detail
