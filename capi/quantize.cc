// SPDX-License-Identifier: Apache-2.0
// Packing.
#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

q3g_quantize_report report_to_c(const QuantizeReport& in) noexcept {
  q3g_quantize_report out{};
  out.source_bytes = in.source_bytes;
  out.file_bytes = in.file_bytes;
  out.seconds = in.seconds;
  set_chars(out.weight_dtype, in.weight_dtype);
  return out;
}

}  // namespace

q3g_status q3g_quantize(const char* model_dir, size_t model_dir_bytes, const char* out_file,
                        size_t out_file_bytes, const q3g_quantize_options* options,
                        q3g_quantize_report* report, q3g_error* err) noexcept {
  return call(err, "q3g_quantize", [&] {
    const Out<q3g_quantize_report> place(report, "report");
    place.write(
        report_to_c(take(quantize(path_of(model_dir, model_dir_bytes, "model_dir"),
                                  path_of(out_file, out_file_bytes, "out_file"), read_options(options)))));
  });
}

q3g_status q3g_quantize_embedded(const char* name, size_t name_bytes, const char* out_file,
                                 size_t out_file_bytes, const q3g_quantize_options* options,
                                 q3g_quantize_report* report, q3g_error* err) noexcept {
  return call(err, "q3g_quantize_embedded", [&] {
    const Out<q3g_quantize_report> place(report, "report");
    place.write(report_to_c(
        take(quantize_embedded(text_of(name, name_bytes, "name"),
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
