// SPDX-License-Identifier: Apache-2.0
#include "util/exceptions.hpp"

#include <limits>
#include <stdexcept>
#include <vector>

#include "q3g_catch.hpp"
#include "util/aligned_buffer.hpp"
#include "util/guarded.hpp"
#include "util/rollback.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

enum class Leave { kept, early, thrown };

/// What happens to an element that was added before the block is left.
std::size_t size_after(Leave how) {
  std::vector<int> values = {1};
  const auto add = [&] {
    values.push_back(2);
    Rollback added([&] { values.pop_back(); });
    if (how == Leave::thrown) throw_bad_alloc();
    if (how == Leave::kept) added.keep();
  };
  const bool has_memory = if_memory_lasts(add);
  CHECK(has_memory == (how != Leave::thrown));
  return values.size();
}

}  // namespace

TEST_CASE("exceptions: a rollback on every way out but one", "[util]") {
  CHECK(size_after(Leave::kept) == 2);
  CHECK(size_after(Leave::early) == 1);
  CHECK(size_after(Leave::thrown) == 1);
}

TEST_CASE("exceptions: what is returned without memory", "[util]") {
  const auto size = [](std::size_t n) {
    return if_memory_lasts([&] { return AlignedBuffer<double>(n).size(); }, [] { return std::size_t{7}; });
  };
  CHECK(size(3) == 3);
  CHECK(size(std::numeric_limits<std::size_t>::max()) == 7);
  const Status status = guarded("load", []() -> Status { throw_bad_alloc(); });
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::out_of_memory);
  CHECK(status.error().detail == "load: not enough memory");
}

TEST_CASE("exceptions: others pass, unless nothing may be thrown", "[util]") {
  const auto fail = [] { throw std::runtime_error("other"); };
  CHECK_THROWS_AS(if_memory_lasts(fail), std::runtime_error);
  CHECK_FALSE(if_nothing_throws(fail));
  CHECK(if_nothing_throws([] {}));
  const Status status = guarded("load", [&]() -> Status {
    fail();
    return {};
  });
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::internal);
  CHECK(status.error().detail == "load: other");
}
