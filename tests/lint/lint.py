#!/usr/bin/python3
"""lint - the rules of the design that a script can prove: floors, sizes, banned calls, writable globals, options
against the manual, symbols of plugins, the catalogue of behaviours, the tests of doc/compat.md, the mistakes of tests/mutants.  Run by make check; prints each breach with file and line."""
import os
import re
import subprocess
import sys
import tomllib

import compat
import names

TOP = os.environ.get("TOP_SRCDIR", ".")
BUILD = os.environ.get("TOP_BUILDDIR", TOP)
FLOORS = {"base": 0, "proto": 1, "io": 1, "sandbox": 1, "service": 2, "mail": 3, "engine": 4, "host": 5, "daemon": 6}
# beside the order of the floors: what a floor must not know, though it lies below or beside
FORBIDDEN = {"proto": {"io"}, "io": {"proto"}}
BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "gets", "alloca", "system", "popen", "tmpnam", "strtok", "rand"]
GUESSABLE = ["g_random_int", "g_random_int_range", "g_uuid_string_random", "random"]  # base/random.h is not
FILE_MAX, FUNCTION_MAX, LINE_MAX, TEST_LINE_MAX = 600, 80, 115, 145  # tables of cases and remarks are wider
SHARED = {"mime", "list-health"}  # folders of plugins/ that are no plugins: source that several of them are made of
WRITABLE = {"core/base/activity.c", "core/base/keyed-hash.c", "core/base/log.c", "core/host/module.c"}  # and core/daemon/: see ARCHITECTURE.md
# Hash functions that everybody can compute, and where they may stand: the keys there are not a peer's to choose.
PUBLIC_HASHES = r"\b(g_str_hash|5381)\b"
PUBLIC_HASHES_IN = {
    "core/host/module.c": "names of plugins in the configuration",
    "core/service/config-check.c": "sections and options of the configuration file",
}
# Where core/ may have a text with the name of a plugin, and why; see doc/decisions/2026-11-29-plugins-and-core.md.
PLUGIN_NAMES_IN = {
    "core/daemon/options.c": "the default of [server] plugins, the option auth of a listener, and a sentence of the manual",
    "core/daemon/settings.c": "the option auth of a listener",
    "core/daemon/check-config.c": "the option auth of a listener",
    "core/daemon/control-doctor.c": "limits of the process, a check of posternctl doctor",
    "core/daemon/command-table.h": "complaint, until plugin standing declares it as a short word",
    "core/daemon/receivers.c": "the address of plugin standing, until it declares what that means",
    "core/engine/cmd-auth.c": "auth.succeeded, a metric of the SMTP command",
    "core/engine/stage.c": "auth, a stage",
    "core/host/api-session.c": "listener.auth, a fact",
    "core/host/api-edit.c": "auth, a stage",
}
breaches = []


def breach(path, line, text):
    breaches.append(f"{os.path.relpath(path, TOP)}:{line}: {text}")


def sources(*folders):
    for folder in folders:
        for base, _, names in os.walk(os.path.join(TOP, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    path = os.path.join(base, name)
                    with open(path, encoding="utf-8") as file:
                        yield path, file.read().split("\n")


def without_comments_and_texts(lines):
    text = "\n".join(lines)
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))  # noqa: E731
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S).split("\n")


def check_floors():
    for path, lines in sources("core"):
        floor = os.path.relpath(path, os.path.join(TOP, "core")).split(os.sep)[0]
        for number, line in enumerate(lines, 1):
            match = re.match(r'#include "([a-z]+)/', line)
            if not match or match.group(1) not in FLOORS:
                continue
            other = match.group(1)
            if FLOORS[other] > FLOORS[floor] or other in FORBIDDEN.get(floor, set()) or \
                    (FLOORS[other] == FLOORS[floor] and other != floor):
                breach(path, number, f"{floor} must not include {other}")
    for path, lines in sources("plugins"):
        for number, line in enumerate(lines, 1):
            match = re.match(r'#include "([^"]+)"', line)
            own = os.path.exists(os.path.join(os.path.dirname(path), match.group(1))) if match else True
            folders = SHARED | {os.path.basename(os.path.dirname(path))}
            shared = match and re.match(r"plugins/([a-z-]+)/", match.group(1))
            own = own or bool(shared and shared.group(1) in folders)
            if not own and match.group(1) not in ("plugin-api.h", "plugin-test.h", "unit/unit.h"):
                breach(path, number, "a plugin includes plugin-api.h and its own files, nothing else of ours")


