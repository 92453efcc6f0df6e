// SPDX-License-Identifier: Apache-2.0
// Files of the right length and form whose weights are missing: zeros of an interrupted download, damage.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

#include "malformed/catalogue.hpp"
#include "model/checkpoint/safetensors.hpp"
#include "model/write_packed.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "temporary_folder.hpp"
#include "tensor/quantize.hpp"
#include "util/mapped_file.hpp"

using namespace q3g_test;
using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

const std::string kVocabulary = "model.embed_tokens.weight", kHead = "lm_head.weight";

/// Matrices large enough for eight regions, and for fewer.
CheckpointSpec large_checkpoint() {
  CheckpointSpec c = causal_checkpoint();
  c.config["intermediate_size"] = "300";
  c.config["vocab_size"] = "500";
  for (const std::string& name : {kVocabulary, kHead}) c.model.at(name).shape = {500, 8};
  for (const std::string name : {"gate", "up"})
    c.model.at("model.layers.0.mlp." + name + "_proj.weight").shape = {300, 8};
  c.model.at("model.layers.0.mlp.down_proj.weight").shape = {8, 300};
  c.model.lay_out();
  return c;
}

std::size_t data_begin(const CheckpointSpec& c) { return 8 + c.model.header().size(); }

Status load(const std::string& bytes, const CheckpointSpec& c, bool verify = false) {
  auto contents = c.contents();
  contents["model.safetensors"] = bytes;
  qwen3guard::detail::ModelOptions options;
  options.verify = verify;
  const auto model = load_model(contents, options);
  return model.ok() ? Status() : Status(model.error());
}

void check_refused(const Status& status, const std::string& tensor, const char* words) {
  CAPTURE(tensor, words);
  REQUIRE_FALSE(status.ok());
  CAPTURE(status.error().detail);
  CHECK(status.error().code == ErrorCode::bad_checkpoint);
  CHECK(status.error().detail.find(tensor) != std::string::npos);
  CHECK(status.error().detail.find(words) != std::string::npos);
}

/// The documented rule, for a reader that looks at everything.
bool has_blank_region(const std::string& bytes, const CheckpointSpec& c) {
  for (const TensorSpec& tensor : c.model.tensors) {
    const auto rows = static_cast<std::size_t>(tensor.shape.size() == 1 ? 1 : tensor.shape[0]);
    const std::size_t row_bytes = static_cast<std::size_t>(tensor.n_bytes()) / rows;
    const std::size_t n_regions = std::clamp<std::size_t>(rows / 16, 1, 8);
    const bool is_vocabulary = tensor.name == kVocabulary || tensor.name == kHead;
    const std::size_t n_checked = is_vocabulary ? n_regions - n_regions / 4 : n_regions;
    for (std::size_t i = 0; i < n_checked; ++i) {
      const std::size_t first = rows * i / n_regions, last = rows * (i + 1) / n_regions;
      const auto begin =
          bytes.begin() + static_cast<std::ptrdiff_t>(data_begin(c) + tensor.begin + first * row_bytes);
      if (std::all_of(begin, begin + static_cast<std::ptrdiff_t>((last - first) * row_bytes),
                      [](char byte) { return byte == 0; }))
        return true;
    }
  }
  return false;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// A value that is not finite in each dtype, little-endian, and the width.
const std::vector<std::pair<std::string, std::string>> kInfinities = {
    {"BF16", std::string("\x80\x7F", 2)},
    {"F16", std::string("\x00\x7C", 2)},
    {"F32", std::string("\x00\x00\x80\x7F", 4)},
    {"F32", std::string("\x01\x00\xC0\xFF", 4)}};

}  // namespace

TEST_CASE("weights: a tensor of zeros is refused by name", "[model][malformed]") {
  for (const auto base : {causal_checkpoint, guard_checkpoint, large_checkpoint}) {
    const CheckpointSpec sound = base();
    for (const TensorSpec& tensor : sound.model.tensors) {
      for (const std::string dtype : {"BF16", "F16", "F32"}) {
        CheckpointSpec c = sound;
        c.model.at(tensor.name).dtype = dtype;
        c.model.lay_out();
        std::string bytes = c.model.bytes();
        REQUIRE(load(bytes, c).ok());
        const TensorSpec& at = c.model.at(tensor.name);
        // Zeros of both signs.
        for (std::size_t i = at.begin; i < at.end; ++i) bytes[data_begin(c) + i] = 0;
        check_refused(load(bytes, c), tensor.name, "zeros");
        bytes[data_begin(c) + at.begin + (dtype == "F32" ? 3 : 1)] = '\x80';
        check_refused(load(bytes, c), tensor.name, "zeros");
        // One weight is enough for a small one.
        bytes[data_begin(c) + at.begin] = 1;
        if (at.shape[0] < 32) CHECK(load(bytes, c).ok());
      }
    }
  }
}

