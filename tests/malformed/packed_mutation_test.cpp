// SPDX-License-Identifier: Apache-2.0
// Seeded damage to packed files: whatever the bytes, loading ends in weights or in an Error. Meant to run
// under ASan and UBSan too.
#include <random>

#include "kernels/isa.hpp"
#include "malformed/checkpoint_builder.hpp"
#include "model/weights.hpp"
#include "model/write_packed.hpp"
#include "q3g_catch.hpp"
#include "temporary_folder.hpp"
#include "tensor/quantize.hpp"
#include "util/mapped_file.hpp"

using namespace q3g_test;
using namespace qwen3guard::detail;
using qwen3guard::PackedWeights;

namespace {

constexpr std::uint64_t kSeed = 20250102;

std::string packed_bytes(const PackedInfo& info) {
  const TemporaryFolder folder;
  const auto contents = guard_checkpoint().contents();
  WriteOptions options;
  options.info = info;
  options.vocabulary = PackedInfo{PackedWeights::int8, 0};
  REQUIRE(write_packed(*open_folder_of(contents).value(), folder / "m.q3g", options).ok());
  return std::string(map_file(folder / "m.q3g").value().text());
}

/// Reads every weight, so that a sanitizer sees an extent that is wrong.
double sum_of(const WeightMatrix& w) {
  std::vector<float> row(w.cols());
  double sum = 0;
  for (std::size_t r = 0; w.packed() != nullptr && r < w.rows(); ++r) {
    unpack_row(row, *w.packed(), r);
    for (const float x : row) sum += static_cast<double>(x);
  }
  return sum;
}

enum class Outcome { loaded, refused, silent };

Outcome load(const std::string& bytes) {
  const auto packed = open_packed_of(bytes);
  if (!packed.ok()) return packed.error().detail.empty() ? Outcome::silent : Outcome::refused;
  const auto weights = Weights::load(**packed, *select_kernels("scalar").value());
  if (!weights.ok()) return weights.error().detail.empty() ? Outcome::silent : Outcome::refused;
  double sum = sum_of(weights->embed_tokens);
  for (const LayerWeights& layer : weights->layers) sum += sum_of(layer.q_proj) + sum_of(layer.down_proj);
  volatile double sink = sum;
  static_cast<void>(sink);
  return Outcome::loaded;
}

/// The header's own checksum would stop every edit of it; this one is right again.
std::string with_checksum(const std::string& bytes) {
  std::uint64_t n = 0;
  if (bytes.size() < 8) return bytes;
  std::memcpy(&n, bytes.data(), 8);
  if (n > bytes.size() - 8) return bytes;
  const std::string header = bytes.substr(8, static_cast<std::size_t>(n));
  const auto sum = packed_header_checksum(header);
  if (!sum) return bytes;
  const std::string key = "\"xxh3_header\":\"";
  const std::size_t at = 8 + header.find(key) + key.size();
  return bytes.substr(0, at) + *sum + bytes.substr(at + sum->size());
}

std::string damage(std::string bytes, std::size_t range, std::mt19937_64& random) {
  static constexpr std::string_view kAlphabet = "0123456789-+.eE{}[],:\"\\ xh3int48bfgroup\xff";
  for (auto n = 1 + random() % 3; n > 0 && !bytes.empty(); --n) {
    const std::size_t at = random() % std::min(range, bytes.size());
    switch (random() % 8) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.insert(at, bytes.substr(at, 1 + random() % 16));
        break;
      case 2:
        bytes.erase(at, 1 + random() % 16);
        break;
      case 3:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
        break;
      default:
        bytes[at] = kAlphabet[random() % kAlphabet.size()];
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("malformed: random damage to a packed file never crashes", "[model][malformed][packed]") {
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  for (const WeightType& type : kWeightTypes) {
    const PackedInfo info{type.id, type.default_group};
    const std::string sound = packed_bytes(info);
    REQUIRE(load(sound) == Outcome::loaded);
    std::uint64_t n_header = 0;
    std::memcpy(&n_header, sound.data(), 8);
    for (int i = 0; i < 1500; ++i) {
      const std::size_t range = i % 4 == 0 ? sound.size() : static_cast<std::size_t>(n_header) + 8;
      std::string broken = damage(sound, range, random);
      if (i % 3 != 0) broken = with_checksum(broken);
      INFO(to_text(info) << " case " << i);
      REQUIRE(load(broken) != Outcome::silent);
    }
  }
}

TEST_CASE("malformed: every truncation of a packed file is refused", "[model][malformed][packed]") {
  const std::string sound = packed_bytes({PackedWeights::int8, 64});
  for (std::size_t n = 0; n < sound.size(); n += n < 128 || n + 128 > sound.size() ? 1 : 37) {
    INFO("cut to " << n << " bytes");
    REQUIRE(load(sound.substr(0, n)) == Outcome::refused);
  }
}
