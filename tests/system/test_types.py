"""--json: each value has the type of its column, in the rows of every command that shows something."""
import datetime
import json
import re
import shlex
import socket

import pytest

from control_table import COMMANDS, LOOK, PLUGINS
from postern import LOGIN, PASSWORD

TYPES = {"text": str, "number": (int, float), "percent": (int, float), "boolean": bool, "time": str, "octets": int,
         "duration": (int, float), "list": list}
ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")
# What a string of JSON may not look like, unless its column is one of names.
LIKE_A_VALUE = re.compile(r"-?\d+(\.\d+)?%?|yes|no|true|false|\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*")
NAMES = {"id", "session", "node", "version", "submit-id", "domain", "customer", "text", "base64",
         "before", "after", "name"}  # of a change: the options as they were written
# Null in all rows of this test.
UNSEEN = {("iphelper list", "last"), ("iphelper show", "last"),   # filled by a scan, see test_iphelper.py
          ("iphelper list", "next"), ("iphelper show", "next"),
          ("clients", "deliveries"), ("clients", "destinations")}  # of messages that are being delivered, see test_budgets.py
OPTIONS = {"plugin standing": {}, "plugin limits": {"messages": "100/1h"},
           "plugin bcc-mirror": {"secret": "a secret for the test", "bounce-domain": "copies.example.net"}}


class Asked:
    """A daemon with something in each table."""

    def __init__(self, make_postern):
        self.postern = make_postern({"server": {"plugins": PLUGINS}, **OPTIONS})
        self.place = self.postern.place
        (self.place / "lost").mkdir()
        (self.place / "import.txt").write_text("[customer imported]\nprimary = it@imported.example\n")
        self.postern.ctl("account", "set", LOGIN, "bcc=archive@example.org")
        with self.postern.smtp() as dialog:
            dialog.login(LOGIN, PASSWORD)
            self.id = dialog.mail(recipients=["a@nowhere.example", "b@nowhere.example", "c@nowhere.example", "d@nowhere.example"])
            assert dialog.ask("MAIL FROM:<boss@acme.example>").code == 553
        self.postern.ctl("complaint", "add", LOGIN)
        self.postern.ctl("block", "add", "192.0.2.0/24", "for=1h", "reason=test")
        self.postern.ctl("block", "add", "198.51.100.7", "for=forever", "reason=test")
        self.postern.ctl("queue", "hold", self.id)

    def words(self, command):
        """As it is typed, with arguments for which there are rows."""
        line = {"why": "why %s" % LOGIN, "clients": "clients", "block show": "block show 192.0.2.7"}.get(command, COMMANDS[command][1])
        return shlex.split(line.format(id=self.id, lost=self.place / "lost", backup=self.place / "backup",
                                       **{"import": self.place / "import.txt"}))

    def tables(self, words):
        """What the daemon declares, straight from its socket: [{column: type}] of each table that programs get."""
        asked = socket.socket(socket.AF_UNIX)
        asked.connect(str(self.postern.place / "control"))
        asked.sendall(("%d\n" % len(words) + "".join("%d\n%s" % (len(word.encode()), word) for word in words) + "0\n").encode())
        lines = asked.makefile(encoding="utf-8").read().splitlines()
        tables, shown = [], True
        for line in lines:
            letter, *fields = line.split("\t")
            if letter == "A":
                shown = fields[0] != "people"
            elif letter == "C" and shown:
                tables.append(dict((field.split(":") + ["text"])[:2] for field in fields))
        return tables


def is_of_type(kind, value):
    if kind in ("number", "percent", "octets", "duration") and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[kind]) and (kind != "time" or ZONED.fullmatch(value) is not None)


@pytest.fixture
def asked(make_postern):
    return Asked(make_postern)


READS = [name for name, (need, _) in COMMANDS.items() if need == LOOK] + ["queue cat"]


