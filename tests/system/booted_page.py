"""Pages of the manual that say how to install and run Postern: their blocks, carried out on a booted machine.

Languages of blocks: `sh` runs on the machine (`sh may-fail`: it may end as it likes), `sh build` is about the source tree
and is carried out by Build, `sh certbot` needs the Internet and is replaced by the test, `conf PATH` and `ini PATH` are files."""
import os
import re
import subprocess

from booted import Impossible
from kit import blocks
from postern import BUILD, SOURCE

ASKS = {r"posternctl account add": 2, r"curl.* --user": 1}  # how often a command asks for a password


def configure_words(page):
    """The words behind ./configure in a page."""
    return re.search(r"^ *(?:.*&& )?\./configure((?: --\S+)+)", (SOURCE / page).read_text(), re.M)[1].split()


class Build:
    """Postern built with the prefixes of the page: in the build directory if it has them, else in one below it."""

    def __init__(self):
        words = configure_words("doc/install.md")
        assert configure_words("README.md") == words
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        self.folder = BUILD
        if not self.has(words):
            self.folder = BUILD / "documented"
            self.folder.mkdir(exist_ok=True)
            if not self.has(words):
                if (SOURCE / "config.status").exists():
                    raise Impossible("the source tree is configured with other prefixes than doc/install.md has")
                self.run(SOURCE / "configure", "--quiet", *words)
        self.run("make", "--quiet", "-j%d" % len(os.sched_getaffinity(0)))

    def has(self, words):
        status = self.folder / "config.status"
        return status.exists() and set(words) <= set(
            subprocess.run([status, "--config"], capture_output=True, text=True, check=True).stdout.replace("'", "").split())

    def run(self, *words):
        done = subprocess.run(words, cwd=self.folder, env=self.environment, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, "%s ended with %d:\n%s" % (words, done.returncode, done.stdout[-3000:])
        return done.stdout

    def install(self, machine):
        """make install on the running machine."""
        return self.run("make", "--quiet", "install", "DESTDIR=/proc/%d/root" % machine.init)


class Page:
    """Carries out the sections of a page one by one: `run()`; `password` is typed wherever one is asked for."""

    def __init__(self, machine, build, path, password="mypassword"):
        self.machine, self.build, self.password = machine, build, password
        text = (SOURCE / path).read_text()
        self.sections = {part.partition("\n")[0]: part for part in re.split(r"^## (?:\d+\. )?", text, flags=re.M)[1:]}
        self.said = {}  # by section: all output

    def run(self, section, instead=None):
        """`instead(language, rest, inner)` may return the output of a block that is carried out otherwise."""
        said = ""
        for language, rest, inner in blocks(self.sections[section]):
            told = instead(language, rest, inner) if instead else None
            said += told if told is not None else self.block(language, rest, inner)
        self.said[section] = said
        return said

    def block(self, language, rest, inner):
        if language in ("conf", "ini"):
            if rest:
                self.machine.put(rest, inner)
            return ""
        if rest == "build":
            return self.build.install(self.machine)
        assert language == "sh" and rest in ("", "may-fail"), (language, rest)
        return "".join(self.command(each, rest) for each in re.split(r"\n(?! )", inner.replace("\\\n", " ").strip()))

    def command(self, text, rest):
        asked = next((n for pattern, n in ASKS.items() if re.match(pattern, text)), 0)
        if asked:
            return self.machine.type(text, [self.password] * asked)
        return self.machine.run(text, code=None if rest == "may-fail" else 0).out