def check_sizes():
    for path, lines in sources("core", "plugins", "tests", "examples"):
        if len(lines) - 1 > FILE_MAX:
            breach(path, len(lines) - 1, f"more than {FILE_MAX} lines: a second idea?")
        opened = 0
        for number, line in enumerate(lines, 1):
            code = re.sub(r"\s*(/\*.*|\*/.*)$|^\s*\*.*$", "", line)  # a remark behind the code may reach further
            is_test = f"{os.sep}test" in path[len(TOP):]
            width = len(line.expandtabs(4))
            if width > TEST_LINE_MAX or (not is_test and len(code.expandtabs(4)) > LINE_MAX):
                breach(path, number, f"{width} columns")
            if line == "{":
                opened = number
            elif line == "}" and opened:
                if number - opened > FUNCTION_MAX:
                    breach(path, opened, f"a function of {number - opened} lines")
                opened = 0


def check_calls():
    for path, lines in sources("core", "plugins", "tests", "examples"):
        banned = BANNED + (GUESSABLE if "/tests/" not in path else [])
        pattern = re.compile(r"(?<![A-Za-z0-9_.>])(" + "|".join(banned) + r")\s*\(")
        for number, line in enumerate(without_comments_and_texts(lines), 1):
            match = pattern.search(line)
            if match:
                breach(path, number, f"{match.group(1)}() is banned")
            if re.search(r"(?<![A-Za-z0-9_])goto\s", line):
                breach(path, number, "no goto")


def check_hashes():
    """Tables whose keys a peer can choose are keyed: base/keyed-hash.h, in plugins ptn_hash()."""
    pattern, used = re.compile(PUBLIC_HASHES), set()
    for path, lines in sources("core", "plugins", "examples", "skeleton"):
        name = os.path.relpath(path, TOP)
        if os.path.basename(path).startswith("test-"):
            continue
        for number, line in enumerate(without_comments_and_texts(lines), 1):
            match = pattern.search(line)
            used.update({name} if match else ())
            if match and name not in PUBLIC_HASHES_IN:
                breach(path, number, f"{match.group(1)}: a peer that chooses the keys can make them collide; use a keyed hash")
    for name in sorted(PUBLIC_HASHES_IN.keys() - used):
        breach(os.path.join(TOP, name), 1, "has no public hash function: take it out of PUBLIC_HASHES_IN")


def check_writable():
    """Invariant 10: writable globals only in base/log.c, the table of what the linker holds, and daemon/."""
    for path, lines in sources("core"):
        name = os.path.relpath(path, TOP)
        if name in WRITABLE or name.startswith("core/daemon/") or path.endswith(".h"):
            continue
        depth = 0
        for number, line in enumerate(without_comments_and_texts(lines), 1):
            if re.match(r"\s*static (?!const|inline|_Thread_local)", line) and "(" not in line and \
                    not re.search(r"\bconst\b", line) and re.search(r"[;=\[]", line) and not line.strip().endswith(")"):
                breach(path, number, "a writable global")
            depth += line.count("{") - line.count("}")


def check_manual():
    """Every option of the core stands in the manual as --print-options prints it, and the sample names only such."""
    daemon = os.path.join(BUILD, "core/daemon/posternd")
    if not os.path.exists(daemon):
        return
    rows = subprocess.run([daemon, "--print-options"], capture_output=True, text=True, check=True).stdout
    manual = os.path.join(TOP, "doc/postern.conf.5.md")
    with open(manual, encoding="utf-8") as file:
        text = file.read()
    for block in filter(None, rows.strip().split("\n\n")):
        if block not in text:
            breach(manual, 1, f"does not say as the daemon does (posternd --print-options): {block.splitlines()[0]}")
    known = set(re.findall(r"^\*\*([a-z0-9-]+)\*\* \(", rows, re.M))
    told = re.findall(r"^\*\*([a-z0-9-]+)\*\* \(", text, re.M)
    for name in sorted(set(told) - known):
        breach(manual, 1, f"tells of an option that does not exist: {name}")


