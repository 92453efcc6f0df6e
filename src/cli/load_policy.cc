// SPDX-License-Identifier: Apache-2.0
#include "load_policy.hpp"

#include <algorithm>

#include "errors.hpp"

namespace qwen3guard::cli {

Policy load_policy(const std::string& name_or_file) {
  const auto presets = Policy::presets();
  if (std::find(presets.begin(), presets.end(), name_or_file) != presets.end())
    return Policy::preset(name_or_file).value();
  auto policy = Policy::load(name_or_file);
  if (policy.ok() || policy.error().code != ErrorCode::file_not_found) return std::move(policy).value();
  std::string names;
  for (const std::string_view preset : presets) names += (names.empty() ? "" : ", ") + std::string(preset);
  throw UsageError(printable(name_or_file) + ": no such file, and no policy of the library; these are " +
                   names);
}

}  // namespace qwen3guard::cli
