// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_MODEL_GOLDEN_MODELS_HPP
#define QWEN3GUARD_TESTS_UNIT_MODEL_GOLDEN_MODELS_HPP

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/checkpoint/open_checkpoint.hpp"
#include "model/checkpoint/safetensors.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "q3g_catch.hpp"

/// The committed checkpoints of tests/golden/models and what they should compute.
namespace q3g_test {

using qwen3guard::TokenId;
using namespace qwen3guard::detail;

/// The bound: absolute, on logits of unit scale (docs/numerics.md).
inline constexpr double kTolerance = 1e-4;

inline const std::vector<std::string>& golden_names() {
  static const std::vector<std::string> names = {
      "gen_mha_f32",   "gen_gqa2_bf16",    "gen_gqa4_f16",    "gen_gqa8_bf16",         "gen_sharded_outliers",
      "gen_long_bf16", "stream_gqa2_bf16", "stream_gqa4_f32", "stream_mha_sharded_f16"};
  return names;
}

inline std::string golden_folder(const std::string& name) { return Q3G_TEST_DIR "/golden/models/" + name; }

/// Rows of logits by head: "logits", or "risk_level_logits" ... "query_category_logits".
using Logits = std::map<std::string, std::vector<std::vector<float>>>;

/// One token sequence with the expected logits at some of its positions.
struct GoldenSequence {
  std::vector<TokenId> ids;
  std::vector<std::int32_t> positions;
  Logits transformers, oracle;
};

template <class T>
std::vector<T> values_of(const StoredTensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

inline std::vector<GoldenSequence> load_expected(const std::string& name) {
  auto opened = SafetensorsFile::open(DirectoryFiles(golden_folder(name)), "expected.safetensors");
  REQUIRE(opened.ok());
  const SafetensorsFile file = *std::move(opened);
  std::vector<GoldenSequence> sequences(2);
  for (const auto& [key, tensor] : file.tensors()) {
    for (std::size_t k = 0; k < sequences.size(); ++k) {
      GoldenSequence& sequence = sequences[k];
      const std::string number = "." + std::to_string(k);
      if (key == "ids" + number) sequence.ids = values_of<TokenId>(tensor);
      if (key == "positions" + number) sequence.positions = values_of<std::int32_t>(tensor);
      for (const auto& [source, logits] :
           {std::pair<std::string, Logits*>{"transformers", &sequence.transformers},
            {"oracle", &sequence.oracle}}) {
        const std::string prefix = source + number + ".";
        if (key.compare(0, prefix.size(), prefix) != 0) continue;
        const auto flat = values_of<float>(tensor);
        const auto cols = static_cast<std::ptrdiff_t>(tensor.shape.at(1));
        auto& rows = (*logits)[key.substr(prefix.size())];
        for (auto at = flat.begin(); at != flat.end(); at += cols) rows.emplace_back(at, at + cols);
      }
    }
  }
  return sequences;
}

inline std::shared_ptr<const Model> load_golden(const std::string& name, ModelOptions options = {}) {
  const auto checkpoint = open_checkpoint(golden_folder(name));
  REQUIRE(checkpoint.ok());
  auto model = Model::load(**checkpoint, options);
  INFO(name << ": " << (model.ok() ? "" : model.error().detail));
  REQUIRE(model.ok());
  return *model;
}

/// Appends the logits of all rows of hidden, head by head.
inline void append_logits(const Model& model, Span2d<const float> hidden, Workspace& workspace, Logits& out) {
  const auto append = [&](const std::string& head, const std::vector<float>& flat, std::size_t cols) {
    for (std::size_t r = 0; r < hidden.rows(); ++r) {
      const auto at = flat.begin() + static_cast<std::ptrdiff_t>(r * cols);
      out[head].emplace_back(at, at + static_cast<std::ptrdiff_t>(cols));
    }
  };
  if (model.config().architecture == Architecture::causal_lm) {
    const auto cols = static_cast<std::size_t>(model.config().vocab_size);
    std::vector<float> flat(hidden.rows() * cols);
    model.lm_logits(hidden, {flat.data(), hidden.rows(), cols}, workspace);
    append("logits", flat, cols);
    return;
  }
  for (const HeadRole role : {HeadRole::response, HeadRole::query}) {
    const HeadLabels& labels = model.config().labels(role);
    std::vector<float> risk(hidden.rows() * labels.risk.size()),
        category(hidden.rows() * labels.category.size());
    model.guard_heads(role, hidden, {risk.data(), hidden.rows(), labels.risk.size()},
                      {category.data(), hidden.rows(), labels.category.size()}, workspace);
    const std::string prefix = role == HeadRole::query ? "query_" : "";
    append(prefix + "risk_level_logits", risk, labels.risk.size());
    append(prefix + "category_logits", category, labels.category.size());
  }
}

/// Logits at every position, in pieces of the given lengths (which add up to ids.size()), through `cache`.
inline Logits run_pieces(const Model& model, std::span<const TokenId> ids,
                         const std::vector<std::size_t>& pieces, KvCache& cache) {
  Logits out;
  Workspace workspace;
  const std::size_t width = model.config().hidden_size;
  std::size_t begin = 0;
  for (const std::size_t n : pieces) {
    std::vector<float> hidden(n * width);
    const auto status =
        model.forward(ids.subspan(begin, n), cache, workspace, {hidden.data(), n, width}, nullptr);
    REQUIRE(status.ok());
    append_logits(model, Span2d<const float>(hidden.data(), n, width), workspace, out);
    begin += n;
  }
  REQUIRE(begin == ids.size());
  return out;
}

inline Logits run_whole(const Model& model, std::span<const TokenId> ids) {
  KvCache cache(model.config(), ids.size());
  return run_pieces(model, ids, {ids.size()}, cache);
}

/// Largest absolute difference; infinity when something is missing or not finite.
inline double worst_difference(const Logits& a, const Logits& b) {
  double worst = 0;
  if (a.size() != b.size()) return HUGE_VAL;
  for (const auto& [head, rows] : a) {
    const auto other = b.find(head);
    if (other == b.end() || other->second.size() != rows.size()) return HUGE_VAL;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (rows[r].size() != other->second[r].size()) return HUGE_VAL;
      for (std::size_t i = 0; i < rows[r].size(); ++i) {
        const double difference =
            std::abs(static_cast<double>(rows[r][i]) - static_cast<double>(other->second[r][i]));
        if (!(difference <= worst)) worst = std::isfinite(difference) ? difference : HUGE_VAL;
      }
    }
  }
  return worst;
}

/// The rows at the given positions.
inline Logits at_positions(const Logits& all, const std::vector<std::int32_t>& positions) {
  Logits out;
  for (const auto& [head, rows] : all) {
    for (const std::int32_t p : positions) out[head].push_back(rows.at(static_cast<std::size_t>(p)));
  }
  return out;
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_UNIT_MODEL_GOLDEN_MODELS_HPP
