# What `qwen3guard serve` stands on, all installed packages; without one of them the program is built without it. Sets
# q3g_server_missing to what is not there.
#   Boost 1.74 (Asio and Beast, headers only), OpenSSL 3, prometheus-cpp 1.0
# A static program takes OpenSSL's archives, and builds prometheus-cpp from its source, as Debian has no archive of it.
set(q3g_server_missing "")
find_package(Threads QUIET)
find_package(Boost 1.74 QUIET)
if(Q3G_STATIC_PROGRAM)
  set(OPENSSL_USE_STATIC_LIBS ON)
endif()
find_package(OpenSSL 3.0 QUIET)
if(Q3G_STATIC_PROGRAM)
  q3g_dependency(
    prometheus-cpp
    DEBIAN prometheus-cpp-dev
    MIN_VERSION 1.0
    GIT_REPOSITORY https://github.com/jupp0r/prometheus-cpp.git
    GIT_TAG 76470b3ec024c8214e1f4253fb1f4c0b28d3df94
    FETCHED_TARGET core
    OPTIONS ENABLE_PULL=OFF ENABLE_PUSH=OFF ENABLE_COMPRESSION=OFF ENABLE_TESTING=OFF GENERATE_PKGCONFIG=OFF
    COMPILE_ONLY)
  set(q3g_prometheus_core_FOUND ON)
  set(q3g_prometheus_core_VERSION "${q3g_prometheus-cpp_VERSION}")
elseif(PkgConfig_FOUND) # its CMake package wants a web server of it, which is not used
  pkg_check_modules(q3g_prometheus_core QUIET IMPORTED_TARGET prometheus-cpp-core>=1.0)
endif()
if(NOT Boost_FOUND OR NOT EXISTS "${Boost_INCLUDE_DIRS}/boost/beast.hpp")
  list(APPEND q3g_server_missing libboost-dev)
endif()
if(NOT OpenSSL_FOUND)
  list(APPEND q3g_server_missing libssl-dev)
endif()
if(NOT q3g_prometheus_core_FOUND)
  list(APPEND q3g_server_missing prometheus-cpp-dev)
endif()
if(WIN32 OR NOT Threads_FOUND)
  set(q3g_server_missing "a POSIX system with threads")
endif()
if(NOT q3g_server_missing)
  message(STATUS "qwen3guard: serve is built, with Boost ${Boost_VERSION}, OpenSSL ${OPENSSL_VERSION}, prometheus-cpp ${q3g_prometheus_core_VERSION}")
  foreach(name IN ITEMS boost openssl prometheus)
    add_library(q3g_${name} INTERFACE)
    add_library(q3g::${name} ALIAS q3g_${name})
  endforeach()
  target_link_libraries(q3g_boost INTERFACE Boost::headers)
  # Headers alone.
  target_compile_definitions(q3g_boost INTERFACE BOOST_ERROR_CODE_HEADER_ONLY)
  target_link_libraries(q3g_openssl INTERFACE OpenSSL::SSL OpenSSL::Crypto)
  target_link_libraries(q3g_prometheus INTERFACE $<IF:$<BOOL:${Q3G_STATIC_PROGRAM}>,q3g::prometheus-cpp,PkgConfig::q3g_prometheus_core>)
endif()
