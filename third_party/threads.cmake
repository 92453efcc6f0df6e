# The system's thread library; part of every tool chain.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
set_property(GLOBAL APPEND PROPERTY Q3G_PACKAGE_FIND "find_dependency(Threads)")
