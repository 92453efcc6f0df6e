# REF and SHA512 are a release's: its tag, and the checksum of the tag's archive, which vcpkg prints when it is 0. Until
# there is a release, `vcpkg install qwen3guard --head` takes the branch main.
vcpkg_from_github(
  OUT_SOURCE_PATH SOURCE_PATH
  REPO qwen3guard/qwen3guard
  REF "v${VERSION}"
  SHA512 0
  HEAD_REF main)

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS FEATURES models Q3G_EMBED_MODELS)
# The C library is always a shared one, and a static Windows triplet has none.
set(c_library ON)
if(VCPKG_TARGET_IS_WINDOWS AND VCPKG_LIBRARY_LINKAGE STREQUAL "static")
  set(c_library OFF)
endif()
# Some dependencies are found by their .pc files.
vcpkg_find_acquire_program(PKGCONFIG)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${FEATURE_OPTIONS}
          "-DPKG_CONFIG_EXECUTABLE=${PKGCONFIG}"
          -DQ3G_ALLOW_DOWNLOADS=OFF
          -DQ3G_BUILD_CAPI=${c_library}
          -DQ3G_BUILD_TESTS=OFF
          -DQ3G_BUILD_EXAMPLES=OFF
          -DQ3G_BUILD_CLI=OFF)
vcpkg_cmake_install()
vcpkg_copy_pdbs()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/qwen3guard)
vcpkg_fixup_pkgconfig()
# The licence goes to the file copyright, as vcpkg wants it.
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share"
     "${CURRENT_PACKAGES_DIR}/share/doc")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/NOTICE")
