// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_STAND_ALONE_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_STAND_ALONE_HPP

namespace qwen3guard::server {

/// In a static program (Q3G_STATIC_PROGRAM): keeps the C library and OpenSSL from loading shared objects of
/// the machine it runs on, which belong to other versions of both. Does nothing in other programs. Call it
/// before names are resolved or OpenSSL is used.
void stand_alone();

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_STAND_ALONE_HPP
