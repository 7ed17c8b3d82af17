"""All abuse at once, at stated rates, while honest clients work; see tools/abuse, which runs it.

A network namespace of its own has posternd with all plugins and default limits, two DNS servers (ours,
and that of the abusers), a clamd, the honest clients with their next hop, and the abusers of
abuse_acts.py in a cgroup of CPU weight 1.  First the abusers are connected and silent, then all of them
abuse at once.  abuse_judge.py says what is right."""
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import abuse_contents
import abuse_honest
from abuse_acts import ABUSERS, SILENT_HOPS
from abuse_limits import Sampler
from clamd import Clamd
import netns
from cluster import die_with_parent
from nsd import Nsd
from postern import BUILD, LOGIN, PASSWORD, Postern, Sink, free_port, wait_until

HERE = pathlib.Path(__file__).parent
WARM_UP, LEAST_SILENCE = 3, 5       # seconds: before anything is measured, and of the first phase
DRAIN = 60                          # seconds until what was accepted arrived
FIRST_IDS = {"submission": 1, "inbound": 10_000_001}
PRIVATE = "127.66.0.1"              # what the abusers call their exchanger, in a network of ours
EXCHANGER = "127.0.5.1"             # of the honest domains
PTR = "*.8.in-addr.arpa. IN PTR %s.%s.%s.n%%d.evil.test.\n" % ("a" * 60, "b" * 60, "c" * 60)
# A message of an honest client, times in ns; `slowest`: the command that was waited for longest.
Sent = collections.namedtuple("Sent", "number begin took slowest said")

OUR_ZONES = {
    "example.net": "@ IN MX 10 mx\nmx IN A %s\n" % EXCHANGER,
    "example.org": "@ IN MX 10 mx.example.net.\nmail IN A %s\n" % abuse_honest.PEER,
    "9.in-addr.arpa": "9.9.9 IN PTR mail.example.org.\n",
    "list.test": "2.0.0.127 IN A 127.0.0.4\n",
    "links.test": "test IN A 127.0.0.2\n",
}
THEIR_ZONES = {
    "evil.test": "@ IN MX 10 mx.example.net.\n*.null IN MX 0 .\n*.private IN MX 10 inside\n"
                 "inside IN A 10.0.0.1\ninside IN A %s\ninside IN AAAA ::1\n*.silent IN MX 10 m0.silent\n" % PRIVATE
                 + "".join("d%d.silent IN MX 10 m%d.silent\nm%d.silent IN A %s\n" % (n, n, n, address)
                           for n, address in enumerate(SILENT_HOPS)),
    "8.in-addr.arpa": "".join(PTR % n for n in range(100)),
}


class Cage:
    """A cgroup with CPU weight 1, or, where none can be made, the scheduling class "idle"."""

    def __init__(self):
        self.path, self.about = None, "the scheduling class \"idle\", as no cgroup could be made"
        name = "postern-abuse-%d" % os.getpid()
        for parent, file, weight in (("/sys/fs/cgroup/cpu", "cpu.shares", "2"),
                                     ("/sys/fs/cgroup", "cpu.weight", "1")):
            try:
                if file == "cpu.weight":
                    self.write(pathlib.Path(parent, "cgroup.subtree_control"), "+cpu")
                path = pathlib.Path(parent, name)
                path.mkdir()
            except OSError:
                continue
            try:
                self.write(path / file, weight)
                self.path, self.about = path, "a cgroup of its own, %s = %s" % (file, weight)
                return
            except OSError:
                path.rmdir()

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    def enter(self):
        """In a child before it executes anything."""
        die_with_parent()
        if self.path:
            self.write(self.path / "cgroup.procs", str(os.getpid()))
        else:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    def close(self):
        """Once its processes have ended."""
        if self.path:
            wait_until(lambda: not (self.path / "cgroup.procs").read_text(), "the end of the abusers")
            self.path.rmdir()


class Gateway(Postern):
    """With the defaults of the product, where those of the tests differ."""

    def presets(self):
        sections = super().presets()
        self.ports.update(inbound=free_port(), proxied=free_port())
        listener = {"addresses": "127.0.0.1", "tls": "none", "inbound": "yes"}
        sections["listener inbound"] = {**listener, "ports": self.ports["inbound"], "auth": "no"}
        sections["listener proxied"] = {**listener, "ports": self.ports["proxied"], "auth-without-tls": "yes",
                                        "proxies": "127.0.0.0/8"}
        del sections["clients"]
        for title, names in {"server": ("error-delay", "auth-delay"), "spool": ("keep-free",), "dns": ("timeout",),
                             "log": ("level",)}.items():
            for name in names:
                sections[title].pop(name)
        return sections

    def launch(self, command, **options):
        return subprocess.Popen(command, preexec_fn=die_with_parent, **options)