TEST_CASE("weights: a value that is not finite is refused by name", "[model][malformed]") {
  const CheckpointSpec sound = guard_checkpoint();
  for (const TensorSpec& tensor : sound.model.tensors) {
    for (const auto& [dtype, value] : kInfinities) {
      CheckpointSpec c = sound;
      c.model.at(tensor.name).dtype = dtype;
      c.model.lay_out();
      std::string bytes = c.model.bytes();
      // In the first row, which every sample has; anywhere in heads and norms.
      const TensorSpec& at = c.model.at(tensor.name);
      bytes.replace(data_begin(c) + at.begin + value.size(), value.size(), value);
      check_refused(load(bytes, c), tensor.name, "not finite");
      const bool is_small = tensor.name.find("layers") == std::string::npos && tensor.name != kVocabulary;
      bytes = c.model.bytes();
      bytes.replace(data_begin(c) + at.end - value.size(), value.size(), value);
      if (is_small) check_refused(load(bytes, c), tensor.name, "not finite");
      check_refused(load(bytes, c, true), tensor.name, "not finite");
    }
  }
}

TEST_CASE("weights: what a sample does not see, verifying does", "[model][malformed]") {
  CheckpointSpec c = large_checkpoint();
  std::string bytes = c.model.bytes();
  const TensorSpec& at = c.model.at("model.layers.0.mlp.up_proj.weight");
  bytes.replace(data_begin(c) + at.begin + 10 * 16, 2, "\xC0\x7F");  // row 10 of 37 in the first region
  CHECK(load(bytes, c).ok());
  check_refused(load(bytes, c, true), at.name, "row 10 ");
}

TEST_CASE("weights: files that were not downloaded to the end are refused", "[model][malformed]") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 rng(seed);
  CheckpointSpec c = large_checkpoint();
  const std::string sound = c.model.bytes();
  const std::size_t begin = data_begin(c), n = sound.size() - begin;
  int n_refused = 0;
  for (int round = 0; round < 600; ++round) {
    std::string bytes = sound;
    // A tail, or one or two holes.
    const std::size_t from = begin + rng() % n;
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from),
              round % 3 == 0
                  ? bytes.end()
                  : bytes.begin() + static_cast<std::ptrdiff_t>(from + rng() % (bytes.size() - from)),
              '\0');
    if (round % 3 == 2) {
      const std::size_t second = begin + rng() % n;
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(second), rng() % (bytes.size() - second), '\0');
    }
    const bool is_blank = has_blank_region(bytes, c);
    n_refused += is_blank ? 1 : 0;
    for (const bool verify : {false, true}) {
      CAPTURE(round, from, verify);
      REQUIRE(load(bytes, c, verify).ok() == !is_blank);
    }
  }
  CHECK(n_refused > 400);
}

TEST_CASE("weights: unused rows of a vocabulary may be zero", "[model][malformed]") {
  CheckpointSpec c = large_checkpoint();
  for (const std::string& name : {kVocabulary, kHead}) {
    const TensorSpec& at = c.model.at(name);
    std::string bytes = c.model.bytes();
    const auto zero_rows = [&](std::size_t first, std::size_t last) {
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(data_begin(c) + at.begin + first * 16),
                  (last - first) * 16, '\0');
    };
    zero_rows(0, 40);
    zero_rows(100, 160);
    zero_rows(375, 500);  // the last quarter
    CHECK(load(bytes, c).ok());
    CHECK(load(bytes, c, true).ok());
    zero_rows(300, 380);
    check_refused(load(bytes, c), name, "rows 312 to 374 of 500");
  }
  // And single rows of any other matrix.
  std::string bytes = c.model.bytes();
  const TensorSpec& at = c.model.at("model.layers.0.mlp.gate_proj.weight");
  for (const std::size_t row : {0U, 36U, 37U, 74U, 75U, 299U})
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(data_begin(c) + at.begin + row * 16), 16, '\0');
  CHECK(load(bytes, c, true).ok());
}

