#!/usr/bin/python3
"""complaints.py [ACCOUNTS] - what it costs to find whose message a complaint is about, in a directory of that many accounts
(100000).  Run in the build folder.  Right and wrong tags; processor time of the whole process of posternd."""
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).absolute().parent))
from helpers import cpu, memory, say  # noqa: E402
from postern import Postern, Sink  # noqa: E402


def fill(gate, accounts):
    db = sqlite3.connect(gate.place / "directory.db")
    version = db.execute("SELECT number FROM meta WHERE name = 'version'").fetchone()[0]
    db.executemany("INSERT INTO items VALUES (?, 'customer=acme\ntype=single\n', ?, %d)" % (2**63 - 1),
                   (("directory/account/a%06d@example.net" % i, version + i + 1) for i in range(accounts)))
    db.execute("UPDATE meta SET number = ? WHERE name = 'version'", (version + accounts + 1,))
    db.commit()
    db.close()


def measure(gate, what, submit, tag, code):
    times, before = [], cpu(gate)
    for _ in range(5):
        begun = time.monotonic()
        gate.ctl("complaint", "add", submit, tag, code=code)
        times.append(time.monotonic() - begun)
    say("%s: %.3f to %.3f s, %.3f s of processor time each, memory %s MiB"
        % (what, min(times), max(times), (cpu(gate) - before) / 5, memory(gate)))


def main():
    accounts = int((sys.argv[1:] + ["100000"])[0])
    with tempfile.TemporaryDirectory() as place:
        sink = Sink()
        gate = Postern(Path(place) / "gate", {"server": {"plugins": "auth standing"}, "log": {"level": "warning"},
                                              "plugin standing": {"secret": "0123456789abcdef", "complaints": "off"}}, sink=sink)
        try:
            gate.send()
            message, = sink.wait()
            submit, = message.header("X-Postern-Submit")
            tag, = message.header("X-Postern-Account")
            gate.stop()
            fill(gate, accounts)
            gate.start()
            measure(gate, "the last of %d accounts" % accounts, submit.split()[-1], tag, 0)  # user@ is behind all of a…@
            measure(gate, "a forged tag", submit.split()[-1], "0" * 36, 1)
        finally:
            gate.stop()
            sink.close()


if __name__ == "__main__":
    main()
