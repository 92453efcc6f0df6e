#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule finds what a bad example has wrong, and nothing in a good one: a rule that finds nothing proves nothing."""

import contextlib
import os
import tempfile
import unittest
from pathlib import Path

from check_rules import RULES
from source_tree import CannotTell, SourceTree, code_only

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
GOOD = {
    ".clang-format": "DisableFormat: true\nSortIncludes: Never\n",
    "include/qwen3guard/status.hpp": SPDX
    + "#ifndef QWEN3GUARD_STATUS_HPP\n#define QWEN3GUARD_STATUS_HPP\n#include <string>\n"
    + "using Text = std::string;\n#endif  // QWEN3GUARD_STATUS_HPP\n",
    "src/util/a.hpp": SPDX
    + "#ifndef QWEN3GUARD_SRC_UTIL_A_HPP\n#define QWEN3GUARD_SRC_UTIL_A_HPP\n"
    + '#include "qwen3guard/status.hpp"\ninline Text a() { return {}; }\n#endif\n',
    "src/util/a.cc": SPDX + '#include "util/a.hpp"\n// printf(\nint snprintf_like(const char*);\n',
    "src/model/m.cc": SPDX + '#include "util/a.hpp"\nconst char* kText = "std::cout << exit(1)";\n',
    "src/cli/main.cc": SPDX + '#include <cstdio>\n#include "qwen3guard/status.hpp"\nint main() { std::puts("ok"); }\n',
    "scripts/good.sh": "#!/usr/bin/env bash\n# SPDX-License-Identifier: Apache-2.0\nset -euo pipefail\necho ok\n",
}
HEADER = SPDX + "#ifndef QWEN3GUARD_{0}\n#define QWEN3GUARD_{0}\n{1}#endif\n"


