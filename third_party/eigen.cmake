find_package(Eigen3 3.4 REQUIRED NO_MODULE)
add_library(q3g_eigen INTERFACE)
add_library(q3g::eigen ALIAS q3g_eigen)
target_link_libraries(q3g_eigen INTERFACE Eigen3::Eigen)
