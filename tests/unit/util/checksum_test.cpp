// SPDX-License-Identifier: Apache-2.0
#include "util/checksum.hpp"

#include <string>

#include "q3g_catch.hpp"

using namespace qwen3guard::detail;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("checksum: the published values of XXH3", "[util]") {
  CHECK(checksum_text(checksum({})) == "2d06800538d394c2");  // the reference for no input, seed 0
  CHECK(checksum_text(0x1234) == "0000000000001234");
}

TEST_CASE("checksum: pieces give what the whole gives", "[util]") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 31 % 251);
  for (const std::size_t n : {0U, 1U, 64U, 240U, 241U, 1000U, 4999U, 5000U}) {
    RunningChecksum sum;
    sum.add(bytes_of(text).first(n));
    CHECK(sum.value() == checksum(bytes_of(text).first(n)));
    sum.add(bytes_of(text).subspan(n));
    CHECK(sum.value() == checksum(bytes_of(text)));
  }
}
