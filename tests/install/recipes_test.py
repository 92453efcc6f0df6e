# SPDX-License-Identifier: Apache-2.0
"""What the recipes of package managers say against what the project has: versions, dependencies, options, targets."""

import json
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "cmake" / "packages"
PORT = PACKAGES / "vcpkg" / "qwen3guard"
VCPKG_NAMES = {"eigen": "eigen3"}  # where a package has another name than our recipe for it


def text(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def version() -> str:
    header = text("include", "qwen3guard", "version.hpp")
    return ".".join(re.search(rf"#define QWEN3GUARD_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))


def dependencies() -> list[str]:
    """Those of the library; threads are part of the system."""
    found = re.search(r"set\(q3g_dependencies ([a-z0-9 ]+)\)", text("CMakeLists.txt"))[1].split()
    return [name for name in found if name != "threads"]


def pinned_version(name: str) -> str:
    return re.match(r"# (\d[\d.-]*\d)", text("third_party", f"{name}.cmake"))[1]


def cmake_options() -> set[str]:
    return set(re.findall(r"^option\((\w+)", text("CMakeLists.txt"), re.MULTILINE))


def installed_targets() -> set[str]:
    config = (PACKAGES / "qwen3guardConfig.cmake.in").read_text(encoding="utf-8")
    components = re.search(r"set\(q3g_all ([a-z_ ]+)\)", config)[1].split()
    return {f"qwen3guard::{name}" for name in ["qwen3guard", *components]}


class VcpkgPort(unittest.TestCase):
    def setUp(self) -> None:
        self.manifest = json.loads((PORT / "vcpkg.json").read_text(encoding="utf-8"))
        self.portfile = (PORT / "portfile.cmake").read_text(encoding="utf-8")

    def dependency_names(self, host: bool) -> list[str]:
        entries = [{"name": entry} if isinstance(entry, str) else entry for entry in self.manifest["dependencies"]]
        return [entry["name"] for entry in entries if entry.get("host", False) == host]

    def test_version_is_the_headers(self) -> None:
        self.assertEqual(self.manifest["version"], version())

    def test_dependencies_are_the_librarys(self) -> None:
        expected = sorted(VCPKG_NAMES.get(name, name) for name in dependencies())
        self.assertEqual(self.dependency_names(host=False), expected)

    def test_helpers_of_the_portfile_are_depended_on(self) -> None:
        used = {"vcpkg-cmake"} if "vcpkg_cmake_configure(" in self.portfile else set()
        if "vcpkg_cmake_config_fixup(" in self.portfile:
            used.add("vcpkg-cmake-config")
        self.assertEqual(set(self.dependency_names(host=True)), used)

    def test_each_feature_sets_an_option(self) -> None:
        block = re.search(r"vcpkg_check_features\((.*?)\)", self.portfile, re.DOTALL)[1]
        pairs = dict(re.findall(r"\b([a-z][a-z0-9-]*)\s+(Q3G_\w+)", block))
        self.assertEqual(set(pairs), set(self.manifest["features"]))
        self.assertLessEqual(set(pairs.values()), cmake_options())
        defaults = {entry if isinstance(entry, str) else entry["name"] for entry in self.manifest["default-features"]}
        self.assertLessEqual(defaults, set(pairs))

    def test_options_exist(self) -> None:
        options = set(re.findall(r"-D(Q3G_\w+)=", self.portfile))
        self.assertTrue(options)
        self.assertLessEqual(options, cmake_options())

    def test_usage_names_installed_targets(self) -> None:
        named = set(re.findall(r"qwen3guard::\w+", (PORT / "usage").read_text(encoding="utf-8")))
        self.assertIn("qwen3guard::qwen3guard", named)
        self.assertLessEqual(named, installed_targets())

    def test_release_is_named_by_the_version(self) -> None:
        self.assertRegex(self.portfile, r'REF "v\$\{VERSION\}"')
        self.assertRegex(self.portfile, r"SHA512 (0|[0-9a-f]{128})\n")


class ConanRecipe(unittest.TestCase):
    def setUp(self) -> None:
        self.recipe = (PACKAGES / "conan" / "conanfile.py").read_text(encoding="utf-8")

    def test_requirements_are_the_pinned_versions(self) -> None:
        required = dict(re.findall(r'self\.requires\("([\w-]+)/([^"]+)"', self.recipe))
        # RE2 writes a date with hyphens in its tags, Conan without.
        self.assertEqual(required, {name: pinned_version(name).replace("-", "") for name in dependencies()})

    def test_options_exist(self) -> None:
        options = set(re.findall(r'"(Q3G_\w+)"', self.recipe))
        self.assertTrue(options)
        self.assertLessEqual(options, cmake_options())

    def test_sources_are_those_of_the_build(self) -> None:
        patterns = re.search(r"for pattern in \((.*?)\):", self.recipe)[1]
        folders = {name.split("/")[0] for name in re.findall(r'"([^"]+)"', patterns)}
        for name in folders:
            self.assertTrue((ROOT / name).exists(), name)
        added = set(re.findall(r"^\s*(?:add_subdirectory|include)\(([a-z_]+)[/)]", text("CMakeLists.txt"), re.MULTILINE))
        self.assertLessEqual(added - {"tests", "examples", "benchmarks"}, folders)

    def test_test_package_uses_installed_targets(self) -> None:
        named = set(re.findall(r"qwen3guard::\w+", text("cmake", "packages", "conan", "test_package", "CMakeLists.txt")))
        self.assertEqual(named, {"qwen3guard::qwen3guard", "qwen3guard::c"})
        self.assertLessEqual(named, installed_targets())


class Debian(unittest.TestCase):
    def test_package_is_named_by_the_binary_interface(self) -> None:
        header = text("capi", "qwen3guard.h")
        abi = re.search(r"#define Q3G_ABI_VERSION (\d+)", header)[1]
        names = set(re.findall(r"libqwen3guard-c(\d+)", text("cmake", "packages", "debian.cmake")))
        self.assertEqual(names, {abi})

    def test_manual_page_has_every_subcommand(self) -> None:
        page = (PACKAGES / "qwen3guard.1").read_text(encoding="utf-8")
        subcommands = {path.stem.removeprefix("command_") for path in (ROOT / "src" / "cli").glob("command_*.cc")}
        section = page.split(".SH SUBCOMMANDS")[1].split(".SH")[0]
        self.assertEqual(set(re.findall(r"^\.B (\w+)$", section, re.MULTILINE)), subcommands)


if __name__ == "__main__":
    unittest.main()
