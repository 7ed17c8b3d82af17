"""posternctl COMMAND --help, and completion in the real shells."""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from booted_commands import verbs
from postern import BUILD, PATIENCE, Postern

LOCAL = ("spool check", "spool set-aside", "store copy", "store init", "restore", "completion")
# What is typed before TAB, and what stands there then.
TYPED = {
    "command": ("metri", "metrics"), "local command": ("rest", "restore"), "verb": ("queue rel", "queue release"),
    "verb of two words": ("spool set", "spool set-aside"), "option": ("queue release --y", "queue release --yes"),
    "option of a local command": ("restore x --k", "restore x --keep-config"), "own option": ("--passw", "--password-file"),
    "after an option": ("--json queue bou", "--json queue bounce"), "plugin": ("limi", "limits"),
    "verb of a plugin": ("limits us", "limits usage"), "help": ("help metri", "help metrics"),
    "argument": ("completion fi", "completion fish"),
}


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    daemon = Postern(tmp_path_factory.mktemp("limited"), {"server": {"plugins": "auth sender-rules limits blocking"}})
    yield daemon
    daemon.stop()


def words(daemon, *typed):
    """What posternctl offers; the daemon is asked at the socket of the test."""
    done = subprocess.run([BUILD / "core/daemon/posternctl", "completion", "words", "-s", daemon.place / "control", *typed],
                          capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


def nobody(*arguments):
    """posternctl where no daemon runs."""
    return subprocess.run([BUILD / "core/daemon/posternctl", "-s", "/nonexistent", *arguments], capture_output=True, text=True)


# ---- help ----

def test_every_command_has_a_help(limited):
    """Y-18 COMMAND --help and help COMMAND: the arguments, what it does, and every option, without the daemon."""
    rows = limited.ctl("help", json=True)
    assert {"status", "queue", "backup", "stop", "usage"} <= {row["command"] for row in rows}
    for row in (row for row in rows if row["command"] != "usage"):  # which is plugin limits' own
        done = nobody(row["command"], "--help")
        assert done.returncode == 0, done
        assert "posternctl %s" % " ".join([row["command"], row["arguments"] or ""]).rstrip() in done.stdout
        assert row["what-it-does"] in done.stdout
        assert nobody("help", row["command"]).stdout == done.stdout
        for verb in verbs(row["arguments"] or ""):
            assert nobody(row["command"], verb, "--help").stdout == done.stdout or row["command"] == "spool"
    for command in LOCAL:
        done = nobody(*command.split(), "--help")
        assert done.returncode == 0 and done.stdout.startswith("posternctl %s " % command), done
    assert "--dry-run" in nobody("queue", "--help").stdout and "--hold" in nobody("account", "--help").stdout
    assert "spool check" in nobody("spool", "--help").stdout and "spool adopt" not in nobody("spool", "check", "--help").stdout


def test_help_of_plugins(limited):
    """Y-18 commands of plugins have theirs from the daemon; without one, and of no command, a sentence."""
    said = limited.ctl("limits", "--help")
    assert said.startswith("posternctl limits usage CUSTOMER|LOGIN") and said == limited.ctl("help", "limits")
    assert "forget" not in limited.ctl("blocking", "show", "--help")
    assert 'there is no command "lmits"' in limited.ctl("lmits", "--help", code=1)
    assert "plugins cannot be asked" in nobody("limits", "--help").stderr
    assert limited.ctl("usage", "--help").startswith("posternctl usage CUSTOMER|LOGIN")
    listed = nobody("--help").stdout
    assert "Usage" in listed and "usage CUSTOMER" not in listed
    for row in (row for row in limited.ctl("help", json=True) if row["command"] not in ("usage", "help")):
        assert "\n  %s" % " ".join([row["command"], row["arguments"] or ""]).rstrip() in listed, row
        assert row["what-it-does"] in listed
    assert all("\n  " + command in listed for command in LOCAL)
    assert "--yes" in re.search(r"^  domain .*", listed, re.M)[0] and "--dry-run" in re.search(r"^  restore .*", listed, re.M)[0]


def test_help_reads_no_password(limited):
    """Y-18 --help of a command that asks something does nothing else."""
    before = limited.ctl("export")
    assert "passwd" in limited.ctl("account", "passwd", "user@example.net", "--help")
    assert limited.ctl("export") == before


# ---- words ----

def test_words(limited):
    """Y-18 commands, those of plugins, verbs, and options of the command alone."""
    offered = words(limited, "")
    assert {"status", "backup", "restore", "spool", "store", "help", "limits", "usage", "blocking"} <= set(offered)
    assert words(limited, "usage", "") == []
    assert len(offered) == len(set(offered)) and "auth" not in offered
    assert words(limited, "queue", "") == ["list", "show", "cat", "hold", "release", "retry", "bounce", "remove"]
    assert words(limited, "spool", "") == ["adopt", "check", "set-aside"]
    assert words(limited, "blocking", "") == ["show", "forget"] and words(limited, "queue", "list", "") == []
    assert set(words(limited, "account", "--h")) == {"--hold", "--help"} and "--yes" not in words(limited, "account", "-")
    assert {"--client", "--helo", "--listener"} <= set(words(limited, "explain", "--"))
    assert words(limited, "block", "") == ["list", "show", "add", "lift"]
    assert words(limited, "--config", "") == [] and words(limited, "status", "") == []


def test_words_without_a_daemon():
    """Y-18 without a daemon, and with one that says nothing, there are the commands of the table."""
    done = nobody("completion", "words")  # not the first word: a mistake, which is named
    assert done.returncode == 1 and "bash, zsh or fish" in done.stderr
    done = subprocess.run([BUILD / "core/daemon/posternctl", "completion", "words", "-s", "/nonexistent", "qu"], capture_output=True,
                          text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "queue\n", "")


# ---- shells ----

class Shell:
    """An interactive shell on a terminal, which has loaded the script."""

    def __init__(self, command, daemon, place, prepare):
        (place / "bin").mkdir()
        (place / "bin/posternctl").symlink_to(BUILD / "core/daemon/posternctl")
        self.environment = dict(os.environ, PATH="%s:%s" % (place / "bin", os.environ["PATH"]), HOME=str(place), TERM="dumb",
                                PS1="ready> ", LC_ALL="C.UTF-8")
        self.socket = daemon.place / "control"
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(place)
            os.execvpe(command[0], command, self.environment)
        self.pid, self.seen = pid, ""
        for line in prepare:
            self.write(line + "\n")
        self.write("echo pre''pared\n")
        self.wait("prepared\r?\n")

    def write(self, text):
        os.write(self.fd, text.encode())

    def wait(self, pattern):
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, "waited for %s: %r" % (pattern, self.seen)
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        return re.search(pattern, self.seen)

    def complete(self, typed):
        """The command line behind "posternctl", as it is after TAB: it becomes the argument of echo."""
        self.seen = ""
        self.write("posternctl -s %s %s\t" % (self.socket, typed))
        self.write("\x01echo GOT: \x05 :END\n")
        found = self.wait(r"\nGOT: posternctl -s \S+ (.*?) +:END")
        return found[1]

    def close(self):
        self.write("exit\n")
        os.close(self.fd)
        os.waitpid(self.pid, 0)


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ["bind 'set enable-bracketed-paste off'", "set -o emacs",
                                                        ". <(posternctl completion bash)"]),
    "zsh": (["zsh", "-f", "-i"], ["bindkey -e", "unsetopt zle_bracketed_paste prompt_cr prompt_sp", "autoload -U compinit",
                                  "compinit -u -D", ". <(posternctl completion zsh)"]),
}


