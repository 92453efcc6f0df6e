// SPDX-License-Identifier: Apache-2.0
// Writing and reading of packed model files.
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "kernels/isa.hpp"
#include "malformed/checkpoint_builder.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "model/checkpoint/packed_file.hpp"
#include "model/weights.hpp"
#include "model/write_packed.hpp"
#include "q3g_catch.hpp"
#include "temporary_folder.hpp"
#include "tensor/linear.hpp"
#include "tensor/quantize.hpp"
#include "util/checksum.hpp"

using namespace q3g_test;
using namespace qwen3guard::detail;
using qwen3guard::ErrorCode;
using qwen3guard::PackedWeights;
using qwen3guard::Status;

namespace {

/// Every type with every group that it has.
const std::vector<PackedInfo> kInfos = [] {
  std::vector<PackedInfo> all;
  for (const WeightType& type : kWeightTypes) {
    for (const std::size_t group : type.groups) all.push_back({type.id, group});
  }
  return all;
}();

std::string golden(const std::string& name) { return std::string(Q3G_TEST_DIR) + "/golden/models/" + name; }

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

constexpr PackedInfo kInt8Rows{PackedWeights::int8, 0};

WriteOptions options_for(const PackedInfo& info, std::optional<PackedInfo> vocabulary = std::nullopt) {
  WriteOptions options;
  options.info = info;
  options.vocabulary = vocabulary;
  return options;
}

qwen3guard::Result<Weights> load_weights(const Checkpoint& checkpoint) {
  return Weights::load(checkpoint, *select_kernels("scalar").value());
}

Blob blob_of(const std::string& bytes) { return {std::as_bytes(std::span(bytes)), nullptr}; }

bool same_floats(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// The packed matrix is what pack() makes of the plain one.
void check_projection(const WeightMatrix& packed, const WeightMatrix& plain, const PackedInfo& info) {
  REQUIRE(packed.packed() != nullptr);
  REQUIRE(plain.plain() != nullptr);
  CHECK(packed.rows() == plain.rows());
  CHECK(packed.cols() == plain.cols());
  CHECK(reinterpret_cast<std::uintptr_t>(packed.packed()->data) % 64 == 0);
  const auto expected =
      pack(*plain.plain(), {.type = info.type, .group = info.group, .column_importance = {}}, "w").value();
  CHECK(std::memcmp(packed.packed()->data, expected.data.data(), expected.data.size()) == 0);
  if (expected.scales.size() > 0)
    CHECK(std::memcmp(packed.packed()->scales, expected.scales.data(), 2 * expected.scales.size()) == 0);
}

/// The bytes of a small packed file.
std::string packed_bytes(const CheckpointSpec& checkpoint, const PackedInfo& info,
                         std::optional<PackedInfo> vocabulary = std::nullopt) {
  const TemporaryFolder folder;
  const auto contents = checkpoint.contents();
  const auto report =
      write_packed(*open_folder_of(contents).value(), folder / "m.q3g", options_for(info, vocabulary));
  INFO((report.ok() ? "" : report.error().detail));
  REQUIRE(report.ok());
  return read(folder / "m.q3g");
}

/// Opens and loads a packed file in memory.
Status load_bytes(const std::string& bytes) {
  auto packed = open_packed_of(bytes);
  if (!packed.ok()) return std::move(packed).error();
  auto weights = load_weights(**packed);
  if (!weights.ok()) return std::move(weights).error();
  return {};
}

void check_refused(const std::string& bytes, ErrorCode code, const std::vector<std::string>& words) {
  const Status status = load_bytes(bytes);
  REQUIRE_FALSE(status.ok());
  INFO(status.error().detail);
  CHECK(std::string(to_string(status.error().code)) == to_string(code));
  for (const std::string& word : words) {
    INFO("expected: " << word);
    CHECK(status.error().detail.find(word) != std::string::npos);
  }
}

/// The file with a text of its header replaced by one of the same length, and the header's checksum renewed.
std::string edited(std::string bytes, const std::string& from, const std::string& to) {
  REQUIRE(from.size() == to.size());
  const std::size_t at = bytes.find(from);
  REQUIRE(at != std::string::npos);
  bytes.replace(at, from.size(), to);
  std::uint64_t n = 0;
  std::memcpy(&n, bytes.data(), 8);
  const std::string header = bytes.substr(8, n);
  const std::string key = "\"xxh3_header\":\"";
  bytes.replace(8 + header.find(key) + key.size(), 16, packed_header_checksum(header).value());
  return bytes;
}

}  // namespace

TEST_CASE("packed: loads what was packed", "[model][packed]") {
  for (const char* name : {"gen_gqa2_bf16", "gen_gqa4_f16", "gen_sharded_outliers", "stream_gqa4_f32"}) {
    const auto folder = open_checkpoint(golden(name)).value();
    const auto plain = load_weights(*folder);
    REQUIRE(plain.ok());
    for (const PackedInfo& info : kInfos) {
      const TemporaryFolder out;
      INFO(name << " as " << to_text(info));
      const auto report = write_packed(*folder, out / "m.q3g", options_for(info));
      INFO((report.ok() ? "" : report.error().detail));
      REQUIRE(report.ok());
      CHECK(report->file_bytes == static_cast<std::int64_t>(std::filesystem::file_size(out / "m.q3g")));
      CHECK(report->source_bytes == plain->n_bytes);
      const auto packed = open_checkpoint(out / "m.q3g").value();
      CHECK(packed->verify_all(nullptr).ok());
      CHECK(packed->name() == out / "m.q3g");
      CHECK(packed->kept("config.json").value()->blob.text() == read(golden(name) + "/config.json"));
      CHECK_FALSE(packed->tokenizer_files().contains("tokenizer.json"));
      const auto weights = load_weights(*packed);
      INFO((weights.ok() ? "" : weights.error().detail));
      REQUIRE(weights.ok());
      CHECK(weights->dtype == to_text(info, to_string(plain->embed_tokens.plain()->dtype)));
      CHECK(report->weight_dtype == weights->dtype);
      CHECK(weights->n_parameters == plain->n_parameters);
      CHECK(weights->copies.empty());
      CHECK(same_floats(weights->final_norm.span(), plain->final_norm.span()));
      REQUIRE(weights->embed_tokens.plain() != nullptr);
      CHECK(weights->embed_tokens.plain()->dtype == plain->embed_tokens.plain()->dtype);
      REQUIRE(weights->layers.size() == plain->layers.size());
      for (std::size_t i = 0; i < plain->layers.size(); ++i) {
        const LayerWeights &a = weights->layers[i], &b = plain->layers[i];
        for (const auto member :
             {&LayerWeights::q_proj, &LayerWeights::k_proj, &LayerWeights::v_proj, &LayerWeights::o_proj,
              &LayerWeights::gate_proj, &LayerWeights::up_proj, &LayerWeights::down_proj})
          check_projection(a.*member, b.*member, info);
        CHECK(same_floats(a.q_norm.span(), b.q_norm.span()));
      }
    }
  }
}

TEST_CASE("packed: tables with a row for each token are packed in their own way", "[model][packed]") {
  for (const char* name : {"gen_gqa2_bf16", "gen_gqa4_f16", "stream_gqa4_f32"}) {
    const auto folder = open_checkpoint(golden(name)).value();
    const Weights plain = load_weights(*folder).value();
    for (const PackedInfo& info : kInfos) {
      const TemporaryFolder out;
      INFO(name << " as " << to_text(info));
      const auto report = write_packed(*folder, out / "m.q3g", options_for(info, kInt8Rows));
      REQUIRE(report.ok());
      CHECK(report->weight_dtype == to_text(info) + ", embeddings int8 (per row)");
      const auto packed = open_checkpoint(out / "m.q3g").value();
      CHECK(packed->verify_all(nullptr).ok());
      const Weights weights = load_weights(*packed).value();
      CHECK(weights.dtype == report->weight_dtype);
      CHECK(weights.n_parameters == plain.n_parameters);
      CHECK(weights.copies.empty());
      check_projection(weights.embed_tokens, plain.embed_tokens, kInt8Rows);
      check_projection(weights.layers.back().up_proj, plain.layers.back().up_proj, info);
      if (packed->config().architecture != Architecture::causal_lm) continue;
      check_projection(weights.lm_head, plain.lm_head, kInt8Rows);
      const bool is_shared = weights.lm_head.packed()->data == weights.embed_tokens.packed()->data;
      CHECK(is_shared == packed->config().tie_word_embeddings);
    }
  }
}

TEST_CASE("packed: a row of an int8 table is within half a step of the checkpoint's", "[model][packed]") {
  const KernelTable& kernels = *select_kernels("scalar").value();
  for (const char* name : {"gen_gqa2_bf16", "gen_gqa4_f16", "gen_sharded_outliers", "stream_gqa4_f32"}) {
    const TemporaryFolder out;
    const auto folder = open_checkpoint(golden(name)).value();
    REQUIRE(write_packed(*folder, out / "m.q3g", options_for({PackedWeights::bf16, 0}, kInt8Rows)).ok());
    const auto file = open_checkpoint(out / "m.q3g").value();
    const Weights packed = load_weights(*file).value(), plain = load_weights(*folder).value();
    std::vector<float> row(plain.embed_tokens.cols()), exact(row.size());
    for (std::size_t r = 0; r < plain.embed_tokens.rows(); ++r) {
      read_row(row, packed.embed_tokens, r, kernels);
      read_row(exact, plain.embed_tokens, r, kernels);
      double largest = 0, worst = 0;
      for (std::size_t c = 0; c < row.size(); ++c) {
        largest = std::max(largest, std::abs(static_cast<double>(exact[c])));
        worst = std::max(worst, std::abs(static_cast<double>(row[c]) - static_cast<double>(exact[c])));
      }
      // The scale is largest / 127, rounded up to 8 bits; the quotient and the product round in float32, at
      // up to 127 steps.
      const double step = largest / 127 * (1 + 0x1p-7);
      INFO(name << " row " << r);
      REQUIRE(worst <= step * (0.5 + 2 * 127 * 0x1p-24));
    }
  }
}

TEST_CASE("packed: rows of zeros and weights that are not finite in a table", "[model][packed]") {
  const TemporaryFolder folder;
  CheckpointSpec checkpoint = causal_checkpoint();
  std::string bytes = checkpoint.model.bytes();
  const auto& table = checkpoint.model.at("model.embed_tokens.weight");
  const std::size_t row = bytes.size() - checkpoint.model.n_data + table.begin + 3 * 16;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(row), 16, '\0');
  checkpoint.raw["model.safetensors"] = bytes;
  auto contents = checkpoint.contents();
  const WriteOptions options = options_for({PackedWeights::int8, 64}, kInt8Rows);
  REQUIRE(write_packed(*open_folder_of(contents).value(), folder / "m.q3g", options).ok());
  const auto file = open_checkpoint(folder / "m.q3g").value();
  const Weights weights = load_weights(*file).value();
  std::vector<float> values(8, 1.0F);
  read_row(values, weights.embed_tokens, 3, *select_kernels("scalar").value());
  CHECK(values == std::vector<float>(8, 0.0F));
  CHECK(weights.embed_tokens.packed()->scales[3] == 0);

