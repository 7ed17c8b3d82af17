#!/usr/bin/python3
"""round-trips.py [PLUGINS] - what a message asks of the Redis that nodes share, by plugin, with warm caches.

Run in the build folder, as root.  The plugins come one after the other; each line counts what 200 messages in 20 sessions
asked, per message, less what the same time without mail asks.  "trips" are waited for by somebody or written behind; a script
is one command.  PLUGINS: only these, together."""
import collections
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "system"))
from cluster import NameServer  # noqa: E402
from postern import LOGIN, Postern, Sink, free_port  # noqa: E402
from test_redis import Redis  # noqa: E402

PLUGINS = ["auth", "sender-rules", "blocking", "ipfilter", "dnsbl", "nullsender-rewrite", "restrictions", "senderverify", "limits",
           "uribl", "attachments", "bcc-mirror", "iphelper"]
SESSIONS, EACH, EXCHANGER = 20, 10, "127.0.2.77"
TEXT = "Subject: a message\n\nSee http://www.example.org/of/this for more.\n"
IDLE = 4  # seconds


class Place:
    def __init__(self, folder):
        self.redis, self.sink, self.exchanger = Redis(folder / "redis"), Sink(), Sink(host=EXCHANGER, port=25)
        self.names = NameServer("127.0.0.1", free_port())
        self.gate, self.folder, self.n = None, folder, 0
        for domain in ("example.net", "example.org"):
            self.names.add(domain, exchanger="mx.example.net")
        self.names.add("mx.example.net", address=EXCHANGER)

    def start(self, plugins):
        sections = {
            "plugin dnsbl/xbl": {"zone": "xbl.test", "codes": "127.0.0.4"}, "plugin uribl/black": {"zone": "uri.test", "bits": "2"},
            "plugin senderverify": {"probe-sender": "postmaster@example.net"},
            "plugin bcc-mirror": {"bounce-domain": "bcc.example.net", "secret": "0123456789abcdef0123456789abcdef"},
            "plugin limits": {"messages": "100000/1h 1000000/1d", "recipients": "100000/1h", "bytes": "100G/1d"},
            "plugin blocking": {"never": "192.0.2.0/24", "connections": "100000/10m"}}
        mine = {title: values for title, values in sections.items() if title.split("/")[0].split()[1] in plugins}
        self.n += 1
        for database in (0, 1):
            self.redis.ask("-n", str(database), "FLUSHDB")
        self.gate = Postern(self.folder / ("gate%d" % self.n), {
            **mine, "server": {"plugins": " ".join(plugins)}, "directory": {"at": self.redis.url(0)},
            "store": {"at": self.redis.url(1)}, "dns": {"servers": "127.0.0.1@%d" % self.names.socket.getsockname()[1]},
            "log": {"level": "warning"}}, sink=self.sink)
        if "bcc-mirror" in plugins:
            self.gate.ctl("account", "set", LOGIN, "bcc-mirror.bcc+=archive@example.org")

    def figures(self):
        rows = {row["metric"]: int(row["value"]) for row in self.gate.ctl("metrics", json=True)}
        found = collections.Counter({name: rows.get(name + ".round-trips", 0) for name in ("store", "directory")})
        for line in self.redis.ask("INFO", "commandstats").splitlines():
            if line.startswith("cmdstat_"):
                found[line.split(":")[0][8:]] = int(line.split("calls=")[1].split(",")[0])
        return found

    def send(self, sessions):
        for _ in range(sessions):
            with self.gate.session() as dialog:
                for _ in range(EACH):
                    dialog.mail(LOGIN, "rcpt@example.org", TEXT)
                dialog.ask("QUIT")
        self.gate.settle()

    def measure(self):
        """Per message."""
        self.send(2)
        time.sleep(1)
        before = self.figures()
        time.sleep(IDLE)
        idle = self.figures() - before
        before, begun = self.figures(), time.monotonic()
        self.send(SESSIONS)
        time.sleep(1)
        took = time.monotonic() - begun
        found = self.figures()
        return {name: (found[name] - before[name] - idle[name] * took / IDLE) / (SESSIONS * EACH) for name in found}, idle


def main():
    folder = Path(tempfile.mkdtemp(prefix="postern-trips-"))
    place = Place(folder)
    sets = [sys.argv[1:]] if len(sys.argv) > 1 else [PLUGINS[:n] for n in range(2, len(PLUGINS) + 1)]
    try:
        print("%-20s %10s %10s   %s" % ("WITH", "STORE", "DIRECTORY", "COMMANDS"))
        for plugins in sets:
            place.start(plugins)
            each, idle = place.measure()
            commands = " ".join("%s %.2f" % (name, n) for name, n in sorted(each.items())
                                if name not in ("store", "directory") and n >= 0.05)
            print("%-20s %10.2f %10.2f   %s" % (("+ " if len(sets) > 1 else "") + plugins[-1], each["store"], each["directory"], commands), flush=True)
            place.gate.stop()
        print("without mail, per second: store %.1f, directory %.1f" % (idle["store"] / IDLE, idle["directory"] / IDLE))
    finally:
        if place.gate is not None and place.gate.process is not None:
            place.gate.kill()
        place.redis.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
