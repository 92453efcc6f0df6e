// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "golden_models.hpp"
#include "kernels/isa.hpp"
#include "model/write_packed.hpp"
#include "temporary_folder.hpp"
#include "tensor/weight_types.hpp"

using namespace q3g_test;

namespace {

std::shared_ptr<const Model> load_packed(const std::string& name, const WeightType& type,
                                         const std::string& isa) {
  const TemporaryFolder folder;
  WriteOptions options;
  options.info = {type.id, type.default_group};
  REQUIRE(write_packed(*open_checkpoint(golden_folder(name)).value(), folder / "m.q3g", options).ok());
  return Model::load(*open_checkpoint(folder / "m.q3g").value(), {.n_threads = 2, .isa = isa}).value();
}

/// The worst difference from the oracle, with keys and values in float32 or as the model keeps them.
double packed_error(const Model& model, const std::string& name, bool is_cache_f32) {
  double worst = 0;
  for (const GoldenSequence& sequence : load_expected(name)) {
    KvCache cache =
        is_cache_f32 ? KvCache(model.config(), sequence.ids.size()) : model.new_cache(sequence.ids.size());
    const Logits ours = run_pieces(model, sequence.ids, {sequence.ids.size()}, cache);
    worst = std::max(worst, worst_difference(at_positions(ours, sequence.positions), sequence.oracle));
  }
  return worst;
}

}  // namespace

TEST_CASE("golden: logits agree with transformers and with the oracle on every instruction set",
          "[model][golden]") {
  for (const std::string& isa : available_isas()) {
    for (const std::string& name : golden_names()) {
      const auto model = load_golden(name, {.n_threads = 2, .isa = isa});
      CHECK(model->isa() == isa);
      double by_transformers = 0, by_oracle = 0;
      for (const GoldenSequence& sequence : load_expected(name)) {
        REQUIRE_FALSE(sequence.ids.empty());
        REQUIRE_FALSE(sequence.transformers.empty());
        const Logits ours = at_positions(run_whole(*model, sequence.ids), sequence.positions);
        by_transformers = std::max(by_transformers, worst_difference(ours, sequence.transformers));
        by_oracle = std::max(by_oracle, worst_difference(ours, sequence.oracle));
      }
      // Shown by ctest -V: the table of docs/numerics.md.
      std::printf("%-24s %-7s worst error: transformers %.1e, oracle %.1e\n", name.c_str(), isa.c_str(),
                  by_transformers, by_oracle);
      INFO(name << " " << isa);
      CHECK(by_transformers < kTolerance);
      CHECK(by_oracle < kTolerance);
    }
  }
}

TEST_CASE("golden: logits of single tokens equal those of the whole vocabulary", "[model][golden]") {
  for (const char* name : {"gen_mha_f32", "gen_gqa2_bf16", "gen_gqa4_f16"}) {
    const auto model = load_golden(name);
    const std::size_t width = model->config().hidden_size;
    const auto vocab = static_cast<std::size_t>(model->config().vocab_size);
    KvCache cache(model->config(), 8);
    Workspace workspace;
    std::vector<float> hidden(width), all(vocab);
    const std::vector<TokenId> ids = {5, 1, 9};
    REQUIRE(model->forward(ids, cache, workspace, {hidden.data(), 1, width}, nullptr).ok());
    model->lm_logits({hidden.data(), 1, width}, {all.data(), 1, vocab}, workspace);
    const std::vector<TokenId> some = {0, 7, static_cast<TokenId>(vocab) - 1};
    std::vector<float> few(some.size());
    model->lm_logits_for(hidden, some, few);
    for (std::size_t i = 0; i < some.size(); ++i)
      CHECK(static_cast<double>(few[i]) == Approx(all[static_cast<std::size_t>(some[i])]).margin(1e-5));
  }
}

TEST_CASE("golden: F16 checkpoints packed as fp16 are as exact as the folders", "[model][golden][packed]") {
  for (const std::string& isa : available_isas()) {
    for (const char* name : {"gen_gqa4_f16", "stream_mha_sharded_f16"}) {
      for (const WeightType& type : kWeightTypes) {
        const auto model = load_packed(name, type, isa);
        const double weights = packed_error(*model, name, true), all = packed_error(*model, name, false);
        // Shown by ctest -V, for docs/numerics.md.
        std::printf("%-24s %-10s %s worst error: %.1e, with its own cache %.1e\n", name, isa.c_str(),
                    type.name, weights, all);
        if (type.element != DType::f16) continue;
        INFO(name << " " << isa);
        CHECK(weights < kTolerance);
        // Keys and values are rounded to 11 bits, in each of up to 3 layers.
        CHECK(all < 3 * 4 * 0x1p-12);
      }
    }
  }
}
