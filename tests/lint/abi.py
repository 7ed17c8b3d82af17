#!/usr/bin/python3
"""abi - what compiled plugins rely on in plugin-api.h: sizes, offsets, values, prototypes; compared with the dump of its
version in doc/abi/.  A change needs a new version: additions at the end a minor one, anything else a major one.

	abi.py            checks (make check)
	abi.py --write    makes the dump of a new version
	abi.py --again    makes that of this version anew: only while the major is 0, and nothing outside relies on it"""
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(os.environ.get("TOP_SRCDIR", Path(__file__).absolute().parents[2]))
sys.path.insert(0, str(Path(__file__).absolute().parents[2] / "tools"))
import apiheader  # noqa: E402

# Structs that may grow at their end: a plugin's constant says its size, an answer is the host's and comes by pointer.
# The others are rows of tables, or returned by value: their size is part of the contract.
GROWING = {"PtnPlugin", "PtnAnswer"}
OF_VERSION = {"PTN_API_MAJOR", "PTN_API_MINOR"}


def measured(header, parts):
    """Sizes, offsets and values, which the compiler knows: {key: value}."""
    lines = []
    for part in parts:
        name, members = part.name, [member for member in part.members if isinstance(member, apiheader.Member)]
        if part.kind == "enum":
            lines += ['P("enum %s.%s: %%lld", (long long)%s);' % (name, member.name, member.name) for member in members]
            lines += ['P("enum %s: size %%zu", sizeof(%s));' % (name, name)] if name else []
        elif part.kind == "struct":
            lines.append('P("struct %s: size %%zu", sizeof(%s));' % (name, name))
            lines += ['P("field %s.%s: offset %%zu size %%zu, %s", offsetof(%s, %s), sizeof(((%s *)0)->%s));' % (
                name, member.name, member.type, name, member.name, name, member.name) for member in members]
    source = '#include "plugin-api.h"\n#include <stdio.h>\n#define P(...) (printf(__VA_ARGS__), puts(""))\n' \
             'int main(void)\n{\n%s\nreturn 0;\n}\n' % "\n".join(lines)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "plugin-api.h").write_text(header)
        (Path(place) / "abi.c").write_text(source)
        subprocess.run([*os.environ.get("CC", "cc").split(), "-o", "abi", "abi.c"], cwd=place, check=True)
        printed = subprocess.run([Path(place) / "abi"], capture_output=True, text=True, check=True).stdout
    return dict(line.split(": ", 1) for line in printed.splitlines())


def dump(header):
    """All of it, in the order of the header: {key: value}."""
    parts = apiheader.parts(header)
    sizes, result = measured(header, parts), {}
    for part in parts:
        if part.kind == "macro" and part.name not in OF_VERSION:
            result["macro " + part.name] = part.text
        elif part.kind == "opaque":
            result["opaque " + part.name] = "struct " + part.name
        elif part.kind in ("function", "type"):
            result["%s %s" % (part.kind, part.name)] = part.members[0]
        elif part.kind in ("enum", "struct"):
            word = "enum" if part.kind == "enum" else "field"
            keys = ["%s %s" % (part.kind, part.name)] if part.name else []
            keys += ["%s %s.%s" % (word, part.name, member.name) for member in part.members if isinstance(member, apiheader.Member)]
            result.update((key, sizes[key]) for key in keys)
    return result


def read(path):
    return dict(line.split(": ", 1) for line in path.read_text().splitlines() if not line.startswith("#"))


def dumps(folder):
    """{(major, minor): dump} of those that are committed."""
    return {tuple(map(int, path.stem.split("."))): read(path)
            for path in folder.glob("*.txt") if re.match(r"\d+\.\d+$", path.stem)}


def since(committed, key):
    """The first version that has it, without a gap up to now."""
    first = None
    for number in sorted(committed):
        first = (first or number) if key in committed[number] else None
    return first