@pytest.mark.parametrize("name", SHELLS)
def test_in_a_terminal(limited, tmp_path, name):
    """Y-18 the script, loaded by the shell itself: TAB completes commands, verbs, options, and those of plugins."""
    if not shutil.which(name):
        pytest.skip("needs " + name)
    command, prepare = SHELLS[name]
    shell = Shell(command, limited, tmp_path, prepare)
    try:
        for about, (typed, expected) in TYPED.items():
            assert shell.complete(typed) == expected, about
        (tmp_path / "backup-of-monday").mkdir()
        assert shell.complete("restore backup-of-m").rstrip("/ ") == "restore backup-of-monday"
    finally:
        shell.close()


def test_in_fish(limited, tmp_path):
    """Y-18 the same in fish, which can be asked what it would complete."""
    if not shutil.which("fish"):
        pytest.skip("needs fish")
    (tmp_path / "backup-of-monday").mkdir()
    environment = dict(os.environ, PATH="%s:%s" % (BUILD / "core/daemon", os.environ["PATH"]), HOME=str(tmp_path),
                       XDG_CONFIG_HOME=str(tmp_path), LC_ALL="C.UTF-8")

    def complete(typed):
        done = subprocess.run(["fish", "--no-config", "-c", "posternctl completion fish | source; complete -C 'posternctl -s %s %s'" %
                               (limited.place / "control", typed)], capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0 and not done.stderr, done
        return done.stdout.split()
    for about, (typed, expected) in TYPED.items():
        assert complete(typed) == [expected.split()[-1]], about
    assert complete("restore backup-of-m") == ["backup-of-monday/"]
    assert "limits" in complete("") and "release" in complete("queue ")


def test_scripts_as_installed_files(tmp_path):
    """Y-18 as files where the shells look for them, the way of the manual."""
    for shell in ("bash", "zsh", "fish"):
        done = nobody("completion", shell)
        assert done.returncode == 0 and "posternctl" in done.stdout
    if shutil.which("zsh"):
        (tmp_path / "_posternctl").write_text(nobody("completion", "zsh").stdout)
        done = subprocess.run(["zsh", "-f", "-c", "fpath=(%s $fpath); autoload -U compinit; compinit -u -D; print $_comps[posternctl]" %
                               tmp_path], capture_output=True, text=True)
        assert done.stdout == "_posternctl\n", done
    assert nobody("completion", "tcsh").returncode == 1 and nobody("completion").returncode == 1