def check_limits():
    """The manual page of limits has every option of [clients] and [accounts], and says each default as the daemon does."""
    daemon = os.path.join(BUILD, "core/daemon/posternd")
    page = os.path.join(TOP, "doc/postern-limits.7.md")
    if not os.path.exists(daemon):
        return
    rows = subprocess.run([daemon, "--print-options"], capture_output=True, text=True, check=True).stdout
    section, presets = "", {}
    for line in rows.splitlines():
        section = line[4:-1].split(" ")[0] if line.startswith("## [") else section
        match = re.match(r"\*\*([a-z0-9-]+)\*\* \(.*?(?:default `(.*)`|(not set|required))\)$", line)
        if match:
            presets[f"[{section}] {match.group(1)}"] = match.group(3) if match.group(2) is None else match.group(2)
    with open(page, encoding="utf-8") as file:
        shown = {name: value for name, value in re.findall(r"\*\*(\[[a-z]+\] [a-z0-9-]+)\*\*[\s]\(`?([^)`]+)`?\)", file.read())}
    for name, value in sorted(shown.items()):
        if presets.get(name) is None:
            breach(page, 1, f"tells of an option that does not exist: {name}")
        elif value != (presets[name] or "not set"):
            breach(page, 1, f"{name} has the default {presets[name]}, not {value}")
    for name in sorted(presets.keys() - shown.keys()):
        if name.startswith(("[clients]", "[accounts]")):
            breach(page, 1, f"does not tell of {name}")


def check_alarms():
    """The manual page of alarms has each alarm, log event and counter of the source, and no other."""
    page = os.path.join(TOP, "doc/postern-alarms.7.md")
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for path, line, what in names.compare(sources("core", "plugins"), text):
        breach(path or page, line, what)


def plugin_sources():
    """(source, manual) of each plugin, those out of tree, too."""
    for name in sorted(os.listdir(os.path.join(TOP, "plugins"))):
        folder = os.path.join(TOP, "plugins", name)
        if os.path.isdir(folder) and name not in SHARED:
            yield os.path.join(folder, f"{name}.c"), os.path.join(folder, f"{name}.md")
    for path, lines in sources("examples"):
        if any(line.startswith("PTN_PLUGIN(") for line in lines):
            yield path, path[:-2] + ".md"


def check_plugin_manuals():
    for path, manual in plugin_sources():
        text = open(manual, encoding="utf-8").read() if os.path.exists(manual) else ""
        with open(path, encoding="utf-8") as file:
            source = file.read()
        table = re.search(r"PtnOption options\[\] = \{(.*?)\n\};", source, re.S)
        rows = table.group(1) if table else ""
        for option in re.findall(r'^\t\{ "([a-z0-9-]+)",', rows, re.M):
            if f"**{option}**" not in text:
                breach(manual, 1, f"does not tell of option {option}")
        check_list_manuals(source, manual, text)


def check_list_manuals(source, manual, text):
    """Each list that has a default says what becomes of the default when something is written."""
    for name, preset in re.findall(r'^\t\{ "([a-z0-9-]+)", PTN_\w+ \| PTN_LIST, \w+,\s+("[^"]*"|\w+)', source, re.M):
        entry = re.search(rf"^\*\*{name}\*\*.*?(?=^\*\*|^#|\Z)", text, re.M | re.S)
        if preset not in ('""', "NULL") and not (entry and re.search(r"replaces\s+the\s+default|adds\s+to", entry.group(0))):
            breach(manual, 1, f"does not say whether what is written in {name} replaces its default or adds to it")


def check_symbols():
    """A plugin needs no symbol of ours that plugin-api.h does not declare; the daemon shows no other."""
    with open(os.path.join(TOP, "plugin-api.h"), encoding="utf-8") as file:
        declared = set(re.findall(r"\b(ptn_[a-z_0-9]+)\(", file.read()))
    daemon = os.path.join(BUILD, "core/daemon/posternd")
    shown = subprocess.run(["nm", "-D", "--defined-only", daemon], capture_output=True, text=True, check=False).stdout
    names = {line.split()[-1] for line in shown.splitlines() if line} if os.path.exists(daemon) else set()
    ours = {name for name in names if name.startswith("ptn_") and not name.startswith("ptn_plugin_")}
    for name in sorted(ours - declared):
        breach(daemon, 0, f"shows {name}, which plugin-api.h does not declare")
    for name in sorted(declared - ours if ours else set()):
        breach(daemon, 0, f"lacks {name}, which plugin-api.h declares")
    for base, _, files in os.walk(os.path.join(BUILD, "plugins")):
        for name in filter(lambda name: name.endswith(".so"), files):
            path = os.path.join(base, name)
            needed = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=True).stdout
            for symbol in (line.split()[-1].split("@")[0] for line in needed.splitlines()):
                if symbol.startswith("ptn_") and symbol not in declared:
                    breach(path, 0, f"needs {symbol}")


