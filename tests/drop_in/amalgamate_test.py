# SPDX-License-Identifier: Apache-2.0
"""What scripts/amalgamate.py finds in sources that cannot become one file."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import amalgamate  # noqa: E402


class AmalgamateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        root, amalgamate.ROOT = amalgamate.ROOT, self.root
        self.addCleanup(lambda: setattr(amalgamate, "ROOT", root))

    def write(self, name: str, text: str) -> pathlib.Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def complaint(self, function, *arguments) -> str:
        with self.assertRaises(SystemExit) as stopped:
            function(*arguments)
        return str(stopped.exception)

    def test_local_names(self):
        path = self.write("a.cc", """
#define KEPT 1
#define GONE 2
#undef GONE
#ifndef WINDOWS
#define WINDOWS
#endif
namespace q { namespace {
// class Comment;
struct Plain { int member; void method() { int local = 0; } };
enum class Kind { first };
using Name = std::vector<int>;
template <class T, class U = std::pair<int, T>>
concept Fits = true;
constexpr int kOne = f(1), kTwo = 2;
const char* const kTexts[] = {"struct InText {", "}"};
std::map<int, std::vector<int>> table;
[[nodiscard]] Result<std::vector<int>> read(const std::function<void(int)>& f) { return f; }
bool operator==(Plain, Plain) { return true; }
Plain::Plain() {}
template <> struct Special<int> : Base<int> { };
}
static int counter() { return 1; }
int shared() { static int inside = 0; return inside; }
}
""")
        self.assertEqual(amalgamate.local_names(path), {
            "KEPT", "Plain", "Kind", "Name", "Fits", "kOne", "kTwo", "kTexts", "table", "read", "Special", "counter"})

    def test_same_name_in_two_files(self):
        text = "namespace {{\n{}\n}}\n"
        one, two = self.write("src/one.cc", text.format("int f();")), self.write("src/two.cc", text.format("void f(long);"))
        self.assertIn("f stands in src/one.cc and src/two.cc", self.complaint(amalgamate.check_unique, [one, two]))
        two = self.write("src/two.cc", text.format("void g(long);"))
        amalgamate.check_unique([one, two])

    def test_systems_may_share_names(self):
        text = "namespace {\nint f();\n}\n"
        files = [self.write(f"src/{name}.cc", text) for name in ("file_posix", "file_win")]
        amalgamate.check_unique(files)
        self.assertIn("f stands", self.complaint(amalgamate.check_unique, [*files, self.write("src/third_win.cc", text)]))

    def test_pasting(self):
        guard = "#ifndef {0}\n#define {0}\n{1}\n#endif\n"
        self.write("src/util/low.hpp", guard.format("LOW", "int low;"))
        self.write("src/util/high.hpp", guard.format("HIGH", '#include "util/low.hpp"\nint high;'))
        body = self.write("src/body.cc", '#include "util/high.hpp"\n#include "util/low.hpp"\n#include <vector>\nint body;\n')
        text = amalgamate.Paster({"vector": "int replaced;\n"}).paste(body)
        self.assertEqual([line for line in text.splitlines() if line.startswith("int")],
                         ["int low;", "int high;", "int replaced;", "int body;"])
        self.assertNotIn("#include", text)

    def test_include_under_a_condition(self):
        self.write("src/util/low.hpp", "int low;\n")
        body = self.write("src/body.cc", '#ifdef X\n#include "util/low.hpp"\n#endif\n')
        self.assertIn("under a condition", self.complaint(amalgamate.Paster().paste, body))

    def test_missing_include(self):
        body = self.write("src/body.cc", '#include "util/none.hpp"\n')
        self.assertIn('there is no "util/none.hpp"', self.complaint(amalgamate.Paster().paste, body))


if __name__ == "__main__":
    unittest.main()