  bytes.replace(row + 2 * 5, 2, "\x80\x7f", 2);
  checkpoint.raw["model.safetensors"] = bytes;
  contents = checkpoint.contents();
  const auto bad = write_packed(*open_folder_of(contents).value(), folder / "n.q3g", options);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().code == ErrorCode::bad_checkpoint);
  for (const char* word : {"memory/model.safetensors", "model.embed_tokens.weight", "row 3", "not finite"}) {
    INFO(bad.error().detail << " / " << word);
    CHECK(bad.error().detail.find(word) != std::string::npos);
  }
  CHECK(folder.n_files() == 1);
}

TEST_CASE("packed: an F16 checkpoint as fp16 keeps every weight to the bit", "[model][packed]") {
  for (const char* name : {"gen_gqa4_f16", "stream_mha_sharded_f16"}) {
    const TemporaryFolder out;
    const auto folder = open_checkpoint(golden(name)).value();
    REQUIRE(write_packed(*folder, out / "m.q3g", options_for({PackedWeights::fp16, 0})).ok());
    const auto file = open_checkpoint(out / "m.q3g").value();
    const Weights packed = load_weights(*file).value(), plain = load_weights(*folder).value();
    const KernelTable& kernels = *select_kernels("scalar").value();
    for (std::size_t i = 0; i < plain.layers.size(); ++i) {
      for (const auto member :
           {&LayerWeights::q_proj, &LayerWeights::k_proj, &LayerWeights::v_proj, &LayerWeights::o_proj,
            &LayerWeights::gate_proj, &LayerWeights::up_proj, &LayerWeights::down_proj}) {
        const MatrixView& w = *(plain.layers[i].*member).plain();
        REQUIRE(w.dtype == DType::f16);
        std::vector<float> expected(w.cols), row(w.cols);
        for (std::size_t r = 0; r < w.rows; ++r) {
          widen_row(expected, w, r, kernels);
          unpack_row(row, *(packed.layers[i].*member).packed(), r);
          REQUIRE(same_floats(row, expected));
        }
      }
    }
  }
}

