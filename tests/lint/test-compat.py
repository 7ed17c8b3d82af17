#!/usr/bin/python3
"""test-compat - whether compat.py sees each kind of name that doc/compat.md may have, and each mistake in one."""
import compat

PAGE = """
| what was tried | what Postern does | test |
|---|---|---|
| one | a `reply` | `test_one` |
| two | it | `test_other.py`: `test_two`; `replay/two.rpl`, `test-two`: `test_two_c` |
| three | it | `test-script`, `test_other.py` |
"""
FILES = {"tests/system/test_compat.py": "def test_one(shared):\n    pass\n", "tests/system/test_other.py": "def test_two():\n    pass\n",
         "tests/replay/two.rpl": "", "tests/unit/a/test-two.c": "static void\ntest_two_c(void)\n{\n}\n", "tests/content/test-script": ""}


def wrong(page=PAGE, files=None):
    return compat.check(page, files or FILES)


assert wrong() == [], wrong()
for name in ("test_two", "test_two_c", "test-two", "test-script", "replay/two.rpl", "test_other.py"):
    assert wrong(PAGE.replace(f"`{name}`", "`test_absent`" if name.startswith("test_") and "." not in name else "`absent`")), name
assert wrong(PAGE.replace("`test_other.py`: `test_two`", "`test_two`"))[0] == (5, "test_two is not in tests/system/test_compat.py")
assert wrong(PAGE.replace("| `test_one` |", "| seen |")) == [
    (4, "a row that names no test"), (1, "no row names test_one of tests/system/test_compat.py")]
assert "or several" in wrong(files={**FILES, "plugins/b/test-two.c": FILES["tests/unit/a/test-two.c"]})[0][1]
print("the tests that doc/compat.md names are found, and those that do not exist")
