"""Mixed load through a real posternd to three next hops of different speed; what tools/crash and tools/storm share.

Messages of 0.3 KiB to 5 MiB go to one to five recipients, some of whom are refused for good and some now and then; an account
has copies sent; clients leave in the middle, and so do next hops.  Load and next hops are smtp-load and smtp-sink of tests/bench,
which write down what they sent and took; judgement.py compares."""
import json
import re
import signal
import subprocess
import time

from cluster import die_with_parent
from judgement import KILL, STOP, End, Judgement
from postern import BUILD, LOGIN, PASSWORD, Postern, free_port

COPIED = "copied@example.net"  # an account whose mail is copied
COPIES = ("copy@fast.test", "copy@medium.test")
COPIED_FROM = 10_000_000       # ids of its messages are above that
MOST = 5_000_000               # messages that a load may send
RECIPIENTS = 3                 # of a message, on average
LEAST, LARGEST = 300, 5 << 20  # octets of a message
STUCK = 90                     # seconds without a change after which the queue stays as it is: a report is tried again after 60
# next hop: ms to its reply, weight among the recipients, messages of a hundred in which it drops the connection
HOPS = {"fast": (0, 70, 1), "medium": (20, 24, 1), "slow": (1000, 6, 1)}

OPTIONS = {
    "server": {"plugins": "auth sender-rules bcc-mirror"},
    "log": {"level": "info"},
    "delivery": {"retry": "1s .. 2s", "warn-after": "0", "per-destination": "20"},
    "plugin bcc-mirror": {"bounce-domain": "bcc.example.net", "secret": "only for this test", "most-copies": "4"},
}


class Hop:
    """A next hop for the domain NAME.test."""

    def __init__(self, place, name):
        delay, weight, drop = HOPS[name]
        self.share = weight / sum(each[1] for each in HOPS.values())  # of all recipients
        self.name, self.domain, self.port, self.record = name, name + ".test", free_port(), place / ("took-" + name)
        self.process = subprocess.Popen([
            BUILD / "tests/bench/smtp-sink", "-p", str(self.port), "-t", "864000", "-R", self.record, "-b", "-d", str(delay),
            "-D", str(drop)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


class Load:
    """The clients of one account; its record has a line per message."""

    def __init__(self, place, daemon, login, options, first=1, sessions=12, rate=50.0):
        self.record = place / ("sent-" + login)
        self.process = subprocess.Popen([
            BUILD / "tests/bench/smtp-load", "-p", str(daemon.ports["submission"]), "-c", str(sessions), "-m", "20",
            "-n", str(MOST), "-t", "864000", "-o", self.record, "--first-id", str(first), "-A", "%s:%s" % (login, PASSWORD), "-f", login,
            "-M", ",".join("%s.test:%d" % (name, weight) for name, (_, weight, _) in HOPS.items()), "-s", str(LEAST),
            "-l", str(options.largest), "-r", "%.2f" % rate, "--gone", "4", "--later", "6", "--cut", "4",
            "--seed", str(options.seed % (1 << 31) + first)], stdout=subprocess.PIPE, preexec_fn=die_with_parent)

    def end(self):
        """Its last words: a dict."""
        self.process.send_signal(signal.SIGTERM)
        return json.loads(self.process.communicate()[0])


class Gateway(Postern):
    def launch(self, command, **options):
        return subprocess.Popen(command, preexec_fn=die_with_parent, **options)


class Mixed:
    """`options`: rate (messages a second), largest (octets), seed, window; see add_options()."""

    def __init__(self, place, options, changes=None, environment=None):
        self.place, self.ends, self.loads, self.hops, self.daemon = place, [], [], [], None
        self.window = options.window * 1_000_000  # ns, as times of records are
        try:
            self.hops = [Hop(place, name) for name in HOPS]
            self.daemon = Gateway(place / "postern", self.configuration(changes or {}), environment=environment)
            self.daemon.add_account(COPIED, PASSWORD, "bcc-mirror.bcc=" + " ".join(COPIES))
            self.loads = [Load(place, self.daemon, LOGIN, options, rate=options.rate * 0.85),
                          Load(place, self.daemon, COPIED, options, COPIED_FROM, 4, options.rate * 0.15)]
        except BaseException:
            self.close()
            raise

    def configuration(self, changes):
        """Reports go to the domain of the senders, and with it to the fast one."""
        routes = {"route " + hop.name: {"to": hop.domain, "next-hop": "smtp:[127.0.0.1]:%d" % hop.port, "tls": "none"} for hop in self.hops}
        routes["route fast"]["to"] += " example.net"
        options = {**{title: dict(section) for title, section in OPTIONS.items()}, **routes}
        for title, section in changes.items():
            options.setdefault(title, {}).update(section)
        return options

    # -- ends of the daemon, with their times --

    def kill(self):
        """As a crash would."""
        begin = time.monotonic_ns()
        self.daemon.kill()
        self.ends.append(End(KILL, begin, time.monotonic_ns()))

    def stop(self):
        begin = time.monotonic_ns()
        self.daemon.stop()
        self.ends.append(End(STOP, begin, time.monotonic_ns()))

    def is_well(self):
        """Whether load and next hops still run."""
        return all(each.process.poll() is None for each in self.loads + self.hops)

    # -- the end of it --

    def drain(self):
        """Waits for an empty queue; how many messages stay in it."""
        last, changed = None, time.monotonic()
        while last != 0 and time.monotonic() < changed + STUCK:
            left = int(re.search(r" spool (\d+) message", self.daemon.ctl("status")).group(1))
            if left != last:
                last, changed = left, time.monotonic()
            time.sleep(0.02)
        return last

    def finish(self):
        """Ends the load, waits for an empty queue, stops all, and returns the judgement."""
        sent = [load.end() for load in self.loads]
        left = self.drain()
        alarms = [row["text"] for row in self.daemon.ctl("alarms", json=True)]
        self.stop()
        for hop in self.hops:
            hop.process.terminate()
            hop.process.wait()
        judgement = Judgement(self.ends, alarms, left, self.window)
        for load, copies in zip(self.loads, ((), COPIES)):
            judgement.read_sent(load.record, copies)
        for hop in self.hops:
            judgement.read_taken(hop.record)
        judgement.figures["clients_that_left"] = sum(each["cut"] for each in sent)
        return judgement

    def close(self):
        processes = [each.process for each in self.loads + self.hops] + [self.daemon.process if self.daemon else None]
        for process in processes:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def add_options(parser, rate):
    """What both tools take."""
    parser.add_argument("--rate", type=float, default=rate, help="messages a second, at most (%g)" % rate)
    parser.add_argument("--largest", type=int, default=LARGEST, help="octets of the largest message (5 MiB)")
    parser.add_argument("--window", type=int, default=200, metavar="MS",
                        help="what was accepted that long before a kill may come twice (200)")
    parser.add_argument("--seed", type=int, default=None, help="of chance; the one used is printed")
    parser.add_argument("--keep", action="store_true", help="keep the directory")
