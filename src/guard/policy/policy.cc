// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/policy.hpp"

#include <utility>

#include "guard/policy/policy_document.hpp"
#include "guard/policy/policy_impl.hpp"
#include "qwen3guard/quote.hpp"
#include "util/guarded.hpp"
#include "util/mapped_file.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

/// Of the default: those of PolicySpec, without an object that lives as long as the program.
constexpr std::string_view kDefaultName = "default", kDefaultVersion = "1";
constexpr PolicyRules kDefaultRules{};

Result<Policy> parse_document(std::string_view json, std::string_view display_name) {
  Q3G_ASSIGN(PolicySpec spec, detail::read_policy(json, display_name));
  auto policy = Policy::make(std::move(spec));
  if (policy.ok() || policy.error().code == ErrorCode::out_of_memory) return policy;
  return detail::at_its_place(policy.error(), json, display_name);
}

}  // namespace

Result<Policy> Policy::make(PolicySpec spec) {
  return detail::guarded("policy", [&]() -> Result<Policy> {
    Q3G_TRY(detail::check_policy(spec));
    auto impl = std::make_shared<Impl>();
    Q3G_ASSIGN(impl->phrases, detail::PhraseMatcher::compile(spec.lists));
    impl->spec = std::move(spec);
    Policy out;
    out.impl_ = std::move(impl);
    return out;
  });
}

Result<Policy> Policy::parse(std::string_view json) {
  return detail::guarded("policy", [&] { return parse_document(json, "policy"); });
}

Result<Policy> Policy::load(std::string_view path) {
  return detail::guarded("policy", [&]() -> Result<Policy> {
    Q3G_ASSIGN(const detail::Blob file, detail::map_file(std::string(path)));
    return parse_document(file.text(), printable(path));
  });
}

Result<Policy> Policy::preset(std::string_view name) {
  return detail::guarded("policy", [&]() -> Result<Policy> {
    Q3G_ASSIGN(PolicySpec spec, detail::preset_spec(name));
    return make(std::move(spec));
  });
}

std::span<const std::string_view> Policy::presets() noexcept { return detail::preset_names(); }

std::string_view Policy::name() const noexcept { return impl_ ? impl_->spec.name : kDefaultName; }
std::string_view Policy::version() const noexcept { return impl_ ? impl_->spec.version : kDefaultVersion; }
const PolicyRules& Policy::rules() const noexcept { return impl_ ? impl_->spec.rules : kDefaultRules; }
PolicySpec Policy::spec() const { return impl_ ? impl_->spec : PolicySpec(); }
std::string Policy::to_json() const { return detail::write_policy(spec()); }
std::string Policy::describe() const { return detail::describe_policy(spec()); }

}  // namespace qwen3guard
