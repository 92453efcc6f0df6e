// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "golden_models.hpp"
#include "kernels/isa.hpp"

using namespace q3g_test;

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
