// SPDX-License-Identifier: Apache-2.0
// One packed file that is two models: a backbone with tied embeddings and guard heads, opened as the Stream
// checkpoint that it was packed from, and with a config.json of its own as a Gen checkpoint.
#include <cstring>
#include <fstream>
#include <iterator>

#include "golden_models.hpp"
#include "kernels/isa.hpp"
#include "model/checkpoint/files_over.hpp"
#include "model/weights.hpp"
#include "model/write_packed.hpp"
#include "temporary_folder.hpp"
#include "tokenizer/tokenizer_files.hpp"
#include "util/aligned_buffer.hpp"

using namespace q3g_test;
using qwen3guard::ErrorCode;
using qwen3guard::PackedWeights;

namespace {

constexpr const char* kStream = "stream_gqa2_bf16";  // its embeddings are tied

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string gen_config() {
  std::string config = read(golden_folder(kStream) + "/config.json");
  const std::string stream = "Qwen3ForGuardModel";
  config.replace(config.find(stream), stream.size(), "Qwen3ForCausalLM");
  return config;
}

void pack(const std::string& folder, const std::string& out, const PackedInfo& info) {
  WriteOptions options;
  options.info = info;
  REQUIRE(write_packed(*open_checkpoint(folder).value(), out, options).ok());
}

/// A file in memory, at an address as a mapped or an embedded one has.
class InMemory {
 public:
  explicit InMemory(const std::string& path) {
    const std::string text = read(path);
    buffer_ = AlignedBuffer<std::byte>(text.size());
    std::memcpy(buffer_.data(), text.data(), text.size());
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return buffer_.span(); }

 private:
  AlignedBuffer<std::byte> buffer_;
};

Logits run(const Checkpoint& checkpoint) {
  const auto model = Model::load(checkpoint, {.n_threads = 1, .isa = "scalar"});
  INFO((model.ok() ? "" : model.error().detail));
  REQUIRE(model.ok());
  return run_whole(**model, std::vector<TokenId>{3, 1, 4, 1, 5, 9, 2, 6});
}

}  // namespace

TEST_CASE("shared packed file: each form computes what its own packed folder does", "[model][packed]") {
  const TemporaryFolder out;
  // The Gen form's folder: the same backbone. Its heads are not part of that form, and are not packed.
  const std::string config = gen_config();
  std::filesystem::create_directory(out / "gen");
  std::ofstream(out / "gen/config.json", std::ios::binary) << config;
  std::filesystem::copy_file(golden_folder(kStream) + "/model.safetensors", out / "gen/model.safetensors");
  for (const PackedInfo& info : {PackedInfo{PackedWeights::int8, 32}, PackedInfo{PackedWeights::bf16, 0}}) {
    INFO(to_text(info));
    const std::string stream_path = out / ("stream" + to_text(info)),
                      gen_path = out / ("gen" + to_text(info));
    pack(golden_folder(kStream), stream_path, info);
    pack(out / "gen", gen_path, info);
    const InMemory shared(stream_path);
    const auto gen =
        open_packed_among({"here", {{"config.json", bytes_of(config)}, {"m.q3g", shared.bytes()}}}, "m.q3g");
    REQUIRE(gen.ok());
    const auto stream = open_packed_among({"here", {{"m.q3g", shared.bytes()}}}, "m.q3g");
    REQUIRE(stream.ok());

    CHECK((*gen)->name() == "here");
    CHECK((*gen)->config().architecture == Architecture::causal_lm);
    CHECK((*stream)->config().architecture == Architecture::guard);
    CHECK((*gen)->kept("config.json").value()->blob.text() == config);
    CHECK((*gen)->kept("config.json").value()->display_name == "here/config.json");
    CHECK((*stream)->kept("config.json").value()->display_name == "here/m.q3g/config.json");
    CHECK((*gen)->verify_all(nullptr).ok());

    // Every tensor of the packed Gen folder is there, to the bit.
    const std::string gen_bytes = read(gen_path);
    const auto own_file = SafetensorsFile::open({bytes_of(gen_bytes), nullptr}, "gen", {}).value();
    const auto shared_file = SafetensorsFile::open({shared.bytes(), nullptr}, "shared", {}).value();
    std::size_t n_equal = 0;
    for (const auto& [name, tensor] : own_file.tensors()) {
      if (name.starts_with("file:") || name.starts_with("padding:")) continue;
      INFO(name);
      const StoredTensor* const found = shared_file.find(name);
      REQUIRE(found != nullptr);
      CHECK(found->dtype == tensor.dtype);
      CHECK(found->shape == tensor.shape);
      REQUIRE(std::equal(found->bytes.begin(), found->bytes.end(), tensor.bytes.begin(), tensor.bytes.end()));
      ++n_equal;
    }
    CHECK(n_equal > 20);

    // Nothing is copied, and both compute the same as alone.
    const KernelTable& kernels = *select_kernels("scalar").value();
    CHECK(Weights::load(**gen, kernels)->copies.empty());
    CHECK(Weights::load(**stream, kernels)->copies.empty());
    CHECK(run(**gen) == run(*open_checkpoint(gen_path).value()));
    CHECK(run(**stream) == run(*open_checkpoint(stream_path).value()));
  }
}