def check_linked():
    """No global symbol stands in two folders of plugins: the sanitized builds link all of them into the daemon."""
    folders = {}
    for base, _, files in os.walk(os.path.join(BUILD, "plugins")):
        for name in filter(lambda name: name.endswith(".o") and os.path.basename(base) == ".libs", files):
            shown = subprocess.run(["nm", "-g", "--defined-only", os.path.join(base, name)], capture_output=True, text=True, check=True)
            for line in shown.stdout.splitlines():
                folders.setdefault(line.split()[-1], set()).add(os.path.relpath(os.path.dirname(base), BUILD))
    for symbol, found in sorted(folders.items()):
        if len(found) > 1:
            breach(os.path.join(TOP, sorted(found)[0]), 0, f"{symbol} stands in {sorted(found)[1]}, too")


def texts(lines):
    """(number, text) of the string literals of a source, without those in comments."""
    text = re.sub(r"/\*.*?\*/", lambda match: re.sub(r"[^\n]", " ", match.group(0)), "\n".join(lines), flags=re.S)
    for number, line in enumerate(text.split("\n"), 1):
        for found in re.findall(r'"((?:\\.|[^"\\])*)"', line):
            yield number, found


def check_plugin_names():
    """The core knows no plugin by its name: what it needs to know, the plugin declares in its PtnPlugin."""
    folders = [name for name in sorted(os.listdir(os.path.join(TOP, "plugins")))
               if os.path.isdir(os.path.join(TOP, "plugins", name)) and name not in SHARED]
    pattern, used = re.compile(rf"(?<![\w-])({'|'.join(folders)})(?![\w-])"), set()
    for path, lines in sources("core"):
        name = os.path.relpath(path, TOP)
        for number, text in texts(lines):
            match = pattern.search(text) if not text.endswith((".h", ".c")) else None
            used.update({name} if match else ())
            if match and name not in PLUGIN_NAMES_IN:
                breach(path, number, f"names plugin {match.group(1)}: what the core must know of it is a field of PtnPlugin")
    for name in sorted(PLUGIN_NAMES_IN.keys() - used):
        breach(os.path.join(TOP, name), 1, "has no name of a plugin: take it out of PLUGIN_NAMES_IN")


def check_commands():
    """The table of commands has no second copy: no other table or list of their words in core/."""
    with open(os.path.join(TOP, "core/daemon/command-table.h"), encoding="utf-8") as file:
        words = set(re.findall(r'^OF_[A-Z]+\(\w+,\s+"([a-z-]+)[" ]', file.read(), re.M))
    kinds = {"customer", "domain", "account", "recipient"}  # of entries
    word = "|".join(sorted(words - kinds))
    for path, lines in sources("core"):
        if path.endswith("core/daemon/options.c"):  # sections and options of the configuration
            continue
        code = "\n".join(lines)
        if len(set(re.findall(rf'\{{\s*"({word})"', code))) > 3 or re.search(rf'(?:"(?:{word})",\s*){{4}}', code):
            breach(path, 1, "a second table of commands: add a column to core/daemon/command-table.h")


