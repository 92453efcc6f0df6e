# SPDX-License-Identifier: Apache-2.0
"""Recipe for Conan 2, from a checkout: `conan create cmake/packages/conan`."""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Qwen3GuardConan(ConanFile):
    name = "qwen3guard"
    description = "Runtime for the Qwen3Guard safety-moderation models, with C and C++ interfaces"
    license = "Apache-2.0"
    homepage = "https://github.com/qwen3guard/qwen3guard"
    url = "https://github.com/qwen3guard/qwen3guard"
    topics = ("safety", "moderation", "llm", "inference")
    package_type = "library"
    settings = "os", "compiler", "build_type", "arch"
    # There is no fPIC: all code is position-independent, as the C library, which is a shared one, holds the C++ library.
    # system_dependencies: those that the operating system's packages have, instead of Conan's.
    options = {"shared": [True, False], "models": [True, False], "system_dependencies": [True, False]}
    default_options = {"shared": False, "models": True, "system_dependencies": False}

    def _root(self):
        return os.path.normpath(os.path.join(self.recipe_folder, "..", "..", ".."))

    def set_version(self):
        text = load(self, os.path.join(self._root(), "include", "qwen3guard", "version.hpp"))
        self.version = ".".join(re.search(rf"_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR", "PATCH"))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "NOTICE", "cmake/*", "include/*", "src/*", "capi/*", "third_party/*"):
            copy(self, pattern, self._root(), self.export_sources_folder)

    def requirements(self):
        if self.options.system_dependencies:
            return
        self.requires("re2/20220601")
        self.requires("utf8proc/2.8.0")
        self.requires("simdjson/3.0.1")
        # Used in the library's own sources only.
        self.requires("eigen/3.4.0", visible=False)
        self.requires("xxhash/0.8.1", visible=False)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update({
            "Q3G_ALLOW_DOWNLOADS": False,
            "Q3G_BUILD_TESTS": False,
            "Q3G_BUILD_EXAMPLES": False,
            "Q3G_BUILD_CLI": False,
            "Q3G_EMBED_MODELS": bool(self.options.models),
        })
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "NOTICE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        # The package's own CMake files are the better ones: they know its components. What follows is for the other
        # build systems.
        self.cpp_info.set_property("cmake_find_mode", "none")
        cpp = self.cpp_info.components["cpp"]
        cpp.libs = ["qwen3guard"]
        cpp.set_property("pkg_config_name", "qwen3guard")
        c = self.cpp_info.components["c"]
        c.libs = ["qwen3guard_c"]
        c.set_property("pkg_config_name", "qwen3guard_c")
        if self.options.shared:
            c.requires = ["cpp"]
        for component in (cpp, c):
            component.builddirs.append(os.path.join("lib", "cmake", "qwen3guard"))
            if self.settings.os in ("Linux", "FreeBSD"):
                component.system_libs = ["pthread", "m"]
            if not self.options.system_dependencies:
                component.requires += ["re2::re2", "utf8proc::utf8proc", "simdjson::simdjson"]
        if self.options.system_dependencies and not self.options.shared:
            cpp.system_libs += ["re2", "utf8proc", "simdjson"]
