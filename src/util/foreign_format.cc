// SPDX-License-Identifier: Apache-2.0
#include "util/foreign_format.hpp"

#include <algorithm>

#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

struct ForeignFormat {
  std::string_view start;  ///< lower case where `is_text`
  bool is_text;            ///< may have white space or a byte order mark in front, in any case of letters
  std::string_view what;
};

constexpr std::string_view kHtml =
    "an HTML page and not the file itself; download the file again (on a model hub from its \"resolve\" "
    "address, not from its \"blob\" page)";
constexpr std::string_view kPyTorch =
    "a PyTorch file; expected safetensors: save the model again with safe_serialization=True";

constexpr ForeignFormat kFormats[] = {
    {"version https://git-lfs.github.com/", true,
     "a git-lfs pointer and not the file itself; run \"git lfs pull\" in its folder, or download the file"},
    {"GGUF", false,
     "a GGUF file, which this library does not read; expected the model's folder with safetensors files, "
     "or a .q3g file made from one by \"qwen3guard quantize\""},
    {"<!doctype html", true, kHtml},
    {"<html", true, kHtml},
    {"entry not found", true, "a hub's answer that there is no such file; download the file again"},
    {"invalid username or password", true,
     "a hub's refusal and not the file itself; download the file again with access to it"},
    {"PK\x03\x04", false, kPyTorch},
    {"\x80\x02", false, kPyTorch},
};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string_view foreign_format(std::span<const std::byte> bytes) noexcept {
  constexpr std::size_t kMaxBytes = 256;
  const std::string_view raw(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kMaxBytes));
  std::string_view text = without_byte_order_mark(raw);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  for (const ForeignFormat& format : kFormats) {
    const std::string_view found = (format.is_text ? text : raw).substr(0, format.start.size());
    if (std::equal(found.begin(), found.end(), format.start.begin(), format.start.end(),
                   [&](char a, char b) { return (format.is_text ? lower(a) : a) == b; }))
      return format.what;
  }
  return {};
}

}  // namespace qwen3guard::detail
