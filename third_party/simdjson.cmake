# 3.0.1
q3g_dependency(
  simdjson
  DEBIAN libsimdjson-dev
  CONFIG simdjson
  CONFIG_TARGET simdjson::simdjson
  MIN_VERSION 3.0
  PKG_CONFIG simdjson>=3.0
  GIT_REPOSITORY https://github.com/simdjson/simdjson.git
  GIT_TAG 0d2455029d845e801809dd54b01ae47173d7d8e8
  FETCHED_TARGET simdjson
  OPTIONS SIMDJSON_DEVELOPER_MODE=OFF)
