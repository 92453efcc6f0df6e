// SPDX-License-Identifier: Apache-2.0
// Packing and measuring.
#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

q3g_quantize_report to_c(const QuantizeReport& in) noexcept {
  q3g_quantize_report out{};
  out.source_bytes = in.source_bytes;
  out.file_bytes = in.file_bytes;
  out.seconds = in.seconds;
  set_chars(out.weight_dtype, in.weight_dtype);
  return out;
}

double prefill_ms(const Measurement& in, std::size_t index) noexcept {
  return index < in.prefill.size() ? in.prefill[index].ms : 0;
}

q3g_measurement to_c(const Measurement& in) noexcept {
  q3g_measurement out{};
  out.int8_gops = in.peaks.int8_gops;
  out.bf16_gflops = in.peaks.bf16_gflops;
  out.fp32_gflops = in.peaks.fp32_gflops;
  out.read_gb_s = in.peaks.read_gb_s;
  out.load_ms = in.load_ms;
  out.peak_rss_mb = in.peak_rss_mb;
  out.weight_bytes_per_token = in.weight_bytes_per_token;
  out.prefill_128_ms = prefill_ms(in, 0);
  out.prefill_512_ms = prefill_ms(in, 1);
  out.decode_ms = in.decode.ms;
  if (in.verdict) {
    out.verdict_ms = in.verdict->prefix_kept.ms;
    out.verdict_whole_ms = in.verdict->whole.ms;
  }
  return out;
}

}  // namespace

q3g_status q3g_quantize(const char* model_dir, size_t model_dir_bytes, const char* out_file,
                        size_t out_file_bytes, const q3g_quantize_options* options,
                        q3g_quantize_report* report, q3g_error* err) noexcept {
  return call(err, "q3g_quantize", [&] {
    const Out<q3g_quantize_report> place(report, "report");
    place.write(to_c(take(quantize(path_of(model_dir, model_dir_bytes, "model_dir"),
                                   path_of(out_file, out_file_bytes, "out_file"), read_options(options)))));
  });
}

q3g_status q3g_quantize_embedded(const char* name, size_t name_bytes, const char* out_file,
                                 size_t out_file_bytes, const q3g_quantize_options* options,
                                 q3g_quantize_report* report, q3g_error* err) noexcept {
  return call(err, "q3g_quantize_embedded", [&] {
    const Out<q3g_quantize_report> place(report, "report");
    place.write(
        to_c(take(quantize_embedded(text_of(name, name_bytes, "name"),
                                    path_of(out_file, out_file_bytes, "out_file"), read_options(options)))));
  });
}

q3g_status q3g_verify_packed(const char* file, size_t file_bytes, q3g_cancel* cancel,
                             q3g_error* err) noexcept {
  return call(err, "q3g_verify_packed", [&] {
    const auto flag = flag_of(cancel);
    take(verify_packed(path_of(file, file_bytes, "file"), flag.get()));
  });
}

q3g_status q3g_measure(const char* model_dir, size_t model_dir_bytes, const q3g_measure_options* options,
                       q3g_measurement* out, q3g_error* err) noexcept {
  return call(err, "q3g_measure", [&] {
    const auto place = need(out, "out");
    place.write(to_c(take(measure(path_of(model_dir, model_dir_bytes, "model_dir"), read_options(options)))));
  });
}

q3g_status q3g_measure_embedded(const char* name, size_t name_bytes, const q3g_measure_options* options,
                                q3g_measurement* out, q3g_error* err) noexcept {
  return call(err, "q3g_measure_embedded", [&] {
    const auto place = need(out, "out");
    place.write(to_c(take(measure_embedded(text_of(name, name_bytes, "name"), read_options(options)))));
  });
}
