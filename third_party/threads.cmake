# The system's thread library; part of every tool chain. With Q3G_PARALLEL=none only the tests use it.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
if(NOT Q3G_PARALLEL STREQUAL "none")
  set_property(GLOBAL APPEND PROPERTY Q3G_PACKAGE_FIND "find_dependency(Threads)")
endif()
