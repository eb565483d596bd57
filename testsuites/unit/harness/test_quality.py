# SPDX-License-Identifier: GPL-2.0-only
"""The checks of C sources see what they are there for, and leave taste alone."""

import subprocess
from pathlib import Path

import pytest

from harness.quality import sparse, style
from harness.results import REPOSITORY

GOOD = """\
#define SHORT\t1\t\t/* columns are the author's */
#define LONGER_NAME\t2

static const char * const names[] = {
\t"a", "b",
\t"c"
};

struct pair { int a, b; };

int f(int a,
\tint (*g)(void));

static inline int one_line(void) { return 1; }

int f(int a, int (*g)(void))
{
\tswitch (a) {
\tcase 1: return 2;
\tcase 3 ... 4:
\t\tbreak;
\t}
\tasm volatile("hlt" : : "r" (a) : "memory");
\tif (a &&
\t    g())
\t\treturn a +
\t\t\t1;
\treturn 0;
}
"""


def complaints(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / ".clang-format").write_text((REPOSITORY / ".clang-format").read_text())
    source = tmp_path / "a.c"
    source.write_text(text)
    return [line.removeprefix(f"{source}:") for line in style.check(source)]


def test_taste_is_left_alone(tmp_path: Path) -> None:
    assert complaints(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int f(void) {\n\treturn 0;\n}\n", "1: '{' belongs on a line of its own"),
        ("int f(void)\n{\n    return 0;\n}\n", "3: indent 'return' by 8 columns, not 4"),
        ("int f(int a)\n{\n\tif (a) return 1;\n\treturn 0;\n}\n", "3: 'return' belongs on a line of its own"),
        ("int f(int a)\n{\n\tif (a)\n\t{\n\t\ta++;\n\t\ta--;\n\t}\n\treturn a;\n}\n", "4: '{' belongs on the line of ')'"),
        ("int f(int a)\n{\n\tif(a)\n\t\treturn 1;\n\treturn 0;\n}\n", "3: a space between 'if' and '('"),
        ("int f(int a)\n{\n\treturn a+1;\n}\n", "3: a space between 'a' and '+'"),
        ("char* p;\n", "1: no space between '*' and 'p'"),
        ("int a; \n", "1: white space at the end of the line"),
        ("int a;" + " " * 110 + "int b;\n", "1: longer than 110 columns"),
    ],
)  # fmt: skip
def test_kernel_style_is_asked_for(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in complaints(tmp_path, text)


def compiled(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    source = tmp_path / "a.c"
    source.write_text(text)
    command = [REPOSITORY / ".ci/checked-cc", "-std=gnu11", "-Wall", "-Werror", "-fanalyzer",
               "-O2", "-c", source, "-o", tmp_path / "a.o"]  # fmt: skip
    environment = {"SPARSE": str(sparse.sparse()), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_checked_compiler_makes_the_object(tmp_path: Path) -> None:
    done = compiled(tmp_path, "int f(int a);\nint f(int a)\n{\n\treturn a;\n}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.o").read_bytes().startswith(b"\x7fELF")


def test_sparse_speaks_in_the_checked_compiler(tmp_path: Path) -> None:
    done = compiled(tmp_path, "char *f(void);\nchar *f(void)\n{\n\treturn 0;\n}\n")
    assert done.returncode != 0
    assert "Using plain integer as NULL pointer" in done.stderr


def test_analyzer_speaks_in_the_checked_compiler(tmp_path: Path) -> None:
    text = (
        "void *malloc(unsigned long size);\nvoid free(void *p);\nint f(void);\nint f(void)\n"
        "{\n\tint *p = malloc(4);\n\n\tif (!p)\n\t\treturn 0;\n\tfree(p);\n\treturn *p;\n}\n"
    )
    done = compiled(tmp_path, text)
    assert done.returncode != 0
    assert "-Werror=analyzer-use-after-free" in done.stderr
