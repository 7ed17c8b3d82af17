"""Who may do what at the control socket: operators, support, and everybody else, for every command."""
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from control_table import CHANGE, COMMANDS, ENTRY, LOOK, OWNER, PLUGIN_VERBS, PLUGINS, SECRET, declared_verbs, known_commands
from postern import BUILD, LOGIN, PASSWORD, for_every_user

OPERATORS, SUPPORT, NOBODY = 8, 60, 65534  # mail, games, nogroup of every Debian
OPTIONS = {"plugin standing": {}, "plugin limits": {"messages": "100/1h"}, "plugin bcc-mirror": {"secret": "a secret for the test", "bounce-domain": "copies.example.net"},
           "level standard": {"limits.messages": "77/1h"}}


class Roles:
    """A daemon whose socket others may come to, and posternctl as any user."""

    def __init__(self, make_postern):
        self.place = Path(tempfile.mkdtemp(prefix="roles"))
        self.place.chmod(0o755)
        self.posternctl = for_every_user(BUILD / "core/daemon/posternctl", self.place)
        self.postern = make_postern({"server": {"plugins": PLUGINS, "control": self.place / "control", "control-group": "mail",
                                                "support-group": "games"}, **OPTIONS})
        with self.postern.smtp() as dialog:
            dialog.login(LOGIN, PASSWORD)
            self.id = dialog.mail()
        self.imported = self.place / "import.txt"
        self.imported.write_text("[customer imported]\nprimary = it@imported.example\n")

    def line(self, command):
        return shlex.split(COMMANDS[command][1].format(
            id=self.id, lost=self.place / "lost", backup=self.place / "backup", **{"import": self.imported}))

    def ask(self, words, uid, *groups):
        """posternctl as `uid` with supplementary `groups`."""
        return subprocess.run([self.posternctl, "--socket", self.place / "control", *words],
                              capture_output=True, text=True, input="secret\n", timeout=60, cwd="/", user=uid, group=NOBODY,
                              extra_groups=list(groups), check=False)


@pytest.fixture
def roles(make_postern):
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    return Roles(make_postern)


def test_the_table_has_every_command(roles):
    """Y-21 a new command without a role fails here, and so does a plugin's command whose declaration differs from the table."""
    assert set(COMMANDS) == known_commands(roles.postern) | {"customer", "domain", "account", "recipient"}
    expected = {name: CHANGE if need == CHANGE else LOOK for name, (need, _) in COMMANDS.items()} | PLUGIN_VERBS
    declared = declared_verbs()
    assert declared == {name: expected.get(name) for name in declared}
    assert set(PLUGIN_VERBS) <= set(declared)


def test_every_command_by_every_role(roles):
    """Y-21 support looks and no more; operators may everything, which leaves records with their name; strangers may nothing."""
    who = "nobody"
    for command, (need, _) in COMMANDS.items():
        words = roles.line(command)
        if need == OWNER:
            continue
        stranger = roles.ask(words, NOBODY)
        assert "may not give commands" in stranger.stderr and not stranger.stdout, (command, stranger)
        support = roles.ask(words, NOBODY, SUPPORT)
        refusal = 'nobody may not run "%s' % command
        if need == LOOK:
            assert "may not" not in support.stderr, (command, support)
        else:
            assert support.returncode == 1 and refusal in support.stderr and not support.stdout, (command, support)
            assert "control-group" in support.stderr
        before = roles.postern.ctl("audit", "limit=1000", json=True)
        operator = roles.ask(words, NOBODY, OPERATORS, SUPPORT)
        assert "may not" not in operator.stderr, (command, operator)
        if need in (ENTRY, CHANGE) and command not in ("spool adopt",):
            assert operator.returncode == 0, (command, operator)
        if command == "stop":
            roles.postern.process.wait(60)
            roles.postern.start()
        rows = roles.postern.ctl("audit", "limit=1000", json=True)
        new = rows[:len(rows) - len(before)]
        if need in (LOOK, SECRET):
            assert not new, (command, new)
        else:
            assert new and all((row["who"], row["command"]) == (who, command) for row in new), (command, new)
            assert all((row["kind"] is not None) == (need == ENTRY) for row in new) or command.startswith("iphelper"), (command, new)


def test_all_secrets_are_for_root_and_the_daemons_user(roles):
    """Y-17 Y-21 a backup has password hashes and secrets: no group may ask for it, and who did is on record."""
    for command, (need, _) in COMMANDS.items():
        if need != OWNER:
            continue
        for groups in ([], [SUPPORT], [OPERATORS], [OPERATORS, SUPPORT]):
            done = roles.ask(roles.line(command), NOBODY, *groups)
            assert done.returncode == 1 and "may" in done.stderr and not done.stdout, (command, done)
        assert roles.ask([*roles.line(command)], 0).returncode == 0
        row = roles.postern.ctl("audit", "limit=1", json=True)[0]
        assert (row["who"], row["command"]) == ("root", command)


def test_support_sees_no_secret(roles):
    """Y-21 nothing that support may run has a password hash or a secret of the configuration in it."""
    for command, (need, _) in COMMANDS.items():
        if need != LOOK:
            continue
        for more in ([], ["--json"]):
            done = roles.ask([*roles.line(command), *more], NOBODY, SUPPORT)
            assert "$6$" not in done.stdout and "$y$" not in done.stdout, command
            assert "a secret for the test" not in done.stdout + done.stderr, command
    hashes = roles.ask(["export"], NOBODY, OPERATORS)
    assert "password = $" in hashes.stdout


def test_the_primary_group_counts_too_and_root_needs_none(roles):
    """Y-21 a role by the primary group; root and the daemon's user are operators."""
    done = subprocess.run([roles.posternctl, "--socket", roles.place / "control", "customer", "add", "x"],
                          capture_output=True, text=True, user=NOBODY, group=SUPPORT, extra_groups=[], check=False)
    assert "may not run" in done.stderr
    assert roles.ask(["customer", "add", "y"], 0).returncode == 0


CLAIM = """import socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect(sys.argv[1])
words = sys.argv[2:]
asked.sendall(("%d\\n" % len(words) + "".join("%d\\n%s" % (len(word), word) for word in words) + "0\\n").encode())
print(asked.makefile().read())"""


def claim(roles, uid, *groups):
    """Sets an option with a request that names a login user; the record."""
    done = subprocess.run(["/usr/bin/python3", "-c", CLAIM, roles.place / "control", "customer", "set", "acme",
                           "alert=by%d@acme.example" % uid, "--login-user=mallory"], capture_output=True, text=True, user=uid,
                          group=NOBODY, extra_groups=list(groups), check=True, cwd="/")
    assert "set." in done.stdout, done
    return roles.postern.ctl("audit", "limit=1", json=True)[0]


def test_only_root_is_believed_who_logged_in(roles):
    """Y-20 the kernel says who asks; that somebody else became this user is believed of root alone, who could say anything."""
    row = claim(roles, NOBODY, OPERATORS)
    assert (row["who"], row["login"]) == ("nobody", None)
    row = claim(roles, 0)
    assert (row["who"], row["login"]) == ("root", "mallory")


def test_unknown_support_group_prevents_the_start(make_postern, tmp_path):
    """A support-group that does not exist is named by posternd -t and by the start."""
    postern = make_postern()
    postern.change({"server": {"support-group": "nosuch"}})
    done = subprocess.run([BUILD / "core/daemon/posternd", "-t", "-c", postern.config], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "[server] support-group: there is no group \"nosuch\"" in done.stdout + done.stderr