def test_every_cell_is_of_the_type_of_its_column(asked):
    """Y-22 each column has a type, which its cells have in JSON, or they are null; and no string is a number, a boolean or a time."""
    for words in (["domain", "add", "gone.example", "customer=acme", "mode=hold"],
                  ["iphelper", "add", "gone.example", "host=mx.example.org", "port=2525"],
                  ["recipient", "add", "info@gone.example"]):
        asked.postern.ctl(*words)
    seen, null = set(), set()
    for command in READS:
        words = asked.words(command)
        tables = {frozenset(table): table for table in asked.tables(words)}
        done = asked.postern.ask(*words, "--json")
        assert done.returncode == 0 or command in ("alarms", "doctor"), (command, done)
        for row in json.loads(done.stdout):
            declared = tables.get(frozenset(row), {})
            assert declared or set(row) <= {"text", "base64"}, (command, row)
            for column, value in row.items():
                kind = declared.get(column, "text")
                (null if value is None else seen).add((command, column, kind))
                if kind != "value" and value is not None:
                    assert is_of_type(kind, value), (command, column, kind, value)
                if isinstance(value, str) and column not in NAMES and not (kind == "time" or ZONED.fullmatch(value)):
                    assert not LIKE_A_VALUE.fullmatch(value), (command, column, kind, value)
    # the daemon makes null of what is no value of the column's type, so each column has to be seen with a value
    never = {(command, column) for command, column, kind in null - seen if kind != "text"}
    assert never <= UNSEEN, never - UNSEEN


def test_times_have_their_zone(make_postern, monkeypatch):
    """Y-22 a time is RFC 3339 with the zone of who asks; for people it is local, without it."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    postern = make_postern()
    begun = datetime.datetime.now(datetime.timezone.utc)
    postern.ctl("customer", "add", "late")
    row = postern.ctl("audit", "limit=1", json=True)[0]
    time = datetime.datetime.fromisoformat(row["time"])
    assert row["time"].endswith("+05:30") and abs((time - begun).total_seconds()) < 60
    assert postern.ctl("audit", "limit=1").splitlines()[1].startswith(time.strftime("%Y-%m-%d %H:%M:%S "))


def test_words_in_place_of_values_are_null(asked):
    """Y-22 "forever" and an empty cell are for people; JSON has null."""
    rows = {row["network"]: row for row in asked.postern.ctl("block", "list", json=True)}
    assert rows["198.51.100.7"]["until"] is None and ZONED.fullmatch(rows["192.0.2.0/24"]["until"])
    assert re.search(r"^198\.51\.100\.7 .* forever ", asked.postern.ctl("block", "list"), re.M)


def test_options_have_the_type_of_their_table(asked):
    """Y-22 show and list: booleans, numbers, sizes in octets, durations in seconds, lists."""
    options = asked.postern.options("account", LOGIN)
    assert options["enabled"] == (True, "preset") and options["clear-received"] == (False, "preset")
    assert options["bcc-mirror.bcc"][0] == ["archive@example.org"]
    row = next(row for row in asked.postern.ctl("account", "list", "columns=enabled,bcc-mirror.bcc,on-refusal", json=True)
               if row["account"] == LOGIN)
    assert row == {"account": LOGIN, "enabled": True, "bcc-mirror.bcc": ["archive@example.org"], "on-refusal": "automatic"}
    facts = {row["what"]: row["value"] for row in asked.postern.ctl("queue", "show", asked.id, json=True) if "what" in row}
    assert isinstance(facts["size"], int) and isinstance(facts["attempts"], int) and ZONED.fullmatch(facts["held-since"])


def test_status_for_programs(asked):
    """Y-22 the line for people is a table in JSON; of status --check, too."""
    facts = {row["what"]: row["value"] for row in asked.postern.ctl("status", json=True)}
    assert facts["messages"] >= 1 and facts["spool-open"] is True and facts["free-octets"] > 0 and facts["up"] >= 0
    (row,) = asked.postern.ctl("status", "--check", json=True)
    assert row["health"] == "OK" and row["messages"] == facts["messages"] and row["alarms"] is None
    assert "messages" in asked.postern.ctl("status", "--check")
