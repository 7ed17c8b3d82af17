"""What posternctl can do, from its own tables, and what the manuals show of it: for test_booted.py."""
import json
import re

from postern import SOURCE


def verbs(arguments):
    """Of a table's column "arguments": "add NAME | list [for=TIME|forever]" has add and list."""
    plain = re.sub(r"\[[^\]=]*=[^\]]*\]|--[a-z-]+", " ", arguments)
    return re.findall(r"(?<![A-Za-z-])[a-z]+(?:-[a-z]+)*(?![A-Za-z-])", plain)


def daemon_commands(machine):
    """ "queue hold", "status", …: those of the daemon, by its `help`."""
    found = set()
    for row in json.loads(machine.run("posternctl help --json").out):
        arguments = row["arguments"] or ""
        mine = verbs(arguments)
        found.update("%s %s" % (row["command"], verb) for verb in mine)
        if not mine or arguments.startswith("["):
            found.add(row["command"])
    return found


def local_commands(machine):
    """Those that posternctl carries out itself, and so the daemon does not know: by its --help."""
    found = set()
    for line in re.findall(r"^  (\S.*?)(?:  +|$)", machine.run("posternctl --help").out, re.M):
        for one in line.split(", "):
            words = re.match(r"((?:spool|store) [a-z-]+|backup|restore|completion)", one)
            found.update({words[1]} if words else ())
    return found


def plugin_commands(machine, plugins):
    """ "limits usage", …: those of each plugin, by `posternctl PLUGIN`."""
    found = set()
    for plugin in plugins:
        found.update(re.findall(r"^  (%s [a-z-]+) " % plugin, machine.run("posternctl " + plugin, code=1).err, re.M))
    return found


def examples():
    """Command lines in the manuals: lines of their code, and words in bold that are a whole command with an option=value."""
    found = []
    pages = [*SOURCE.glob("doc/*.md"), *SOURCE.glob("plugins/*/*.md"), *SOURCE.glob("examples/*/*.md"), SOURCE / "README.md"]
    for page in sorted(pages):
        if page.name in ("install.md", "certificates.md", "backup.md", "plugin-guide.md"):  # carried out by tests of their own, as a whole
            continue
        text = page.read_text()
        lines = re.findall(r"^    ((?:postern(?:ctl|d)) .*)$", text, re.M)
        lines += re.findall(r"^(postern(?:ctl|d) .*)$", "".join(re.findall(r"^```.*?^```", text, re.M | re.S)), re.M)
        lines += [line for line in re.findall(r"\*\*(posternctl [^*]*)\*\*", text) if re.search(r" [a-z-]+\S*=\S+", line)]
        found += [(page.relative_to(SOURCE), " ".join(line.split())) for line in lines]
    return found
