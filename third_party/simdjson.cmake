find_package(simdjson 3 REQUIRED)
add_library(q3g_simdjson INTERFACE)
add_library(q3g::simdjson ALIAS q3g_simdjson)
target_link_libraries(q3g_simdjson INTERFACE simdjson::simdjson)
