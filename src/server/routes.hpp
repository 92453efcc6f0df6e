// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_ROUTES_HPP
#define QWEN3GUARD_SRC_SERVER_ROUTES_HPP

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/exchange.hpp"

namespace qwen3guard::server {

/// Which door answers which request.
class Routes {
 public:
  /// id: what stands in the place of "{id}" in the pattern; empty when there is none.
  using Answer = std::function<void(std::shared_ptr<Exchange> exchange, std::string id)>;

  struct Route {
    std::string door;      ///< for metrics
    std::string method;    ///< "GET" answers HEAD, too
    std::string pattern;   ///< "/v1/stream/{id}/events"
    bool is_open = false;  ///< asks for no key
    Answer answer;
    bool has_key_in_query = false;  ///< "?key=" is taken for a key, too
  };
  void add(Route route) { routes_.push_back(std::move(route)); }
  /// Errors at paths that begin like this, of doors or of none, are spelled so.
  void add_spelling(std::string prefix, SpellError spell) {
    spellings_.push_back({std::move(prefix), spell});
  }

  struct Found {
    const Route* route = nullptr;  ///< null: no door there
    std::string id;
    std::string allowed;  ///< where the path has doors of other methods: these
    SpellError spell_error = nullptr;
  };
  [[nodiscard]] Found find(std::string_view method, std::string_view path) const;

 private:
  struct Spelling {
    std::string prefix;
    SpellError spell = nullptr;
  };
  std::vector<Route> routes_;
  std::vector<Spelling> spellings_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_ROUTES_HPP
