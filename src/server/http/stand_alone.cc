// SPDX-License-Identifier: Apache-2.0
#include "server/http/stand_alone.hpp"

#ifdef Q3G_STATIC_PROGRAM
#include <nss.h>
#include <openssl/crypto.h>
#endif

namespace qwen3guard::server {

void stand_alone() {
#ifdef Q3G_STATIC_PROGRAM
  // These two are built in. What else /etc/nsswitch.conf names (mdns4, resolve, ...) would be loaded.
  __nss_configure_lookup("hosts", "files dns");
  // openssl.cnf may name modules, too. Nothing of it is needed: the versions of TLS are set by us.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
#endif
}

}  // namespace qwen3guard::server
