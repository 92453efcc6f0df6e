// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

#include "server/doors/doors.hpp"
namespace qwen3guard::server {
void add_proxy_door(Routes&, Services&) { throw std::runtime_error("no proxy yet"); }
}  // namespace qwen3guard::server
