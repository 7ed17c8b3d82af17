#!/usr/bin/python3
"""test-abi - each kind of change to plugin-api.h is caught by abi.py until its version is raised, and only as far as
that version allows."""
import functools
import os
import re
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(os.environ.get("TOP_SRCDIR", Path(__file__).absolute().parents[2]))
sys.path[:0] = [str(TOP / "tests/lint"), str(TOP / "tools")]
import abi  # noqa: E402
import apiheader  # noqa: E402

HEADER = (TOP / "plugin-api.h").read_text()
NEW_FUNCTION = ("void *ptn_instance(PtnHook *h);", "void *ptn_instance(PtnHook *h);\nvoid ptn_new(PtnHook *h);")
GROWN_PLUGIN = ("\n} PtnPlugin;", "\n\tint64_t newest;\n} PtnPlugin;")
NEW_STAGE = ("\tPTN_EVENT,  ", "\tPTN_EVENT, PTN_NEWEST,  ")
NEW_FILE = ("#pragma GCC visibility pop", "typedef struct { int a; } PtnNewest;\n#pragma GCC visibility pop")

# what is changed, into what, what is said
BREAKING = [
    ("PTN_CONNECT = 1,", "PTN_CONNECT = 2,", "enum PtnStage.PTN_CONNECT: is 2, was 1"),
    ("PTN_HELO,", "PTN_NEW, PTN_HELO,", "enum PtnStage.PTN_HELO: is 4, was 3"),
    ("PTN_HELO,", "", "enum PtnStage.PTN_HELO: is gone"),
    ("PTN_HELO,", "PTN_EHLO,", "enum PtnStage.PTN_HELO: is gone"),
    ("PTN_OK = 0,", "PTN_OK = 0, PTN_FINE = 1,", "PtnStatus.PTN_FINE: has the value of PTN_NONE"),
    ("int64_t least, most;", "int64_t most, least;", "field PtnOption.least"),
    ("int64_t least, most;", "double least, most;", "field PtnOption.least"),
    ("int64_t least, most;", "int64_t least;", "field PtnOption.most: is gone"),
    ("bool passes_on_error;", "bool passes_on_failure;", "field PtnPlugin.passes_on_error: is gone"),
    ("int64_t tick;", "int64_t tick, tock;", "PtnPlugin.tock: is not at the end of PtnPlugin"),
    ("bool needs_restart; ", "bool needs_restart; int64_t newest; ", "PtnOption may not grow"),
    ("const char *enhanced, *text; } PtnReply;", "const char *enhanced, *text, *more; } PtnReply;", "PtnReply may not grow"),
    ("\tbool has_on;", "\tint64_t has_on;", "field PtnPlugin.has_on"),
    ("typedef PtnVerdict PtnFunction(PtnHook *h);", "typedef PtnVerdict PtnFunction(PtnHook *h, int n);", "type PtnFunction"),
    ("void ptn_permit(PtnHook *h);", "", "function ptn_permit: is gone"),
    ("void ptn_permit(PtnHook *h);", "bool ptn_permit(PtnHook *h);", "function ptn_permit: is bool"),
    ("void ptn_permit(PtnHook *h);", "void ptn_permit(PtnHook *h, size_t i);", "function ptn_permit: is void (PtnHook *, size_t)"),
    ("int64_t ptn_now(PtnHook *h);", "int64_t ptn_now(const PtnHook *h);", "function ptn_now"),
    ("#define PTN_SECOND INT64_C(1000000)", "#define PTN_SECOND INT64_C(1000)", "macro PTN_SECOND"),
    ("#define PTN_THIS ((size_t)-1)", "", "macro PTN_THIS: is gone"),
]
ADDING = [
    (*NEW_FUNCTION, "function ptn_new: is new"),
    (*GROWN_PLUGIN, "field PtnPlugin.newest: is new"),
    (*NEW_STAGE, "enum PtnStage.PTN_NEWEST: is new"),
    (*NEW_FILE, "struct PtnNewest: is new"),
    ("#define PTN_THIS", "#define PTN_NEWEST 1\n#define PTN_THIS", "macro PTN_NEWEST: is new"),
]
HARMLESS = [
    ("void ptn_permit(PtnHook *h); ", "void ptn_permit(PtnHook *hook);   "),
    ("take it though it is not ours (relay)", "another comment"),
    ("int64_t least, most; ", "int64_t least;\n\tint64_t most; "),
]


