"""What posternd may use in tools/abuse, derived from the limits of postern-limits(7), and what it does use."""
import collections
import os
import re
import threading
import time

MIB = 1 << 20
# Defaults of postern-limits(7).
WORKERS, DELIVERIES, PROBES, STORE_ITEMS = 256, 200, 50, 500_000
LOG_LINES, LEFT_OUT_LINES = 6000, 1001            # a minute: of all clients, and the report of what was left out
SPOOL_MEMORY, DNS_CACHE, LIBUNBOUND_CACHE = 256 * MIB, 32 * MIB, 12 * MIB
UNFINISHED, REFUSALS_A_DAY = 2048 * MIB, 256 * MIB
# What one of them takes at most; stated here, measured by the run.
LINE = 600                # octets of a line of the log
ITEM = 400                # octets of an item of the store, on disk
CONNECTION = 256 << 10    # of memory: its session, TLS, input, and replies that are not read
THREAD = 256 << 10        # of memory: the pages of its stack that were used
DNS_SOCKETS, FILES = 2048, 100   # the first: outgoing-range of libunbound
ALWAYS = 20 + 5 * os.cpu_count()   # threads that are always there; loops, crunchers and hashers are five for each core
BASE = 128 * MIB          # program, libraries, directory, tables of clients
SEGMENTS = 400 * MIB      # of the spool: preallocated, and mail that is on its way
MARGIN = 1.05             # of threads and descriptors that are being opened and closed at the moment of a sample
# ASan keeps 256 MiB of freed memory, has red zones around each block, and two bits of shadow for each 16.
SANITIZER_FACTOR, SANITIZER_BASE = 2, 400 * MIB

Limit = collections.namedtuple("Limit", "name unit most why")
Sample = collections.namedtuple("Sample", "memory descriptors threads spool rejections state")
# Of the lines that are always written, one for each message or login.
MAIL = re.compile(rb" (authenticated|message (accepted|queued)|delivered|deferred|bounced|copy) ")


def limits(connections, senders_of_unfinished, minutes, is_sanitized):
    """`connections`: that clients hold at a time; `senders_of_unfinished`: client addresses that send unfinished mail."""
    memory = BASE + SPOOL_MEMORY + DNS_CACHE + LIBUNBOUND_CACHE + connections * CONNECTION \
        + (WORKERS + DELIVERIES) * THREAD
    threads = WORKERS + DELIVERIES + ALWAYS
    return [
        Limit("memory", "MiB", (memory * SANITIZER_FACTOR + SANITIZER_BASE if is_sanitized else memory) // MIB,
              "memory of the spool, caches of the DNS, 256 KB for each connection and thread" +
              (", twice that and 400 MiB for ASan" if is_sanitized else "")),
        Limit("descriptors", "", int(MARGIN * connections) + DELIVERIES + PROBES + DNS_SOCKETS + FILES,
              "%d connections of clients, max-deliveries, most-probes, the DNS, files" % connections),
        Limit("threads", "", threads, "max-workers, max-deliveries, and %d others" % ALWAYS),
        Limit("log, lines a minute", "", LOG_LINES + LEFT_OUT_LINES,
              "all-log-lines and the report of lines that were left out; without those about mail and logins that succeeded"),
        Limit("rejection log", "MiB",
              min(REFUSALS_A_DAY, (minutes + 1) * (LOG_LINES + LEFT_OUT_LINES) * LINE) // MIB + 1,
              "all-log-lines of %d octets a minute; refusals-per-day" % LINE),
        Limit("spool", "MiB", (senders_of_unfinished * UNFINISHED + SEGMENTS) // MIB,
              "[clients] unfinished for each client that sends without end, and segments"),
        Limit("state", "MiB", STORE_ITEMS * ITEM // MIB, "500,000 items of the store"),
    ]


def octets_below(path):
    """Of the disk; files may go while they are counted."""
    total = 0
    for base, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(base, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


class LogReader:
    """Counts the lines of a log by minute of the monotonic clock, as budgets do, apart from those about mail."""

    def __init__(self, path):
        self.path, self.at, self.rest = path, 0, b""
        self.by_minute = collections.Counter()

    def read(self):
        minute = int(time.monotonic()) // 60
        with open(self.path, "rb") as file:
            file.seek(self.at)
            octets = file.read()
        self.at += len(octets)
        *lines, self.rest = (self.rest + octets).split(b"\n")
        for line in lines:
            if not MAIL.search(line):
                self.by_minute[minute] += 1


class Sampler:
    """Samples the daemon each second from begin() to end(); the highest value of each."""

    def __init__(self, daemon):
        self.daemon, self.samples, self.log = daemon, [], LogReader(daemon.place / "log")
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def sample(self):
        process = "/proc/%d/" % self.daemon.process.pid
        with open(process + "status", encoding="ascii") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        place = self.daemon.place
        state = sum(os.stat(path).st_size for path in place.glob("*.db*"))
        return Sample(int(status["VmRSS"].split()[0]) / 1024, len(os.listdir(process + "fd")),
                      int(status["Threads"]), octets_below(place / "spool") / MIB, octets_below(place / "refusals") / MIB, state / MIB)

    def run(self):
        while not self.ended.wait(1):
            try:
                self.samples.append(self.sample())
                self.log.read()
            except (FileNotFoundError, ProcessLookupError):
                continue   # a file that went, or the daemon: abuse.py looks at that

    def begin(self):
        self.thread.start()

    def end(self):
        """{name of a limit: highest value}."""
        self.ended.set()
        self.thread.join()
        self.log.read()
        highest = {name: max(getattr(sample, name) for sample in self.samples)
                   for name in ("memory", "descriptors", "threads", "spool", "state")}
        highest["rejection log"] = max(sample.rejections for sample in self.samples)
        highest["log, lines a minute"] = max(self.log.by_minute.values(), default=0)
        return highest