def number(text, word):
    return int(re.search(r"\b%s (\d+)" % word, text)[1])


def is_growth(key, old, new):
    kind, name = key.split(" ", 1)
    return kind == "struct" and name in GROWING and number(new, "size") > number(old, "size")


def breaks_what_was(key, old, new):
    """Why an addition is none, or None."""
    kind, name = key.split(" ", 1)
    owner = name.split(".")[0]
    if kind == "field" and "struct " + owner in old:
        if owner not in GROWING:
            return "%s: %s may not grow: tables are made of it, or it is returned by value" % (name, owner)
        ends = [number(value, "offset") + number(value, "size") for each, value in old.items() if each.startswith("field %s." % owner)]
        if number(new[key], "offset") < max(ends):
            return "%s: is not at the end of %s" % (name, owner)
    if kind == "enum" and "." in name:
        same = [each for each in old if each.startswith("enum %s." % owner) and old[each] == new[key]]
        if same:
            return "%s: has the value of %s" % (name, same[0].split(".")[1])
    return None


def breaks(old, new):
    """What a plugin that was compiled against `old` would stumble over."""
    result = ["%s: is gone" % key for key in old if key not in new]
    result += ["%s: is %s, was %s" % (key, new[key], value) for key, value in old.items()
               if key in new and new[key] != value and not is_growth(key, value, new[key])]
    return result + list(filter(None, (breaks_what_was(key, old, new) for key in new if key not in old)))


def complaints(version, now, committed):
    """What is wrong with the header, and with the row of dumps."""
    name = "%d.%d" % version
    below = [each for each in sorted(committed) if each < version]
    if any(each > version for each in committed):
        return ["doc/abi/ has a version above %s: versions are not taken back" % name]
    if version in committed:
        old = committed[version]
        if now == old:
            return []
        broken = breaks(old, now)
        added = ["%s: is new" % key for key in now if key not in old]
        return broken + added + ["plugin-api.h is not %s any more: raise PTN_API_%s, then tests/lint/abi.py --write"
                                 % (name, "MAJOR" if broken else "MINOR")]
    result = []
    if below and below[-1][0] == version[0]:
        result = breaks(committed[below[-1]], now)
        result += ["raise PTN_API_MAJOR: this is no addition at the end"] if result else []
        if version[1] != below[-1][1] + 1:
            result.append("PTN_API_MINOR: behind %d.%d comes %d.%d" % (*below[-1], below[-1][0], below[-1][1] + 1))
    elif below and version != (below[-1][0] + 1, 0):
        result.append("PTN_API_MAJOR: behind %d.%d comes %d.0" % (*below[-1], below[-1][0] + 1))
    return result


def write(folder, version, now):
    text = "# plugin-api.h %d.%d: sizes and offsets in octets where pointers have 8; made by tests/lint/abi.py\n" % version
    (folder / ("%d.%d.txt" % version)).write_text(text + "".join("%s: %s\n" % item for item in now.items()))


def check(version, now, folder, words=()):
    """What is wrong with this version, whose dump is `now`."""
    committed = dumps(folder)
    if words == ["--again"] and version[0] == 0:
        committed.pop(version, None)
        words = ["--write"]
    wrong = complaints(version, now, committed)
    if words == ["--write"] and not wrong:
        write(folder, version, now)
        return []
    if not wrong and version not in committed:
        wrong = ["doc/abi/%d.%d.txt is missing: tests/lint/abi.py --write" % version]
    return wrong


def main(words):
    if struct.calcsize("P") != 8:
        print("abi: sizes are compared where pointers have 8 octets")
        return 77
    header = (TOP / "plugin-api.h").read_text()
    version, now = apiheader.version(header), dump(header)
    wrong = check(version, now, TOP / "doc/abi", words)
    print("\n".join(wrong + ["plugin-api.h %d.%d: %d things, %d complaints" % (*version, len(now), len(wrong))]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