TEST_CASE("shared packed file: the tokenizer beside it is the model's when there is none inside",
          "[model][packed]") {
  const std::string tiny = std::string(Q3G_TEST_DIR) + "/golden/tiny/stream";
  const TemporaryFolder out;
  std::filesystem::create_directory(out / "bare");
  for (const char* name : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(tiny + "/" + name, (out / "bare") + "/" + name);
  pack(out / "bare", out / "m.q3g", {PackedWeights::int8, 64});
  const InMemory shared(out / "m.q3g");
  const auto without = open_packed_among({"here", {{"m.q3g", shared.bytes()}}}, "m.q3g");
  REQUIRE(without.ok());
  CHECK_FALSE(has_tokenizer((*without)->tokenizer_files()));

  const std::string json = read(tiny + "/tokenizer.json");
  const auto with =
      open_packed_among({"here", {{"tokenizer.json", bytes_of(json)}, {"m.q3g", shared.bytes()}}}, "m.q3g");
  REQUIRE(with.ok());
  REQUIRE(has_tokenizer((*with)->tokenizer_files()));
  const auto beside = load_tokenizer((*with)->tokenizer_files());
  const auto own = qwen3guard::Tokenizer::load(tiny);
  REQUIRE(beside.ok());
  REQUIRE(own.ok());
  const std::string text = "How do I bake a cake? <|im_end|> \xC3\xA9";
  CHECK(beside->encode(text).value() == own->encode(text).value());
}

TEST_CASE("shared packed file: what is wrong is an error that names it", "[model][packed]") {
  const TemporaryFolder out;
  pack(golden_folder(kStream), out / "m.q3g", {PackedWeights::int8, 64});
  const InMemory shared(out / "m.q3g");
  const auto refused = [&](std::vector<MemoryFiles::Entry> entries, const char* packed, ErrorCode code,
                           const std::string& word) {
    auto checkpoint = open_packed_among({"here", std::move(entries)}, packed);
    qwen3guard::Status status;
    if (!checkpoint.ok()) {
      status = std::move(checkpoint).error();
    } else {
      auto weights = Weights::load(**checkpoint, *select_kernels("scalar").value());
      REQUIRE_FALSE(weights.ok());
      status = std::move(weights).error();
    }
    INFO(status.error().detail);
    CHECK(status.error().code == code);
    CHECK(status.error().detail.find(word) != std::string::npos);
  };
  refused({{"config.json", bytes_of("{}")}}, "m.q3g", ErrorCode::file_not_found, "here/m.q3g");
  refused({{"config.json", bytes_of("{}")}, {"m.q3g", shared.bytes()}}, "m.q3g", ErrorCode::bad_checkpoint,
          "here/config.json");
  const std::string plain = read(golden_folder(kStream) + "/model.safetensors");
  refused({{"m.q3g", bytes_of(plain)}}, "m.q3g", ErrorCode::bad_checkpoint, "no packed model");
  // A Gen model whose head is not tied needs one that the file lacks.
  std::string untied = gen_config();
  const std::string tied = "\"tie_word_embeddings\": true";
  untied.replace(untied.find(tied), tied.size(), "\"tie_word_embeddings\": false");
  refused({{"config.json", bytes_of(untied)}, {"m.q3g", shared.bytes()}}, "m.q3g", ErrorCode::bad_checkpoint,
          "lm_head.weight");
}

TEST_CASE("files over others: the upper ones, and the lower ones that they lack", "[model][checkpoint]") {
  const std::string upper = "upper", lower = "lower";
  const FilesOver files(
      std::make_unique<MemoryFiles>("up", std::vector<MemoryFiles::Entry>{{"b.json", bytes_of(upper)}}),
      std::make_unique<MemoryFiles>(
          "low", std::vector<MemoryFiles::Entry>{
                     {"c.json", bytes_of(lower)}, {"b.json", bytes_of(lower)}, {"a.txt", bytes_of(lower)}}));
  CHECK(files.name() == "up");
  CHECK(files.open("b.json")->text() == upper);
  CHECK(files.open("a.txt")->text() == lower);
  CHECK(files.contains("c.json"));
  CHECK_FALSE(files.contains("d.json"));
  CHECK(files.open("d.json").error().code == ErrorCode::file_not_found);
  CHECK(files.display_name("b.json") == "up/b.json");
  CHECK(files.display_name("c.json") == "low/c.json");
  CHECK(files.names_ending_in(".json") == std::vector<std::string>{"b.json", "c.json"});
  CHECK(files.names_ending_in(".none").empty());
}
