// SPDX-License-Identifier: Apache-2.0
// What a program may bring itself, under names that libraries inside the archive have too: RE2::RE2 and a
// matcher of it, functions of utf8proc, an Eigen symbol and one of OpenMP. If the archive called one of
// these, it would crash.
#include <stdlib.h>

#define CLASH(name) \
  void name(void);  \
  void name(void) { abort(); }

CLASH(utf8proc_map)
CLASH(utf8proc_decompose)
CLASH(utf8proc_get_property)
CLASH(utf8proc_iterate)
CLASH(_ZN3re23RE2C1EPKc)
CLASH(_ZN3re23RE2C1ERKNS_11StringPieceERKNS0_7OptionsE)
CLASH(_ZN3re23RE2D1Ev)
CLASH(_ZNK3re23RE25MatchERKNS_11StringPieceEmmNS0_6AnchorEPS1_i)
CLASH(_ZN5Eigen8internal20manage_caching_sizesENS_6ActionEPlS2_S2_)
#ifndef SHARES_OPENMP
CLASH(omp_get_num_threads)
CLASH(GOMP_parallel)
#endif
