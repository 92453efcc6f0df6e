# Q3G_SANITIZE covers dependencies that are built here too: a container must not cross the border half checked.
if(Q3G_SANITIZE)
  if(MSVC)
    message(FATAL_ERROR "qwen3guard: Q3G_SANITIZE knows the flags of GCC and Clang only")
  endif()
  add_compile_options(-fsanitize=${Q3G_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${Q3G_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # A C program uses libraries in C++, and Clang has what checks these in programs only.
    add_link_options(-fsanitize-link-c++-runtime)
    link_libraries(stdc++)
  endif()
endif()