class Run:
    """`seconds` of abuse, behind a quarter as many of silence."""

    def __init__(self, place, seconds, names=()):
        """`names`: of the abusers; all of them, if empty."""
        self.place, self.seconds, self.names = place, seconds, list(names or ABUSERS)
        self.silence = max(seconds / 4, LEAST_SILENCE)
        self.children, self.abusers, self.honest, self.daemon, self.cage = [], {}, {}, None, None
        self.faults = []

    # -- what stands around --

    def child(self, command, **more):
        process = subprocess.Popen(list(map(str, command)), **{"preexec_fn": die_with_parent, **more})
        self.children.append(process)
        return process

    def sink(self, port, record, host="127.0.0.1"):
        return self.child([BUILD / "tests/bench/smtp-sink", "-H", host, "-p", port, "-t", "864000", "-R", record],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def configuration(self, ours, theirs):
        hop = {"next-hop": "smtp:[127.0.0.1]:%d" % self.port, "tls": "none"}
        plugins = "blocking ipfilter auth sender-rules nullsender-rewrite restrictions senderverify dnsbl " \
            "uribl attachments %slimits standing bcc-mirror iphelper" % ("clamav " if shutil.which("clamd") else "")
        clamav = {}
        if shutil.which("clamd"):
            (self.place / "clamd").mkdir()
            self.clamd = Clamd(self.place / "clamd", nice=5)   # as the daemon's own threads that look into content
            self.children.append(self.clamd.process)
            clamav = {"plugin clamav": {"server": "unix:%s" % self.clamd.socket}}
        return {
            "server": {"plugins": plugins, "postmaster": "post@provider.example"},
            "dns": {"stub-zones": ours.stub_zones() + " " + theirs.stub_zones()},
            "delivery": {"private-networks": "127.10.0.0/22 %s" % EXCHANGER},
            "route all": {"to": "example.org example.net provider.example", **hop},
            "route local": {"for-mode": "hosted", **hop},
            "plugin blocking": {"never": "127.0.0.0/8 %s" % abuse_honest.PEER},
            "plugin senderverify": {"probe-sender": "postmaster@example.net"},
            "plugin dnsbl": {"on": "both"}, "plugin uribl": {"on": "both"}, "plugin attachments": {"on": "both"},
            "plugin dnsbl/list": {"zone": "list.test", "ipv6": "no"}, "plugin uribl/links": {"zone": "links.test"},
            "plugin standing": {"address": "fbl@example.net", "secret": "only for this soak",
                                "reporters": "192.0.2.0/24"},
            "plugin bcc-mirror": {"bounce-domain": "bcc.example.net", "secret": "only for this soak"}, **clamav,
        }

    def begin_daemon(self):
        self.port = free_port()
        ours = Nsd(self.place / "our-dns", OUR_ZONES, preexec_fn=die_with_parent)
        self.children.append(ours.process)
        theirs = Nsd(self.place / "their-dns", THEIR_ZONES, preexec_fn=self.cage.enter)
        self.children.append(theirs.process)
        self.sink(25, self.place / "probed", EXCHANGER)
        self.trap = Sink(host=PRIVATE, port=25)
        self.daemon = Gateway(self.place / "postern", self.configuration(ours, theirs))
        self.add_accounts()

    def add_accounts(self):
        daemon, exempt = self.daemon, "standing.exempt=yes"
        unlimited = ["limits.%s=off" % what for what in ("messages", "recipients", "bytes")]
        daemon.ctl("account", "set", LOGIN, *unlimited)
        daemon.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hosted")
        daemon.ctl("customer", "add", "evil", "postmaster=post@provider.example")
        daemon.ctl("domain", "add", "evil.test", "customer=evil", "mode=outbound-only")
        daemon.add_account("evil.test", PASSWORD, "type=server", exempt, "ipfilter.ipv4=127.0.0.0/8",
                           "nullsender-rewrite.foreign-senders=keep")
        daemon.add_account("content@evil.test", PASSWORD, exempt, *unlimited)
        for n in range(ABUSERS["silent-hops"].held):
            daemon.add_account("silent%d@evil.test" % n, PASSWORD, exempt)

    def complained(self):
        """A message of the honest account as its recipient has it, for forged complaints."""
        sink = Sink(port=self.port)
        self.daemon.send()
        text = sink.wait(1)[0].text
        wait_until(lambda: " spool 0 messages" in self.daemon.ctl("status"), "an empty spool")
        sink.close()
        return text

    # -- the phases --

    def begin_abusers(self):
        target = {"ports": self.daemon.ports, "complained": self.complained(),
                  "contents": abuse_contents.write_all(self.place / "contents")}
        environment = {**os.environ, "ABUSE_TARGET": json.dumps(target)}
        self.hop = self.sink(self.port, self.place / "took")
        with open(self.place / "abusers", "wb") as said:
            for name in self.names:
                self.abusers[name] = self.child(
                    [sys.executable, "-B", HERE / "abuse_acts.py", name], env=environment, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=said, preexec_fn=self.cage.enter)
        for name, process in self.abusers.items():
            assert process.stdout.readline() == b"ready\n", self.complaint_of(name)

    def complaint_of(self, name):
        return "abuser %s: %s" % (name, (self.place / "abusers").read_text()[-4000:])

    def begin_honest(self):
        for kind, listener in (("submission", "submission"), ("inbound", "proxied")):
            self.honest[kind] = self.child(
                [sys.executable, "-B", HERE / "abuse_honest.py", kind, self.daemon.ports[listener],
                 FIRST_IDS[kind], self.place / ("sent-" + kind)])

    def wait(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(1, max(0, until - time.monotonic())))
            assert self.daemon.process.poll() is None, "posternd ended: %s" % self.daemon.stderr()[-4000:]
            for name, process in self.abusers.items():
                assert process.poll() is None, self.complaint_of(name)

    def tell(self, word):
        for process in self.abusers.values():
            process.stdin.write(word + b"\n")
            process.stdin.flush()

    def run(self):
        self.cage = Cage()
        self.begin_daemon()
        self.begin_abusers()
        self.begin_honest()
        self.sampler = Sampler(self.daemon)
        self.sampler.begin()
        self.wait(WARM_UP)
        self.times = [time.monotonic_ns()]
        self.wait(self.silence)
        self.times.append(time.monotonic_ns())
        self.tell(b"go")
        self.wait(self.seconds)
        self.times.append(time.monotonic_ns())
        self.tell(b"end")
        self.acts = {name: json.loads(process.stdout.readline()) for name, process in self.abusers.items()}
        for process in self.honest.values():
            process.send_signal(signal.SIGTERM)
            process.wait()
        self.highest = self.sampler.end()
        self.end_daemon()

    def end_daemon(self):
        """What was accepted arrives; then a clean end, without a report of a sanitizer."""
        self.sent = {kind: self.read_sent(kind) for kind in self.honest}
        for recipient in abuse_honest.RECIPIENTS.values():
            try:
                wait_until(lambda: not self.daemon.queue("recipient=" + recipient), "honest mail to leave", DRAIN)
            except AssertionError as error:
                self.faults.append(str(error))
        shown = self.daemon.ctl("account", "show", LOGIN, json=True)
        self.account = {row["option"]: row["value"] for row in shown}
        self.complaints = self.daemon.ctl("complaint", "list", LOGIN, json=True)
        self.usage = self.daemon.ctl("clients", json=True)
        self.metrics = {row["metric"]: int(row["value"]) for row in self.daemon.ctl("metrics", json=True)}
        self.alarms = [row["text"] for row in self.daemon.ctl("alarms", json=True)]
        for process in self.abusers.values():
            process.stdin.close()
            process.kill()
            process.wait()
        try:
            self.daemon.stop()
        except AssertionError as error:
            self.faults.append(str(error)[-20000:])
        self.hop.terminate()   # it writes down what it still has in memory
        self.hop.wait()

    # -- what became of it --

    def read_sent(self, kind):
        rows = []
        for line in (self.place / ("sent-" + kind)).read_text().splitlines():
            number, begin, took, step, said = line.split(" ", 4)
            rows.append(Sent(int(number), int(begin), int(took), "content" if step == "From" else step, said))
        return rows

    def arrived(self):
        """{id: how often}."""
        arrived, recipients = collections.Counter(), set(abuse_honest.RECIPIENTS.values())
        for line in (self.place / "took").read_text().splitlines():
            what, number, recipient = line.split()[:3]
            if what == "accepted" and number != "0" and recipient in recipients:
                arrived[int(number)] += 1
        return arrived

    def close(self):
        self.children.reverse()
        daemon = self.daemon.process if self.daemon else None
        for process in self.children + [daemon]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        if self.cage:
            self.cage.close()


def is_sanitized():
    return b"__asan_init" in (BUILD / "core/daemon/posternd").read_bytes()
