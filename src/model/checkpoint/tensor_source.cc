// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/tensor_source.hpp"

#include <map>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/json.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

std::string the_tensor(const std::string& name) { return "tensor " + quote(name); }

/// Tensor name -> shard name. Sorted, so that errors do not depend on hashing.
Result<std::map<std::string, std::string>> read_index(const JsonFile& json) {
  simdjson::dom::object weight_map;
  if (json.root()["weight_map"].get(weight_map) != simdjson::SUCCESS)
    return json.error("has no object \"weight_map\"");
  std::map<std::string, std::string> shards;
  for (const auto& [key, value] : weight_map) {
    std::string tensor(key);
    std::string_view shard;
    if (value.get(shard) != simdjson::SUCCESS)
      return json.error(the_tensor(tensor), " is mapped to no file name");
    if (!shards.emplace(tensor, shard).second) return json.error(the_tensor(tensor), " is there twice");
  }
  if (shards.empty()) return json.error("\"weight_map\" is empty");
  return shards;
}

}  // namespace

Result<TensorSource> TensorSource::open(const ModelFiles& files) {
  if (!files.contains(kSingleFile) && files.contains(kIndexFile)) {
    TensorSource source;
    Q3G_TRY(source.open_shards(files));
    return source;
  }
  auto file = SafetensorsFile::open(files, kSingleFile);
  if (!file.ok() && file.error().code == ErrorCode::file_not_found) {
    return error(ErrorCode::file_not_found, files.display_name(kSingleFile), ": no such file, and no ",
                 kIndexFile, " beside it");
  }
  Q3G_ASSIGN(SafetensorsFile single, std::move(file));
  return TensorSource(std::make_shared<const SafetensorsFile>(std::move(single)));
}

Status TensorSource::open_shards(const ModelFiles& files) {
  index_name_ = files.display_name(kIndexFile);
  index_path_ = files.path(kIndexFile);
  Q3G_ASSIGN(const Blob blob, files.open(kIndexFile));
  Q3G_ASSIGN(const JsonFile json,
             JsonFile::parse(blob.text(), index_name_, ErrorCode::bad_checkpoint, kMaxConfigBytes));
  Q3G_ASSIGN(const auto shard_names, read_index(json));
  std::map<std::string, const SafetensorsFile*> opened;
  std::unordered_map<std::string, const SafetensorsFile*> holder;
  for (const auto& [tensor, shard] : shard_names) {
    if (!opened.contains(shard)) {
      auto file = SafetensorsFile::open(files, shard);
      if (!file.ok()) {
        const ErrorCode code = file.error().code;
        if (code == ErrorCode::invalid_argument)
          return json.error(the_tensor(tensor), " is mapped to ", quote(shard),
                            ", which is no plain file name");
        if (code != ErrorCode::file_not_found) return std::move(file).error();
        return error(code, file.error().detail, " (", index_name_, " maps ", the_tensor(tensor), " to it)");
      }
      files_.push_back(std::make_shared<const SafetensorsFile>(*std::move(file)));
      const SafetensorsFile* added = files_.back().get();
      opened.emplace(shard, added);
      for (const auto& [name, stored] : added->tensors()) {
        const auto [at, is_new] = holder.emplace(name, added);
        if (!is_new) {
          return error(ErrorCode::bad_checkpoint, added->display_name(), ": ", the_tensor(name),
                       " is also in ", at->second->display_name());
        }
      }
    }
    shard_of_.emplace(tensor, opened.at(shard));
  }
  return {};
}

std::vector<std::string> TensorSource::paths() const {
  std::vector<std::string> out;
  if (!index_path_.empty()) out.push_back(index_path_);
  for (const auto& file : files_) {
    if (!file->path().empty()) out.push_back(file->path());
  }
  return out;
}

Result<TensorSource::Found> TensorSource::find(const std::string& tensor) const {
  const SafetensorsFile* file = files_.front().get();
  if (!index_name_.empty()) {
    const auto at = shard_of_.find(tensor);
    if (at == shard_of_.end())
      return error(ErrorCode::bad_checkpoint, index_name_, ": ", the_tensor(tensor),
                   " is missing from \"weight_map\"");
    file = at->second;
  }
  const StoredTensor* stored = file->find(tensor);
  if (stored == nullptr)
    return error(ErrorCode::bad_checkpoint, file->display_name(), ": ", the_tensor(tensor), " is missing");
  return Found{stored, file};
}

}  // namespace qwen3guard::detail
