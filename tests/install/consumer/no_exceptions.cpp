// SPDX-License-Identifier: Apache-2.0
// A program without exceptions and run-time types: every public header compiles, values and errors come over,
// and what throws is not there.
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "qwen3guard/qwen3guard.hpp"

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "compile this with -fno-exceptions -fno-rtti"
#endif
static_assert(!Q3G_HAS_EXCEPTIONS);

namespace {

using namespace qwen3guard;

template <class T>
concept throws = requires(T result) {
  result.throw_if_error();
}
|| requires(T result) { result.value(); };
static_assert(!throws<Status> && !throws<Result<Guard>> && !throws<Result<Verdict>>);

int fail(const char* what, const Error& error) {
  std::printf("%s: %s: %s\n", what, to_string(error.code), error.detail.c_str());
  return 1;
}

int judge(const std::string& name) {
  auto guard = Guard::load_embedded(name);
  if (!guard) return fail("load", guard.error());
  const auto verdict = guard->classify_prompt("How do I bake bread?");
  if (!verdict.ok()) return fail("classify", verdict.error());
  std::printf("%s: %s\n", name.c_str(), to_string(verdict->severity));
  // The library throws and catches within itself, and calls back into this program.
  if (guard->classify_prompt("\xff").ok()) return 1;
  auto batch = StreamBatch::open(*guard);
  if (!batch) return fail("batch", batch.error());
  const auto id = batch->add();
  if (!id) return fail("add", id.error());
  bool visited = false;
  const Status status = batch->visit(*id, [&](StreamSession&) { visited = true; });
  if (!status) return fail("visit", status.error());
  return visited ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto missing = Guard::load("no/such/folder");
  if (missing.ok() || missing.error().code != ErrorCode::file_not_found) return 1;
  const std::vector<std::string> models = Guard::embedded_models();
  if (argc > 1 && models.empty() == (std::strcmp(argv[1], "ON") == 0)) return 1;
  for (const std::string& name : models) {
    if (judge(name) != 0) return 1;
  }
  return 0;
}
