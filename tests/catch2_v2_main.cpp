// SPDX-License-Identifier: Apache-2.0
// Catch2 2 wants its main compiled by the project; Catch2 3 brings one.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
