"""compat - the tests that doc/compat.md names: each exists, and each test of test_compat.py is named.

The last cell of a row names files ("test_next_hop_form.py", "replay/blind.rpl", "test-idn") and functions; a function is in the
file that was named last in its cell, or else in test_compat.py."""
import os
import re

DEFAULT = "tests/system/test_compat.py"
FOLDERS = ("tests", "plugins")


def files_of(top):
    """{path: text} of all files that a row may name."""
    found = {}
    for folder in FOLDERS:
        for base, _, names in os.walk(os.path.join(top, folder)):
            for name in names:
                if name.endswith((".c", ".py", ".rpl")) or name.startswith("test-"):
                    path = os.path.join(base, name)
                    with open(path, encoding="utf-8", errors="replace") as file:
                        found[os.path.relpath(path, top)] = file.read()
    return found


def file_named(name, files):
    """The path that `name` stands for; None if it stands for no file, or for several."""
    if "/" in name:
        return f"tests/{name}" if f"tests/{name}" in files else None
    if name.endswith(".py"):
        return f"tests/system/{name}" if f"tests/system/{name}" in files else None
    found = [path for path in files if os.path.basename(path) in (name, name + ".c")]
    return found[0] if len(found) == 1 else None


def functions_in(text):
    """Python and C: "def test_x(" and "test_x(" at the start of a line."""
    return set(re.findall(r"^(?:def )?(test_\w+)\(", text, re.M))


def check(page, files):
    """(line, what is wrong) of each name in the page; line 1: of a test that the page lacks."""
    wrong, named = [], set()
    for number, line in enumerate(page.split("\n"), 1):
        cells = line.strip().strip("|").split(" | ")
        if not line.startswith("| ") or cells[-1].strip() == "test":
            continue
        path, names = DEFAULT, re.findall(r"`([^`]+)`", cells[-1])
        if not names:
            wrong.append((number, "a row that names no test"))
        for name in names:
            if re.fullmatch(r"test_\w+", name):
                if name not in functions_in(files[path]):
                    wrong.append((number, f"{name} is not in {path}"))
                named.update({name} if path == DEFAULT else ())
            elif file_named(name, files):
                path = file_named(name, files)
            else:
                wrong.append((number, f"{name} is no file of tests, or several"))
    return wrong + [(1, f"no row names {name} of {DEFAULT}") for name in sorted(functions_in(files[DEFAULT]) - named)]
