// SPDX-License-Identifier: Apache-2.0
// What is left of an output file when an allocation fails. Replaces operator new.
#include <cstdlib>
#include <new>
#include <string>

#include "q3g_catch.hpp"
#include "temporary_folder.hpp"
#include "util/output_file.hpp"

namespace {

/// Allocations until one fails; below 0: none does.
long n_until_failure = -1;

}  // namespace

void* operator new(std::size_t size) {
  if (n_until_failure == 0) throw std::bad_alloc();
  if (n_until_failure > 0) --n_until_failure;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace qwen3guard::detail;

namespace {

/// Runs `body` with the first, the second, ... allocation failing until none does; after each failure the
/// folder has `n_files` files. Returns how often it failed.
template <class Body>
int fail_everywhere(const q3g_test::TemporaryFolder& folder, std::size_t n_files, const Body& body) {
  for (int n = 0;; ++n) {
    bool has_failed = false;
    n_until_failure = n;
    try {
      body();
    } catch (const std::bad_alloc&) {
      has_failed = true;
    }
    n_until_failure = -1;
    if (!has_failed) return n;
    CAPTURE(n);
    REQUIRE(folder.n_files() == n_files);
  }
}

}  // namespace

TEST_CASE("output file: nothing is left when there is no memory", "[util][memory]") {
  const q3g_test::TemporaryFolder folder;
  const std::string path = folder / "a name that is longer than what a string holds in itself";
  const int n_failed = fail_everywhere(folder, 0, [&] {
    auto file = OutputFile::create(path, false);
    // Giving the file up needs memory no more than making it.
    n_until_failure = 0;
    if (!file.ok()) throw std::bad_alloc();
  });
  CHECK(n_failed > 2);
  CHECK(folder.n_files() == 0);
}

TEST_CASE("output file: comparing names without memory fails", "[util][memory]") {
  const q3g_test::TemporaryFolder folder;
  const std::string path = folder / "a name that is longer than what a string holds in itself";
  bool is_same = true;
  CHECK(fail_everywhere(folder, 0, [&] { is_same = is_same_file(path, path); }) > 1);
  CHECK_FALSE(is_same);  // there is no such file
}
