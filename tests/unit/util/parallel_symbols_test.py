# SPDX-License-Identifier: Apache-2.0
"""What the library's archive needs of thread libraries is what Q3G_PARALLEL says: `none` starts no thread, and OpenMP is
called by `openmp` alone.

parallel_symbols_test.py <libqwen3guard.a> <nm> <team|openmp|none>
"""

import re
import subprocess
import sys

# std::thread's constructor, and what lies under it; the run-time libraries of GCC and Clang.
STARTS_THREADS = re.compile(r"^(_ZNSt6thread15_M_start_thread|_ZNSt3__16thread|pthread_create$|thrd_create$)")
OPENMP = re.compile(r"^(GOMP_|__kmpc_|omp_)")


def main(archive: str, nm: str, parallel: str) -> int:
    out = subprocess.run([nm, "--undefined-only", archive], capture_output=True, text=True, check=True).stdout
    needed = {line.split()[-1] for line in out.splitlines() if re.match(r"^ +[Uwv] ", line)}
    problems = []
    for what, pattern, wanted in (("threads", STARTS_THREADS, parallel != "none"), ("OpenMP", OPENMP, parallel == "openmp")):
        found = sorted(name for name in needed if pattern.match(name))
        if bool(found) != wanted:
            problems.append(f"Q3G_PARALLEL={parallel}, and of {what} the archive needs {found or 'nothing'}")
    if not needed:
        problems.append("nothing was read")
    print("\n".join(problems) or f"Q3G_PARALLEL={parallel}: as it says")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