TEST_CASE("packed: a weight beyond fp16 is refused, where bf16 takes it", "[model][packed]") {
  const TemporaryFolder folder;
  CheckpointSpec large = causal_checkpoint();
  std::string bytes = large.model.bytes();
  const auto& up = large.model.at("model.layers.0.mlp.up_proj.weight");
  const std::size_t at =
      bytes.size() - large.model.n_data + up.begin + 2 * 7;  // column 7 of row 0, or behind
  bytes.replace(at, 2, "\x80\x47", 2);                       // 65536
  large.raw["model.safetensors"] = bytes;
  const auto contents = large.contents();
  const auto source = open_folder_of(contents).value();
  CHECK(write_packed(*source, folder / "b.q3g", options_for({PackedWeights::bf16, 0})).ok());
  const auto bad = write_packed(*source, folder / "m.q3g", options_for({PackedWeights::fp16, 0}));
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().code == ErrorCode::bad_checkpoint);
  for (const char* word : {"memory/model.safetensors", "up_proj", "column 7", "65536", "65504", "fp16"}) {
    INFO(bad.error().detail << " / " << word);
    CHECK(bad.error().detail.find(word) != std::string::npos);
  }
  CHECK(folder.n_files() == 1);

  // What would be rows of zeros, which no loader takes, is not written.
  CheckpointSpec small = causal_checkpoint();
  bytes = small.model.bytes();
  const auto& down = small.model.at("model.layers.0.mlp.down_proj.weight");
  const std::size_t first = bytes.size() - small.model.n_data + down.begin;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(first), down.end - down.begin, '\x11');
  small.raw["model.safetensors"] = bytes;
  const auto small_contents = small.contents();
  const auto small_source = open_folder_of(small_contents).value();
  CHECK(write_packed(*small_source, folder / "c.q3g", options_for({PackedWeights::int8, 64})).ok());
  const auto zeros = write_packed(*small_source, folder / "m.q3g", options_for({PackedWeights::fp16, 0}));
  REQUIRE_FALSE(zeros.ok());
  CHECK(zeros.error().detail.find("down_proj.weight\": its weights") != std::string::npos);
  CHECK(zeros.error().detail.find("too small for fp16") != std::string::npos);
  CHECK(folder.n_files() == 2);
}