class RulesTest(unittest.TestCase):
    def findings(self, rule, files, executable=True):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in {**GOOD, **files}.items():
                file = Path(folder) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                if path.endswith(".sh") and executable:
                    os.chmod(file, 0o755)
            return RULES[rule](SourceTree(Path(folder)))

    def expect(self, rule, path, text, part="", **kwargs):
        found = self.findings(rule, {path: text}, **kwargs)
        self.assertEqual([f.path for f in found], [path], f"{rule}: {[str(f) for f in found]}")
        self.assertIn(part, found[0].message)

    def test_good_tree_has_no_findings(self):
        for rule in RULES:
            with self.subTest(rule=rule), contextlib.suppress(CannotTell):
                self.assertEqual(self.findings(rule, {}), [])

    def test_include_direction(self):
        self.expect("include_direction", "src/util/b.cc", SPDX + '#include "../model/m.cc"\n', "util must not include")
        self.expect("include_direction", "src/cli/b.cc", SPDX + '#include "util/a.hpp"\n', "public")
        self.expect("include_direction", "src/novel/b.cc", SPDX, "unknown layer")
        bench = {f"src/bench/{name}.hpp": HEADER.format(f"SRC_BENCH_{name.upper()}_HPP", "") for name in ("measure", "passes")}
        for name, user in (("measure", "cli"), ("passes", "bench")):
            used = {f"src/{user}/b.cc": SPDX + f'#include "bench/{name}.hpp"\n'}
            self.assertEqual(self.findings("include_direction", {**bench, **used}), [])
        for name, user in (("measure", "guard"), ("passes", "cli")):
            used = {f"src/{user}/b.cc": SPDX + f'#include "bench/{name}.hpp"\n'}
            self.assertEqual([f.path for f in self.findings("include_direction", {**bench, **used})], list(used))
        guard = {"include/qwen3guard/guard.hpp": HEADER.format("GUARD_HPP", "")}
        bad = {"src/model/b.cc": SPDX + '#include "qwen3guard/guard.hpp"\n'}
        self.assertEqual([f.path for f in self.findings("include_direction", {**guard, **bad})], list(bad))

    def test_guard_rooms(self):
        session = {"src/guard/session/a.hpp": HEADER.format("SRC_GUARD_SESSION_A_HPP", "")}
        include = SPDX + '#include "guard/session/a.hpp"\n'
        for path, n_found in (("src/guard/policy/b.cc", 1), ("src/guard/session/b.cc", 0), ("src/guard/calls/b.cc", 0)):
            with self.subTest(path=path):
                self.assertEqual(len(self.findings("guard_rooms", {**session, path: include})), n_found)
        self.expect("guard_rooms", "src/guard/novel/b.cc", SPDX, "no room")

    def test_checkpoint_seam(self):
        knows = SPDX + '// "config.json"\nconst char* kName = "config.json";\n'
        self.expect("checkpoint_seam", "src/guard/loaded/b.cc", knows, "config.json")
        self.expect("checkpoint_seam", "src/model/b.cc", SPDX + 'auto text = "expected tokenizer.json";\n', "tokenizer.json")
        for path in ("src/model/checkpoint/b.cc", "src/tokenizer/b.cc", "src/cli/b.cc"):
            self.assertEqual(self.findings("checkpoint_seam", {path: knows}), [])
        headers = {f"src/model/{name}.hpp": HEADER.format(f"SRC_MODEL_{name.upper()}_HPP", "") for name in ("config", "weights")}
        for name, n_found in (("config", 0), ("weights", 1)):
            user = {"src/model/checkpoint/b.cc": SPDX + f'#include "model/{name}.hpp"\n'}
            self.assertEqual(len(self.findings("checkpoint_seam", {**headers, **user})), n_found)

    def test_public_headers(self):
        for line in ("<Eigen/Core>", "<windows.h>", '"util/a.hpp"'):
            text = HEADER.format("B_HPP", f"#include {line}\n")
            self.expect("public_headers", "include/qwen3guard/b.hpp", text, "must not include")
        text = HEADER.format("DETAIL_B_HPP", "")
        self.expect("public_headers", "include/qwen3guard/detail/b.hpp", text, "below src/")

    def test_outside_libraries(self):
        for line in ("<Eigen/Core>", "<re2/re2.h>", "<utf8proc.h>", "<xxhash.h>", "<CLI/CLI.hpp>", "<immintrin.h>"):
            self.expect("outside_libraries", "src/model/b.cc", SPDX + f"#include {line}\n", "belongs in")
        self.expect("outside_libraries", "include/qwen3guard/b.hpp", SPDX + "#include <simdjson.h>\n", "belongs in")
        more = {f"src/tokenizer/{name}.cc": SPDX + "#include <re2/re2.h>\n" for name in "abc"}
        self.assertEqual(len(self.findings("outside_libraries", more)), 1)

    def test_function_length(self):
        long = "  f();\n" * 70
        heads = ("void b() {", "template <class T>\nT b(T x) noexcept {", "B::B() : b_{1} {", "struct B b(void) {",
                 "class B {\n  bool operator==(B b) const {", "namespace b {\nTEST(b) {", "static int b[] = {")
        for head in heads:
            text = SPDX + f"{head}\n{long}}}\n" + "}\n" * (head.count("{") - 1 - head.count("}"))
            self.expect("function_length", "src/util/b.cc", text, "lines; a function has at most 70")
        short = "void b() {\n  if (c) {\n    f({1});\n  }\n}\n"
        good = f'B_MACRO\nnamespace b {{\nclass B {{\n public:\n{short * 20}}};\ntemplate <class T>\nclass B : public b<B<T>> {{\n public:\n{short * 20}}};\n}}\nextern "C" {{\n#define B(x) {{ \\\n x\n{short * 20}}}\n'
        self.assertEqual(self.findings("function_length", {"src/util/b.cc": SPDX + good}), [])
        self.assertEqual(self.findings("function_length", {"tests/b.cpp": SPDX + f"void b() {{\n{long}}}\n"}), [])
        self.expect("function_length", "capi/b.py", "def b():\n" + "    f()\n" * 70, "71 lines")

    def test_spdx_line(self):
        self.expect("spdx_line", "src/util/b.cc", "int b;\n", "missing")
        self.expect("spdx_line", "scripts/b.sh", "#!/usr/bin/env bash\nset -euo pipefail\n", "missing")

    def test_include_guards(self):
        self.expect("include_guards", "src/util/b.hpp", SPDX + "#pragma once\n", "QWEN3GUARD_SRC_UTIL_B_HPP")
        self.expect("include_guards", "src/util/b.hpp", HEADER.format("SRC_UTIL_B_HPP", "") + "int b;\n", "enclose")

    def test_ascii_only(self):
        self.expect("ascii_only", "src/util/b.cc", SPDX + "// caf\u00e9\n", "ASCII")

    def test_quoted_text(self):
        for line in ('e = "no \\"" + name + "\\"";', 'e = "no \\""\n    + name;', 'e = error(code, "no \\"", name);'):
            self.expect("quoted_text", "src/util/b.cc", SPDX + line + "\n", "quote(text)")
        self.assertEqual(self.findings("quoted_text", {"src/util/b.cc": SPDX + 'e = "no \\"x\\" " + quote(name);\n'}), [])

    def test_library_is_silent(self):
        for line in ("std::cout << 1;", "std::printf(x);", "printf(x);", "::exit(1);", "std::abort();", "abort ();"):
            self.expect("library_is_silent", "src/util/b.cc", SPDX + line + "\n", "must not use")

    def test_exceptions(self):
        for line in ("try {", "} catch (...) {", "throw 1;"):
            self.expect("exceptions", "src/util/b.cc", SPDX + line + "\n", "use util/")
        for line in ("Q3G_TRY(f());", "// a throw"):
            self.assertEqual(self.findings("exceptions", {"src/util/b.cc": SPDX + line + "\n"}), [])

    def test_test_case_names(self):
        for name in ("a; b", "a \\\\ b", 'a \\"b\\"'):
            self.expect("test_case_names", "tests/b.cpp", SPDX + f'TEST_CASE("{name}") {{}}\n', "semicolon")

    def test_same_random_data(self):
        for line in ("std::normal_distribution<float> n;", "std::shuffle(a, b, random);", "int b = std::rand();"):
            self.expect("same_random_data", "tests/b.cpp", SPDX + line + "\n", "differs between standard libraries")
        for line in ("operand(1);", "auto d = policy.distribution;", "strand (1);"):
            self.assertEqual(self.findings("same_random_data", {"tests/b.cpp": SPDX + line + "\n"}), [])

    def test_code_layout(self):
        files = {".clang-format": "BasedOnStyle: Google\n", "src/util/b.cc": SPDX + "int  b;\n", "src/util/c.cc": SPDX + "int c;\n"}
        try:
            found = [f.path for f in self.findings("code_layout", files)]
        except CannotTell as reason:
            self.skipTest(str(reason))
        self.assertIn("src/util/b.cc", found)
        self.assertNotIn("src/util/c.cc", found)

    def test_self_contained_headers(self):
        text = HEADER.format("SRC_UTIL_B_HPP", "inline std::string b();\n")
        self.expect("self_contained_headers", "src/util/b.hpp", text, "does not compile alone")
        for source, is_shown_by_the_build in (('#include "util/b.hpp"\n', True), ('#include <string>\n#include "util/b.hpp"\n', False)):
            found = self.findings("self_contained_headers", {"src/util/b.hpp": text, "src/util/b.cc": SPDX + source})
            self.assertEqual(not found, is_shown_by_the_build, source)

    def test_shell_scripts(self):
        head = "#!/usr/bin/env bash\n"
        self.expect("shell_scripts", "scripts/b.sh", head + "echo\n", "pipefail")
        self.expect("shell_scripts", "scripts/b.sh", head + "set -euo pipefail\nif\n", "syntax error")
        self.expect("shell_scripts", "scripts/good.sh", GOOD["scripts/good.sh"], "not executable", executable=False)

    def test_every_rule_has_a_test(self):
        for rule in RULES:
            self.assertTrue(hasattr(self, f"test_{rule}"), rule)

    def test_code_only_keeps_lines(self):
        text = 'a /* x\ny */ b "c//" // d\nR"(e\n)" f\n'
        self.assertEqual(code_only(text).count("\n"), text.count("\n"))
        self.assertNotIn("c//", code_only(text))


if __name__ == "__main__":
    unittest.main()