def changed(old, new, major=None, minor=None):
    assert HEADER.count(old) == 1, "%r stands %d times in the header" % (old, HEADER.count(old))
    text = HEADER.replace(old, new)
    for name, value in (("MAJOR", major), ("MINOR", minor)):
        if value is not None:
            text = re.sub(r"(?m)^(#define PTN_API_%s) \d+" % name, r"\1 %d" % value, text)
    return text


@functools.cache
def dump(text):
    return abi.dump(text)


class Copy:
    """The dumps, in a place of their own."""

    def __init__(self, place):
        self.place = Path(place)
        for path in (TOP / "doc/abi").glob("*.txt"):
            (self.place / path.name).write_text(path.read_text())

    def check(self, text, *words):
        now = dump(re.sub(r"(?m)^(#define PTN_API_M....) \d+", r"\1 0", text))
        wrong = abi.check(apiheader.version(text), now, self.place, list(words))
        return not wrong, "\n".join(wrong)


def passes(said):
    assert said[0], said[1]


def fails(said, sentence):
    assert not said[0] and sentence in said[1], "%r is not in\n%s" % (sentence, said[1])


def test_all_is_in_it(copy, major, minor):
    passes(copy.check(HEADER))
    told = (copy.place / ("%d.%d.txt" % (major, minor))).read_text()
    for name in set(re.findall(r"\b(ptn_[a-z_0-9]+)\(", re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S))):
        assert "\nfunction %s: " % name in told, name


def test_breaking(copy, major, minor):
    for old, new, sentence in BREAKING:
        fails(copy.check(changed(old, new)), sentence)
        fails(copy.check(changed(old, new), "--write"), sentence)
        fails(copy.check(changed(old, new, minor=minor + 1), "--write"), "raise PTN_API_MAJOR")
        assert len(list(copy.place.glob("%d.%d.txt" % (major, minor + 1)))) == 0


def test_adding(copy, major, minor):
    for old, new, sentence in ADDING:
        fails(copy.check(changed(old, new)), sentence)
        fails(copy.check(changed(old, new)), "raise PTN_API_MINOR")
        fails(copy.check(changed(old, new, minor=minor + 1)), "doc/abi/%d.%d.txt is missing" % (major, minor + 1))
        fails(copy.check(changed(old, new, minor=minor + 2), "--write"), "behind %d.%d comes" % (major, minor))


def test_minor(copy, major, minor):
    """With the dump of the new version it passes, and the old header does not any more; what broke later is caught."""
    for old, new, _ in ADDING:
        text = changed(old, new, minor=minor + 1)
        passes(copy.check(text, "--write"))
        passes(copy.check(text))
        fails(copy.check(HEADER), "versions are not taken back")
        fails(copy.check(changed("PTN_CONNECT = 1,", "PTN_CONNECT = 2,", minor=minor + 1)), "enum PtnStage.PTN_CONNECT")
        (copy.place / ("%d.%d.txt" % (major, minor + 1))).unlink()


def test_major(copy, major, minor):
    """Anything goes, once it is said."""
    for old, new, _ in BREAKING:
        text = changed(old, new, major=major + 1, minor=0)
        fails(copy.check(text), "doc/abi/%d.0.txt is missing" % (major + 1))
        fails(copy.check(changed(old, new, major=major + 2, minor=0), "--write"), "behind %d.%d comes" % (major, minor))
        passes(copy.check(text, "--write"))
        passes(copy.check(text))
        (copy.place / ("%d.0.txt" % (major + 1))).unlink()


def test_again(copy, major, minor):
    """Only before 1.0, and only this version's."""
    text = changed("PTN_CONNECT = 1,", "PTN_CONNECT = 2,")
    if major == 0:
        said = copy.check(text, "--again")
        assert said[0] == (minor == 0), said[1]
    passes(copy.check(changed("PTN_CONNECT = 1,", "PTN_CONNECT = 2,", major=major + 1, minor=0), "--write"))
    fails(copy.check(changed("PTN_HELO,", "", major=major + 1, minor=0), "--again"), "enum PtnStage.PTN_HELO: is gone")


def test_harmless(copy, *_):
    for old, new in HARMLESS:
        passes(copy.check(changed(old, new)))


def main():
    for test in (test_all_is_in_it, test_breaking, test_adding, test_minor, test_major, test_again, test_harmless):
        with tempfile.TemporaryDirectory() as place:
            test(Copy(place), *apiheader.version(HEADER))
        print("%s: ok" % test.__name__)


main()