TEST_CASE("packed: every tensor begins at a multiple of 64 bytes", "[model][packed]") {
  for (const CheckpointSpec& checkpoint : {causal_checkpoint(), guard_checkpoint()}) {
    const std::map<std::string, std::string> contents = {
        {"m.q3g", packed_bytes(checkpoint, {PackedWeights::int8, 32})}};
    const auto files = files_of(contents);
    const auto file = SafetensorsFile::open(files, "m.q3g");
    REQUIRE(file.ok());
    for (const auto& [name, tensor] : file->tensors()) {
      INFO(name);
      CHECK((name.starts_with("padding:") ||
             (tensor.bytes.data() - reinterpret_cast<const std::byte*>(contents.at("m.q3g").data())) % 64 ==
                 0));
    }
  }
}

TEST_CASE("packed: the same file whoever writes it", "[model][packed]") {
  const TemporaryFolder folder;
  for (const int n_threads : {1, 3}) {
    WriteOptions options = options_for({PackedWeights::int4, 32});
    options.n_threads = n_threads;
    REQUIRE(write_packed(*open_checkpoint(golden("gen_mha_f32")).value(), folder / std::to_string(n_threads),
                         options)
                .ok());
  }
  CHECK(read(folder / "1") == read(folder / "3"));
}

TEST_CASE("packed: failures leave nothing behind", "[model][packed]") {
  const TemporaryFolder folder;
  const auto source = open_checkpoint(golden("gen_mha_f32")).value();
  const std::string path = folder / "m.q3g";

  WriteOptions stops = options_for({PackedWeights::int8, 64});
  int n_calls = 0;
  stops.progress = [&](std::int64_t n_done, std::int64_t n_total) {
    CHECK(n_done <= n_total);
    return ++n_calls < 5;
  };
  const auto stopped = write_packed(*source, path, stops);
  REQUIRE_FALSE(stopped.ok());
  CHECK(stopped.error().code == ErrorCode::cancelled);
  CHECK(folder.n_files() == 0);

  stops.progress = [](std::int64_t, std::int64_t) -> bool { throw std::runtime_error("mine"); };
  CHECK_THROWS(write_packed(*source, path, stops));
  CHECK(folder.n_files() == 0);

  CheckpointSpec infinite = causal_checkpoint();
  std::string bytes = infinite.model.bytes();
  const auto& down = infinite.model.at("model.layers.0.mlp.down_proj.weight");
  const std::size_t at = bytes.size() - infinite.model.n_data + down.begin + 2 * 7;  // in row 1
  bytes.replace(at, 2, "\x80\x7f");
  infinite.raw["model.safetensors"] = bytes;
  const auto contents = infinite.contents();
  const auto bad =
      write_packed(*open_folder_of(contents).value(), path, options_for({PackedWeights::int8, 64}));
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().code == ErrorCode::bad_checkpoint);
  for (const char* word : {"memory/model.safetensors", "down_proj", "row 1"}) {
    INFO(bad.error().detail << " / " << word);
    CHECK(bad.error().detail.find(word) != std::string::npos);
  }
  CHECK(folder.n_files() == 0);
  CHECK_FALSE(write_packed(*source, path, options_for({PackedWeights::int4, 64})).ok());
  CHECK(folder.n_files() == 0);
}

