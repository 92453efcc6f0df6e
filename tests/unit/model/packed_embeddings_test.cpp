// SPDX-License-Identifier: Apache-2.0
// A table of embeddings in int8 against a model that has the same numbers as plain float32, on every
// instruction set: what is read of a row is exact, and only products with the whole head round x.
#include <cmath>

#include "golden_models.hpp"
#include "kernels/isa.hpp"
#include "model/weights.hpp"
#include "model/write_packed.hpp"
#include "temporary_folder.hpp"
#include "tensor/linear.hpp"

using namespace q3g_test;
using qwen3guard::PackedWeights;
using qwen3guard::Result;

namespace {

constexpr PackedInfo kInt8Rows{PackedWeights::int8, 0};
constexpr const char* kTables[] = {"model.embed_tokens.weight", "lm_head.weight"};

/// A checkpoint with other numbers in some tables, as float32.
class WithTables final : public Checkpoint {
 public:
  explicit WithTables(const Checkpoint& base) : base_(base) {}

  std::string name() const override { return base_.name(); }
  const ModelConfig& config() const noexcept override { return base_.config(); }
  const ModelFiles& tokenizer_files() const noexcept override { return base_.tokenizer_files(); }
  Result<std::vector<NamedBlob>> description() const override { return base_.description(); }
  Result<CheckpointTensor> tensor(const std::string& name) const override {
    auto found = base_.tensor(name);
    const auto at = tables.find(name);
    if (!found.ok() || at == tables.end()) return found;
    found->values.dtype = "F32";
    found->values.bytes = std::as_bytes(std::span(at->second));
    return found;
  }

  std::map<std::string, std::vector<float>> tables;

 private:
  const Checkpoint& base_;
};

/// All rows of a matrix, as they are read.
std::vector<float> rows_of(const WeightMatrix& w, const KernelTable& kernels) {
  std::vector<float> out(w.rows() * w.cols());
  for (std::size_t r = 0; r < w.rows(); ++r)
    read_row(std::span(out).subspan(r * w.cols(), w.cols()), w, r, kernels);
  return out;
}

/// The golden checkpoint packed with its tables in int8, and with the numbers in those as plain float32.
struct Pair {
  Pair(const std::string& name, const WeightType& type, const std::string& isa) {
    const auto folder = open_checkpoint(golden_folder(name)).value();
    WriteOptions options;
    options.info = {type.id, type.default_group};
    options.vocabulary = kInt8Rows;
    REQUIRE(write_packed(*folder, files / "int8.q3g", options).ok());
    int8 = Model::load(*open_checkpoint(files / "int8.q3g").value(), {.n_threads = 2, .isa = isa}).value();
    WithTables same(*folder);
    const KernelTable& kernels = *select_kernels("scalar").value();
    same.tables[kTables[0]] = rows_of(int8->weights().embed_tokens, kernels);
    const ModelConfig& config = int8->config();
    if (config.architecture == Architecture::causal_lm && !config.tie_word_embeddings)
      same.tables[kTables[1]] = rows_of(int8->weights().lm_head, kernels);
    options.vocabulary.reset();
    REQUIRE(write_packed(same, files / "plain.q3g", options).ok());
    plain = Model::load(*open_checkpoint(files / "plain.q3g").value(), {.n_threads = 2, .isa = isa}).value();
    REQUIRE(plain->weights().embed_tokens.plain() != nullptr);
  }

  TemporaryFolder files;
  std::shared_ptr<const Model> int8, plain;
};

std::vector<float> hidden_of(const Model& model, std::span<const TokenId> ids) {
  KvCache cache = model.new_cache(ids.size());
  Workspace workspace;
  const std::size_t width = model.config().hidden_size;
  std::vector<float> hidden(ids.size() * width);
  REQUIRE(model.forward(ids, cache, workspace, {hidden.data(), ids.size(), width}, nullptr).ok());
  return hidden;
}

}  // namespace

TEST_CASE("int8 embeddings: looking rows up is exact on every instruction set", "[model][packed]") {
  const std::vector<TokenId> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
  for (const std::string& isa : available_isas()) {
    for (const char* name : {"gen_gqa2_bf16", "gen_gqa4_f16", "stream_gqa4_f32"}) {
      for (const WeightType& type : kWeightTypes) {
        INFO(name << " " << isa << " " << type.name);
        const Pair models(name, type, isa);
        CHECK(hidden_of(*models.int8, ids) == hidden_of(*models.plain, ids));
      }
    }
  }
}

TEST_CASE("int8 embeddings: logits of a few tokens round nothing, those of all x", "[model][packed]") {
  const std::vector<TokenId> ids = {5, 1, 9, 2, 2, 7, 3};
  for (const std::string& isa : available_isas()) {
    for (const char* name : {"gen_gqa2_bf16", "gen_gqa4_f16", "gen_sharded_outliers"}) {
      INFO(name << " " << isa);
      const Pair models(name, weight_type(PackedWeights::int8), isa);
      const std::size_t width = models.int8->config().hidden_size;
      const auto vocab = static_cast<std::size_t>(models.int8->config().vocab_size);
      const std::vector<float> hidden = hidden_of(*models.int8, ids);
      const Span2d<const float> rows(hidden.data(), ids.size(), width);
      std::vector<float> all(ids.size() * vocab), exact(all.size());
      Workspace workspace;
      models.int8->lm_logits(rows, {all.data(), ids.size(), vocab}, workspace);
      models.plain->lm_logits(rows, {exact.data(), ids.size(), vocab}, workspace);

      std::vector<TokenId> every(vocab);
      for (std::size_t i = 0; i < vocab; ++i) every[i] = static_cast<TokenId>(i);
      const std::vector<float> table =
          rows_of(models.plain->weights().lm_head, *select_kernels("scalar").value());
      double worst = 0;
      for (std::size_t r = 0; r < ids.size(); ++r) {
        std::vector<float> few(vocab), few_exact(vocab);
        models.int8->lm_logits_for(rows.row(r), every, few);
        models.plain->lm_logits_for(rows.row(r), every, few_exact);
        CHECK(few == few_exact);
        double largest = 0;
        for (const float x : rows.row(r)) largest = std::max(largest, std::abs(static_cast<double>(x)));
        for (std::size_t v = 0; v < vocab; ++v) {
          // Half a step of x for each weight, and the order of float32 sums on both sides.
          double weights = 0, products = 0;
          for (std::size_t c = 0; c < width; ++c) {
            const auto w = static_cast<double>(std::abs(table[v * width + c]));
            weights += w;
            products += w * std::abs(static_cast<double>(rows.row(r)[c]));
          }
          const double bound =
              weights * largest / 127 * 0.5001 + products * static_cast<double>(width + 3) * 0x1p-24;
          const std::size_t at = r * vocab + v;
          const double error = std::abs(static_cast<double>(all[at]) - static_cast<double>(exact[at]));
          worst = std::max(worst, error / bound);
        }
      }
      CHECK(worst <= 1.0);
      CHECK(worst > 1e-4);  // it is the packed head that was multiplied
    }
  }
}
