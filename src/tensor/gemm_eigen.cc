// SPDX-License-Identifier: Apache-2.0
// The only file that knows Eigen. It is compiled once per instruction set with the set's flags, with
// Q3G_ISA = scalar, avx2 ... and with the namespace Eigen renamed by -DEigen=Eigen_<isa>: otherwise the
// linker would merge Eigen's inline functions of different instruction sets into one. The build defines
// EIGEN_DONT_PARALLELIZE: threads are the caller's business. It also defines EIGEN_STACK_ALLOCATION_LIMIT:
// Eigen packs both operands on the stack, by default up to 128 KiB each, which is more than the whole stack
// of many a host's threads.
#include <Eigen/Core>

#include "kernels/tables.hpp"
#include "util/exceptions.hpp"

#define Q3G_JOIN_INNER(a, b) a##b
#define Q3G_JOIN(a, b) Q3G_JOIN_INNER(a, b)

namespace qwen3guard::detail {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using In = Eigen::Map<const Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;
using Out = Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;

template <class Map, class T>
Map map_of(T* data, std::size_t rows, std::size_t cols, std::size_t stride) {
  return Map(data, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols),
             Eigen::OuterStride<>(static_cast<Eigen::Index>(stride)));
}

}  // namespace

bool Q3G_JOIN(gemm_nt_, Q3G_ISA)(const GemmArgs& g) noexcept {
  return if_memory_lasts([&] {
    map_of<Out>(g.c, g.m, g.n, g.ldc).noalias() =
        map_of<In>(g.a, g.m, g.k, g.lda) * map_of<In>(g.b, g.n, g.k, g.ldb).transpose();
  });
}

bool Q3G_JOIN(gemm_nn_add_, Q3G_ISA)(const GemmArgs& g) noexcept {
  return if_memory_lasts([&] {
    map_of<Out>(g.c, g.m, g.n, g.ldc).noalias() +=
        map_of<In>(g.a, g.m, g.k, g.lda) * map_of<In>(g.b, g.k, g.n, g.ldb);
  });
}

}  // namespace qwen3guard::detail
