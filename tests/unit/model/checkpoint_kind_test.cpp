// SPDX-License-Identifier: Apache-2.0
// A format of its own, as docs/checkpoint_formats.md says to add one: all that the library needs is a
// Checkpoint.
#include "golden_models.hpp"
#include "model/checkpoint/checkpoint.hpp"
#include "model/write_packed.hpp"
#include "temporary_folder.hpp"
#include "util/mapped_file.hpp"

using namespace q3g_test;
using qwen3guard::ErrorCode;
using qwen3guard::Result;

namespace {

/// Tensors in a map, each on its own piece of memory.
class MapCheckpoint final : public Checkpoint {
 public:
  struct Stored {
    std::string dtype;
    std::vector<std::uint64_t> shape;
    std::shared_ptr<std::vector<std::byte>> bytes;
    std::optional<PackedInfo> packed;
  };

  explicit MapCheckpoint(ModelConfig config) : config_(std::move(config)) {}
  /// A copy of a golden checkpoint.
  static MapCheckpoint of(const std::string& name) {
    MapCheckpoint out(open_checkpoint(golden_folder(name)).value()->config());
    const std::string path = golden_folder(name) + "/model.safetensors";
    const auto file = SafetensorsFile::open(map_file(path).value(), path, path).value();
    for (const auto& [tensor, stored] : file.tensors()) {
      out.tensors[tensor] = {
          stored.dtype, stored.shape,
          std::make_shared<std::vector<std::byte>>(stored.bytes.begin(), stored.bytes.end()), std::nullopt};
    }
    return out;
  }

  std::string name() const override { return "a map"; }
  const ModelConfig& config() const noexcept override { return config_; }
  const ModelFiles& tokenizer_files() const noexcept override { return no_files_; }
  Result<CheckpointTensor> tensor(const std::string& name) const override {
    const auto at = tensors.find(name);
    if (at == tensors.end()) return error(ErrorCode::bad_checkpoint, "a map: tensor ", name, " is missing");
    const Stored& stored = at->second;
    return CheckpointTensor{
        {name, "a map", stored.dtype, stored.shape, *stored.bytes}, {}, stored.packed, stored.bytes};
  }

  std::map<std::string, Stored> tensors;

 private:
  ModelConfig config_;
  MemoryFiles no_files_{"a map", {}};
};

void check_refused(const Checkpoint& checkpoint) {
  const auto model = Model::load(checkpoint, {});
  REQUIRE_FALSE(model.ok());
  INFO(model.error().detail);
  CHECK(model.error().code == ErrorCode::bad_checkpoint);
  CHECK(model.error().detail.find("a map: tensor ") == 0);
}

}  // namespace

TEST_CASE("checkpoint kinds: one of its own computes what the folder computes", "[model][checkpoint]") {
  const std::vector<TokenId> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
  for (const char* name : {"gen_mha_f32", "gen_gqa2_bf16", "gen_gqa4_f16", "stream_gqa2_bf16"}) {
    INFO(name);
    // The checkpoint is gone when the model runs: the model keeps what it needs.
    const auto model = Model::load(MapCheckpoint::of(name), {}).value();
    const auto folder = load_golden(name);
    CHECK(run_whole(*model, ids) == run_whole(*folder, ids));
    CHECK(model->weight_dtype() == folder->weight_dtype());
    CHECK(model->weight_bytes() == folder->weight_bytes());
    CHECK(model->n_parameters() == folder->n_parameters());
  }
}

TEST_CASE("checkpoint kinds: the default of what a format need not have", "[model][checkpoint]") {
  const MapCheckpoint checkpoint = MapCheckpoint::of("gen_mha_f32");
  CHECK(checkpoint.verify_all(nullptr).ok());
  CHECK(checkpoint.chat_templates().value().empty());
  CHECK_FALSE(checkpoint.kept("prefix.prompt.kv").value().has_value());
  // A packed file without a description would be no model.
  const TemporaryFolder folder;
  WriteOptions options;
  const auto report = write_packed(checkpoint, folder / "m.q3g", options);
  REQUIRE_FALSE(report.ok());
  CHECK(report.error().code == ErrorCode::unsupported_model);
  CHECK(folder.n_files() == 0);
}

TEST_CASE("checkpoint kinds: what a format gets wrong is an error, not a crash", "[model][checkpoint]") {
  const MapCheckpoint sound = MapCheckpoint::of("gen_gqa2_bf16");
  for (const std::string name : {"model.norm.weight", "model.layers.0.mlp.up_proj.weight"}) {
    CAPTURE(name);
    MapCheckpoint broken = sound;
    broken.tensors.erase(name);
    check_refused(broken);
    for (const int more : {-1, 1}) {
      broken = sound;
      auto& bytes = broken.tensors[name].bytes;
      bytes = std::make_shared<std::vector<std::byte>>(*bytes);
      bytes->resize(static_cast<std::size_t>(static_cast<int>(bytes->size()) + more));
      check_refused(broken);
    }
    broken = sound;
    broken.tensors[name].dtype = "Q4_K";
    check_refused(broken);
    broken = sound;
    broken.tensors[name].shape.push_back(1);
    check_refused(broken);
    // Panels that are none, and have no scales.
    broken = sound;
    broken.tensors[name].packed = PackedInfo{qwen3guard::PackedWeights::int8, 64};
    check_refused(broken);
  }
}
