#!/usr/bin/python3
"""helpers.py [DOMAINS [HELPERS]] - what IP address helpers cost one node: start, memory, and the processor time of scans.

Run in the build folder.  A posternd with a directory of that many domains (100000, 10000) and an nsd that answers for all
hosts.  Figures are of the whole process of posternd, with the idle time of the same length taken off."""
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "system"))
from postern import Postern, free_port, wait_until  # noqa: E402
from test_iphelper import NameServer  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


def cpu(gate):
    fields = Path("/proc/%d/stat" % gate.process.pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(gate):
    status = Path("/proc/%d/status" % gate.process.pid).read_text()
    return {line.split(":")[0]: int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith(("VmRSS", "VmHWM"))}


def fill(gate, domains, helpers):
    """Straight into the file: that many changes by posternctl are that many syncs."""
    db = sqlite3.connect(gate.place / "directory.db")
    version = db.execute("SELECT number FROM meta WHERE name = 'version'").fetchone()[0]
    plain = "customer=acme\ndestination=1.2.3.4\nmode=redirect\nport=2525\n"
    helper = "customer=acme\ndestination=1.2.3.4\niphelper.host=h%d.dyn.example\niphelper.port=2525\nmode=redirect\nport=2525\n"
    db.executemany("INSERT INTO items VALUES (?, ?, ?, %d)" % (2**63 - 1),
                   (("directory/domain/d%06d.example" % i, helper % i if i < helpers else plain, version + i + 1)
                    for i in range(domains)))
    db.execute("UPDATE meta SET number = ? WHERE name = 'version'", (version + domains + 1,))
    db.commit()
    db.close()


def start(gate):
    begun = time.monotonic()
    gate.start()
    return time.monotonic() - begun


def states(gate):
    """How many helpers have been checked since the file was written last."""
    return sum(1 for row in gate.ctl("iphelper", "list", json=True) if row["last"] is not None)


def spent(gate, seconds):
    before = cpu(gate)
    time.sleep(seconds)
    return cpu(gate) - before


def say(text):
    print(text, flush=True)


def main():
    domains, helpers = (int(word) for word in (sys.argv[1:] + ["100000", "10000"][len(sys.argv) - 1:])[:2])
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        names = NameServer(place / "names", free_port(), "dyn.example")
        names.change("* 3600 IN A 1.2.3.4")
        gate = Postern(place / "gate", {
            "server": {"plugins": "auth"}, "dns": {"stub-zones": "dyn.example=127.0.0.1@%d" % names.port},
            "log": {"level": "warning"}, "plugin iphelper": None})
        try:
            measure(gate, names, domains, helpers)
        finally:
            gate.stop()
            names.stop()


def measure(gate, names, domains, helpers):
    say("empty directory: memory %s MiB" % memory(gate))
    gate.stop()
    fill(gate, domains, helpers)
    say("%d domains, no plugin: start %.2f s, memory %s MiB" % (domains, start(gate), memory(gate)))
    idle = spent(gate, 10)
    gate.stop()
    gate.change({"server": {"plugins": "iphelper"}, "plugin iphelper": {"scan": "1s"}})
    begun = time.monotonic()
    took = start(gate)
    wait_until(lambda: states(gate) == helpers, "all checks")
    say("%d helpers: start %.2f s, all checked %.1f s after it, %.2f s of processor time (commands of this script included), "
        "memory %s MiB" % (helpers, took, time.monotonic() - begun - took, cpu(gate), memory(gate)))
    time.sleep(3)
    say("a scan with nothing due: %.4f s of processor time (10 s: %.2f s, without the plugin %.2f s)"
        % ((spent(gate, 10) - idle) / 10, spent(gate, 10), idle))
    before = cpu(gate)
    for _ in range(5):
        gate.ctl("domain", "set", "d%06d.example" % (domains - 1), "port=%d" % (1000 + _))
        time.sleep(2)
    say("a scan after some domain changed: %.3f s" % ((cpu(gate) - before - idle) / 5))
    gate.stop()
    all_due(gate, names, helpers, idle)


def all_due(gate, names, helpers, idle):
    """TTL 0: every scan checks every helper."""
    names.change("* 0 IN A 1.2.3.4")
    (gate.place / "store.db").unlink()
    gate.change({"plugin iphelper": {"scan": "10s"}})
    gate.start()
    wait_until(lambda: states(gate) == helpers, "all checks")
    say("all %d due: %.2f s of processor time for a scan, over 3 of them; memory %s MiB"
        % (helpers, (spent(gate, 30) - 3 * idle) / 3, memory(gate)))
    names.change("* 0 IN A 10.0.0.1")
    before, begun = cpu(gate), time.monotonic()
    while any(row["mode"] != "hold" for row in gate.ctl("iphelper", "list", json=True)):
        time.sleep(3)
    say("all %d switched: %.1f s, %.2f s of processor time; memory %s MiB"
        % (helpers, time.monotonic() - begun, cpu(gate) - before, memory(gate)))


if __name__ == "__main__":
    main()
