// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_DOORS_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_DOORS_HPP

#include <functional>

#include "server/routes.hpp"
#include "server/services.hpp"

/// Each adds its routes. The services outlive the routes.
namespace qwen3guard::server {

void add_moderations_door(Routes& routes, Services& services);
void add_chat_door(Routes& routes, Services& services);
/// Azure AI Content Safety's `text:analyze`.
void add_azure_door(Routes& routes, Services& services);
void add_stream_door(Routes& routes, Services& services);
void add_perspective_door(Routes& routes, Services& services);
/// In the chat door's place, for models that are none of ours. Throws std::runtime_error: the options.
void add_proxy_door(Routes& routes, Services& services);
void add_litellm_door(Routes& routes, Services& services);
void add_page(Routes& routes);
/// What operators and their tools look at. levels: how full everything is; is_stopping: no more is taken.
void add_operators_doors(Routes& routes, Services& services, std::function<Levels()> levels,
                         std::function<bool()> is_stopping);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_DOORS_HPP