def check_stages():
    """The table of stages is whole, says who calls each of them, and has no second copy."""
    table = os.path.join(TOP, "core/engine/stage.c")
    with open(table, encoding="utf-8") as file:
        rows = re.findall(r'^\t\{ (PTN_[A-Z]+), "([a-z]+)", .*?"([a-z-]+/[a-z-]+\.c)" \},', file.read(), re.M | re.S)
    with open(os.path.join(TOP, "plugin-api.h"), encoding="utf-8") as file:
        declared = re.search(r"typedef enum \{(.*?)\} PtnStage;", file.read(), re.S).group(1)
    declared = re.findall(r"^\s*(PTN_[A-Z]+)\b", re.sub(r"/\*.*?\*/", "", declared, flags=re.S), re.M)
    if sorted(declared) != sorted(stage for stage, _, _ in rows):
        breach(table, 1, f"does not have each stage of plugin-api.h once: {set(declared) ^ {stage for stage, _, _ in rows}}")
    for stage, _, caller in rows:
        with open(os.path.join(TOP, "core", caller), encoding="utf-8") as file:
            if stage not in file.read():
                breach(table, 1, f"{stage} is not called by {caller}")
    stage = "(?:" + "|".join(declared) + ")"
    copies = [rf"(?:\[{stage}\] = [^\n]*\s+){{3}}", rf"(?:{stage},\s*){{4}}", rf"(?:[!=]= {stage}\b[^;]*?){{3}}"]
    for path, lines in sources("core"):
        if path != table and any(re.search(copy, "\n".join(without_comments_and_texts(lines))) for copy in copies):
            breach(path, 1, "a second table of stages: add a flag or a column to core/engine/stage.c")
    guide = os.path.join(TOP, "doc/plugin-guide.md")
    with open(guide, encoding="utf-8") as file:
        told = re.findall(r"^\| `(PTN_[A-Z]+)` \| ([a-z]+) \|", file.read(), re.M)
    if told != [(stage, name) for stage, name, _ in rows]:
        breach(guide, 1, "the table of stages is not that of core/engine/stage.c")


def check_behaviours():
    """Tests name lines of the catalogue that exist, each line of the catalogue is named by a test, and a number stands for one line
    for ever: none stands twice, and one that is retired does not come back."""
    catalogue = os.path.join(TOP, "doc/behaviours.md")
    known, retired = {}, set()
    with open(catalogue, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = re.match(r"- \*\*([A-Z]-[0-9]{2})\*\* (.*)", line)
            if match and match.group(1) in known:
                breach(catalogue, number, f"{match.group(1)} stands in line {known[match.group(1)]}, too")
            elif match:
                known[match.group(1)] = number
            elif re.match(r"\s*[-*] *\**[A-Z]{1,2}-[0-9]+\b", line):
                breach(catalogue, number, "a behaviour is a line \"- **K-02** text\", with a letter and two digits")
            if match and not re.search(r"\S", match.group(2)):
                breach(catalogue, number, f"{match.group(1)} says nothing")
            if line.startswith("Retired ids:"):
                retired.update(re.findall(r"\b[A-Z]-[0-9]{2}\b", line))
    for behaviour in sorted(retired & known.keys()):
        breach(catalogue, known[behaviour], f"{behaviour} is retired: a new behaviour takes a new number")
    letters = "".join(sorted({name[0] for name in known}))
    named = set()
    for folder in ("tests", "plugins", "examples", "tools"):
        for base, _, names in os.walk(os.path.join(TOP, folder)):
            for name in (name for name in names if "test" in base + name and name.endswith((".c", ".h", ".py", ".rpl"))):
                path = os.path.join(base, name)
                with open(path, encoding="utf-8") as file:
                    for number, line in enumerate(file, 1):
                        found = re.findall(rf"(?<![\w-])([{letters}]-[0-9]{{2}})(?![\w-])", line)
                        named.update(found)
                        for behaviour in set(found) - known.keys():
                            what = "is retired" if behaviour in retired else "is not in doc/behaviours.md"
                            breach(path, number, f"{behaviour} {what}")
    for behaviour in sorted(known.keys() - named):
        breach(catalogue, known[behaviour], f"{behaviour} is named by no test")


def check_mutants():
    """Each mistake that tools/mutate plants: its text stands once in its file."""
    folder = os.path.join(TOP, "tests/mutants")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            mutants = tomllib.load(file)["mutant"]
        for mutant in mutants:
            with open(os.path.join(TOP, mutant["file"]), encoding="utf-8") as file:
                n = file.read().count(mutant["find"])
            if n != 1:
                breach(os.path.join(folder, name), 1, f"{mutant['name']}: {mutant['file']} has its text {n} times")


def check_compat():
    """Each test that doc/compat.md names exists."""
    path = os.path.join(TOP, "doc/compat.md")
    with open(path, encoding="utf-8") as file:
        for line, text in compat.check(file.read(), compat.files_of(TOP)):
            breach(path, line, text)


def main():
    for check in (check_floors, check_sizes, check_calls, check_hashes, check_writable, check_manual, check_limits, check_alarms, check_plugin_manuals, check_symbols, check_linked,
                  check_plugin_names, check_commands, check_stages, check_behaviours, check_compat, check_mutants):
        check()
    print("\n".join(breaches))
    print(f"{len(breaches)} breaches")
    return 1 if breaches else 0


sys.exit(main())
