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
  return call(err, "q3g_quantize", [&]() -> Status {
    Q3G_ASSIGN(const auto place, wanted(report, "report"));
    Q3G_ASSIGN(const std::string_view from, path_of(model_dir, model_dir_bytes, "model_dir"));
    Q3G_ASSIGN(const std::string_view to, path_of(out_file, out_file_bytes, "out_file"));
    Q3G_ASSIGN(const QuantizeOptions how, read_options(options));
    Q3G_ASSIGN(const QuantizeReport done, quantize(from, to, how));
    place.write(report_to_c(done));
    return {};
  });
}

q3g_status q3g_quantize_embedded(const char* name, size_t name_bytes, const char* out_file,
                                 size_t out_file_bytes, const q3g_quantize_options* options,
                                 q3g_quantize_report* report, q3g_error* err) noexcept {
  return call(err, "q3g_quantize_embedded", [&]() -> Status {
    Q3G_ASSIGN(const auto place, wanted(report, "report"));
    Q3G_ASSIGN(const std::string_view model, text_of(name, name_bytes, "name"));
    Q3G_ASSIGN(const std::string_view to, path_of(out_file, out_file_bytes, "out_file"));
    Q3G_ASSIGN(const QuantizeOptions how, read_options(options));
    Q3G_ASSIGN(const QuantizeReport done, quantize_embedded(model, to, how));
    place.write(report_to_c(done));
    return {};
  });
}

q3g_status q3g_verify_packed(const char* file, size_t file_bytes, q3g_cancel* cancel,
                             q3g_error* err) noexcept {
  return call(err, "q3g_verify_packed", [&]() -> Status {
    Q3G_ASSIGN(const auto flag, flag_of(cancel));
    Q3G_ASSIGN(const std::string_view path, path_of(file, file_bytes, "file"));
    return verify_packed(path, flag.get());
  });
}
