# 2.1.2. Headers only, for the qwen3guard program.
q3g_dependency(
  cli11
  DEBIAN libcli11-dev
  CONFIG CLI11
  CONFIG_TARGET CLI11::CLI11
  MIN_VERSION 2.1
  GIT_REPOSITORY https://github.com/CLIUtils/CLI11.git
  GIT_TAG 70f8072f9dd2292fd0b9f9e5f58e279f60483ed3
  FETCHED_INCLUDE include
  COMPILE_ONLY)
