# 2022-06-01: before RE2 came to need Abseil. Newer installed versions work too.
q3g_dependency(
  re2
  DEBIAN libre2-dev
  CONFIG re2
  CONFIG_TARGET re2::re2
  PKG_CONFIG re2
  GIT_REPOSITORY https://github.com/google/re2.git
  GIT_TAG 5723bb8950318135ed9cf4fc76bed988a087f536
  FETCHED_TARGET re2
  OPTIONS RE2_BUILD_TESTING=OFF)
