# 2.8.0
q3g_dependency(
  utf8proc
  DEBIAN libutf8proc-dev
  CONFIG utf8proc
  CONFIG_TARGET utf8proc::utf8proc
  PKG_CONFIG libutf8proc
  GIT_REPOSITORY https://github.com/JuliaStrings/utf8proc.git
  GIT_TAG 1cb28a66ca79a0845e99433fd1056257456cef8b
  FETCHED_TARGET utf8proc
  OPTIONS UTF8PROC_INSTALL=OFF UTF8PROC_ENABLE_TESTING=OFF)