TEST_CASE("packed: an input is not replaced, and what is packed is copied or refused", "[model][packed]") {
  const TemporaryFolder folder;
  for (const char* name : {"config.json", "model.safetensors"})
    std::filesystem::copy_file(golden("gen_mha_f32") + "/" + name, folder / name);
  WriteOptions options = options_for({PackedWeights::int8, 64});
  options.overwrite = true;
  const auto source = open_checkpoint(folder / ".").value();
  for (const char* name : {"config.json", "model.safetensors"}) {
    const auto report = write_packed(*source, folder / name, options);
    REQUIRE_FALSE(report.ok());
    CHECK(report.error().code == ErrorCode::invalid_argument);
    CHECK(read(folder / name) == read(golden("gen_mha_f32") + "/" + name));
  }
  REQUIRE(write_packed(*source, folder / "m.q3g", options).ok());
  const auto packed = open_checkpoint(folder / "m.q3g");
  REQUIRE(packed.ok());
  for (const PackedInfo& other : kInfos) {
    INFO(to_text(other));
    if (other.type == PackedWeights::int8 && other.group == 64) continue;
    const auto twice = write_packed(**packed, folder / "n.q3g", options_for(other));
    REQUIRE_FALSE(twice.ok());
    CHECK(twice.error().code == ErrorCode::invalid_argument);
    CHECK(twice.error().detail.find("int8 (group 64), not as " + to_text(other)) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(folder / "n.q3g"));
  }
  REQUIRE(write_packed(**packed, folder / "n.q3g", options).ok());
  CHECK(read(folder / "n.q3g") == read(folder / "m.q3g"));
}

