# 3.4.0. Headers only, used inside the library's own sources.
q3g_dependency(
  eigen
  DEBIAN libeigen3-dev
  CONFIG Eigen3
  CONFIG_TARGET Eigen3::Eigen
  MIN_VERSION 3.4
  GIT_REPOSITORY https://gitlab.com/libeigen/eigen.git
  GIT_TAG 3147391d946bb4b6c68edd901f2add6ac1f31f8c
  FETCHED_INCLUDE .
  COMPILE_ONLY)
