// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/policy.hpp"

#include <utility>

#include "guard/policy/policy_impl.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

/// Of the default: those of PolicySpec, without an object that lives as long as the program.
constexpr std::string_view kDefaultName = "default", kDefaultVersion = "1";
constexpr PolicyRules kDefaultRules{};

}  // namespace

Result<Policy> Policy::make(PolicySpec spec) {
  return detail::guarded("policy", [&]() -> Result<Policy> {
    Q3G_TRY(detail::check_spec(spec));
    auto impl = std::make_shared<Impl>();
    impl->spec = std::move(spec);
    Policy out;
    out.impl_ = std::move(impl);
    return out;
  });
}

std::string_view Policy::name() const noexcept { return impl_ ? impl_->spec.name : kDefaultName; }
std::string_view Policy::version() const noexcept { return impl_ ? impl_->spec.version : kDefaultVersion; }
const PolicyRules& Policy::rules() const noexcept { return impl_ ? impl_->spec.rules : kDefaultRules; }
PolicySpec Policy::spec() const { return impl_ ? impl_->spec : PolicySpec(); }

}  // namespace qwen3guard