TEST_CASE("weights: packed files with zeros or damage are refused", "[model][malformed]") {
  CheckpointSpec c = large_checkpoint();
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 rng(seed);
  // Weights as they are, no constant: all of one value are the lowest level of int4 in every place.
  auto contents = c.contents();
  for (std::size_t i = data_begin(c); i + 1 < contents["model.safetensors"].size(); i += 2) {
    contents["model.safetensors"][i] = static_cast<char>(rng() % 256);
    contents["model.safetensors"][i + 1] = static_cast<char>((rng() % 2 == 0 ? 0x3C : 0xBC) + rng() % 3);
  }
  std::vector<PackedInfo> infos = {{PackedWeights::int8, 0}};
  for (const WeightType& type : kWeightTypes) infos.push_back({type.id, type.default_group});
  for (const PackedInfo& info : infos) {
    const WeightType& type = weight_type(info.type);
    const TemporaryFolder folder;
    const std::string path = folder / "m.q3g";
    WriteOptions options;
    options.info = info;
    if (!type.element) options.vocabulary = PackedInfo{PackedWeights::int8, 0};
    REQUIRE(write_packed(*open_folder_of(contents).value(), path, options).ok());
    const std::string sound = read_file(path);
    const auto tensors = SafetensorsFile::open(map_file(path).value(), path, path).value();
    const auto load_bytes = [&](const std::string& bytes, Verify verify) {
      GuardOptions how;
      how.require_tokenizer = false;
      how.verify = verify;
      const ModelFile one{"m.q3g", std::as_bytes(std::span(bytes))};
      const auto guard = Guard::load_memory({&one, 1}, nullptr, how);
      return guard.ok() ? Status() : Status(guard.error());
    };
    CHECK(load_bytes(sound, Verify::full).ok());
    CHECK(load_bytes(sound, Verify::off).ok());
    for (const auto& [name, stored] : tensors.tensors()) {
      if (stored.bytes.empty() || name.starts_with("padding:")) continue;
      CAPTURE(name, to_text(info));
      const auto offset = static_cast<std::size_t>(stored.bytes.data() - tensors.blob().bytes.data());
      std::string bytes = sound;
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), stored.bytes.size(), '\0');
      CHECK_FALSE(load_bytes(bytes, Verify::off).ok());
      if (name.ends_with(".packed")) {
        // Zeros that were packed.
        const bool is_table = name.starts_with(kVocabulary) || name.starts_with(kHead);
        const WeightType& own = is_table ? weight_type(options.vocabulary->type) : type;
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), stored.bytes.size(),
                    static_cast<char>(own.zero_byte()));
        CHECK_FALSE(load_bytes(bytes, Verify::off).ok());
      }
      if (name.ends_with(".scales") || (name.ends_with(".packed") && type.element)) {
        bytes = sound;
        bytes.replace(offset, 2, std::string("\x80\x7F", 2));
        const std::string matrix = name.substr(0, name.find(".weight"));
        check_refused(load_bytes(bytes, Verify::off), matrix, "not finite");
      }
      // One bit anywhere.
      bytes = sound;
      const std::size_t at = offset + rng() % stored.bytes.size();
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng() % 8));
      check_refused(load_bytes(bytes, Verify::full), name, "checksum");
      check_refused(load_bytes(bytes, Verify::automatic), name, "checksum");
      std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
      GuardOptions how;
      how.require_tokenizer = false;
      how.verify = Verify::full;
      CHECK_FALSE(Guard::load(path, how).ok());
    }
  }
}

TEST_CASE("weights: zeros and infinities are not packed", "[model][malformed]") {
  CheckpointSpec c = large_checkpoint();
  for (const bool is_zero : {true, false}) {
    auto contents = c.contents();
    std::string& bytes = contents["model.safetensors"];
    const TensorSpec& at = c.model.at(kVocabulary);
    const std::size_t first = data_begin(c) + at.begin;
    if (is_zero) {
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(first), 70 * 16, '\0');
    } else {
      bytes.replace(first + 33 * 16, 2, std::string("\x80\x7F", 2));
    }
    const TemporaryFolder folder;
    for (const bool is_packed : {false, true}) {
      WriteOptions options;
      if (is_packed) options.vocabulary = PackedInfo{PackedWeights::int8, 0};
      const auto written = write_packed(*open_folder_of(contents).value(), folder / "m.q3g", options);
      REQUIRE_FALSE(written.ok());
      CHECK(written.error().detail.find(kVocabulary) != std::string::npos);
      CHECK(folder.n_files() == 0);
    }
  }
}
