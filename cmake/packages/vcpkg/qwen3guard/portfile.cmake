# For a release: REF is its tag, and SHA512 that of its archive, which vcpkg prints when it is 0.
vcpkg_from_github(
  OUT_SOURCE_PATH SOURCE_PATH
  REPO qwen3guard/qwen3guard
  REF "v${VERSION}"
  SHA512 0
  HEAD_REF main)

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS FEATURES models Q3G_EMBED_MODELS)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${FEATURE_OPTIONS}
          -DQ3G_ALLOW_DOWNLOADS=OFF
          -DQ3G_BUILD_TESTS=OFF
          -DQ3G_BUILD_EXAMPLES=OFF
          -DQ3G_BUILD_CLI=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/qwen3guard)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/NOTICE")