TEST_CASE("packed: headers that are refused", "[model][packed][malformed]") {
  const std::string sound = packed_bytes(causal_checkpoint(), {PackedWeights::int8, 64});
  REQUIRE(load_bytes(sound).ok());
  const auto unsupported = ErrorCode::unsupported_model, bad = ErrorCode::bad_checkpoint;
  const std::string version = "\"qwen3guard_packed\":\"1\"";
  check_refused(edited(sound, version, "\"qwen3guard_packed\":\"2\""), unsupported,
                {"version 2", "version 1"});
  check_refused(edited(sound, version, "\"qwen3guard_pocket\":\"1\""), bad, {"no packed model"});
  check_refused(edited(sound, "\"type\":\"int8\"", "\"type\":\"int7\""), unsupported,
                {"int7", "int8", "fp16"});
  check_refused(edited(sound, "\"type\":\"int8\"", "\"type\":\"fp16\""), unsupported, {"64", "fp16"});
  check_refused(edited(sound, "\"type\":\"int8\"", "\"type\":\"int4\""), unsupported, {"64", "int4"});
  check_refused(edited(sound, "\"group\":\"64\"", "\"group\":\"65\""), unsupported, {"65"});
  check_refused(edited(sound, "\"group\":\"64\"", "\"group\":\"6 \""), unsupported, {"group"});
  check_refused(
      edited(sound, "q_proj.weight.packed\":{\"dtype\":\"U8\"", "q_proj.weight.packed\":{\"dtype\":\"I8\""),
      bad, {"q_proj.weight.packed", "I8", "U8"});
  check_refused(edited(sound, "q_proj.weight.scales\":{\"dtype\":\"BF16\"",
                       "q_proj.weight.scales\":{\"dtype\":\"I16\" "),
                bad, {"q_proj.weight.scales", "I16", "BF16"});
  check_refused(edited(sound, "q_proj.weight.packed\":{\"dtype\":\"U8\",\"shape\":[1, 1024]",
                       "q_proj.weight.packed\":{\"dtype\":\"U8\",\"shape\":[2, 512] "),
                bad, {"[2, 512]", "[1, 1024]"});
  check_refused(edited(sound, "self_attn.q_proj.weight.packed\":{", "self_attn.x_proj.weight.packed\":{"),
                bad, {"q_proj.weight", "missing"});
  std::string flipped = sound;
  flipped[flipped.find("\"group\":\"64\"") + 9] = '3';
  check_refused(flipped, bad, {"header is damaged"});
  // Half as many bytes as fp16 needs.
  const std::string rows = packed_bytes(causal_checkpoint(), {PackedWeights::int8, 0});
  check_refused(edited(rows, "\"type\":\"int8\"", "\"type\":\"fp16\""), bad,
                {"q_proj.weight.packed", "shape"});
  // A table that is packed in its own way.
  const std::string tables = packed_bytes(causal_checkpoint(), {PackedWeights::int8, 64}, kInt8Rows);
  REQUIRE(load_bytes(tables).ok());
  const std::string type = "\"type:model.embed_tokens.weight\":", group = "\"group:lm_head.weight\":";
  check_refused(edited(tables, type + "\"int8\"", type + "\"int7\""), unsupported,
                {"type:model.embed_tokens.weight", "int7"});
  check_refused(edited(tables, type + "\"int8\"", type + "\"int4\""), unsupported, {"0", "int4"});
  check_refused(edited(tables, type + "\"int8\"", type + "\"fp16\""), bad,
                {"model.embed_tokens.weight.packed", "shape"});
  check_refused(edited(tables, group + "\"0\"", group + "\"1\""), unsupported, {"group:lm_head.weight", "1"});
  check_refused(edited(tables, "group:lm_head.weight", "groop:lm_head.weight"), unsupported,
                {"group:lm_head.weight", "missing"});
  check_refused(edited(tables, "lm_head.weight.scales\":{", "lm_head.weight.scalez\":{"), bad,
                {"lm_head.weight.scales", "missing"});
  check_refused(causal_checkpoint().model.bytes(), bad, {"no packed model"});
  check_refused("", bad, {"0 bytes"});
}

TEST_CASE("packed: damaged data", "[model][packed][malformed]") {
  const std::string sound = packed_bytes(causal_checkpoint(), {PackedWeights::int8, 64}, kInt8Rows);
  const std::map<std::string, std::string> contents = {{"m.q3g", sound}};
  const auto source = files_of(contents);
  const auto file = SafetensorsFile::open(source, "m.q3g");
  REQUIRE(file.ok());
  for (const auto& [name, tensor] : file->tensors()) {
    std::string broken = sound;
    const auto at = static_cast<std::size_t>(tensor.bytes.data() -
                                             reinterpret_cast<const std::byte*>(contents.at("m.q3g").data()));
    broken[at + tensor.bytes.size() / 2] = static_cast<char>(broken[at + tensor.bytes.size() / 2] ^ 1);
    const Status verified = verify_tensors(*open_packed_file(blob_of(broken), "m.q3g", {}).value(), nullptr);
    INFO(name);
    REQUIRE_FALSE(verified.ok());
    CHECK(verified.error().code == ErrorCode::bad_checkpoint);
    CHECK(verified.error().detail.find("\"" + name + "\"") != std::string::npos);
    // What loading reads itself is verified by loading too.
    const bool read_at_load = name == "file:config.json" || name.find("norm.weight") != std::string::npos;
    CHECK(load_bytes(broken).ok() == !read_at_load);
  }
}
