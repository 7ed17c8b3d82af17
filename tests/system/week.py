#!/usr/bin/env python3
"""week - the first week of an installed Postern, day by day, on a Debian that boots with its own systemd.

Installs as doc/install.md says, and does what an administrator, customers, other mail servers and bad luck do in a week; the
daemon's wall clock is moved from day to day.  A monitor looks before and after each event, and must see each fault and its end.  In
the end each message that was acknowledged has arrived, once; only one that was being delivered when the daemon was killed may arrive
twice (Q-10).  Prints a line per event.  Needs root, debootstrap, nsd,
redis-server and a build ("make bench-tools"), in the current directory or in --build; ends with 77 where no machine can be booted.
test_week.py runs the same week among the system tests."""
import argparse
import collections
import contextlib
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

CANNOT = 77
DAY = 86400
OFFICE, MONITOR = "9.9.9.50", "9.9.9.70"  # of the neighbour's network
LOG = "/var/log/postern/postern.log"  # of doc/install.md
CUSTOMERS = """[customer globex]
primary = it@globex.example
[domain globex.example]
customer = globex
mode     = outbound-only
""" + "".join("[account clerk%d@globex.example]\npassword = *\n" % n for n in range(200))
PLUGINS = """[plugin blocking]
[plugin limits]
messages = 5000/1h
[plugin restrictions]
exempt-domains = elsewhere.example acme.example globex.example
"""
CLOCK = """[Service]
Environment=LD_PRELOAD=/usr/local/lib/week-clock.so POSTERN_TEST_CLOCK_AHEAD=/etc/postern/week-clock
"""
if __name__ == "__main__":  # BUILD is read when postern.py is imported
    sys.dont_write_bytecode = True
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.environ.get("TOP_BUILDDIR", os.getcwd()), help="where it was built (here)")
    os.environ["TOP_BUILDDIR"] = parser.parse_args().build

import booted  # noqa: E402
from booted_page import Page  # noqa: E402
from booted_world import LOGIN, ZONES, World  # noqa: E402
from nsd import Nsd  # noqa: E402
from postern import BUILD, PASSWORD, SOURCE, Dialog, make_certificate, wait_until  # noqa: E402
from test_redis import Redis  # noqa: E402
from test_reliability import Clock  # noqa: E402


class Week:
    """`place`: a directory of its own."""

    def __init__(self, world, place):
        self.world, self.machine, self.place = world, world.machine, Path(place)
        self.redis, self.day = None, ""
        self.composed, self.sent = {}, []  # {subject: when}; subjects of messages that were acknowledged
        self.repeatable = set()  # subjects that a kill may have made arrive twice
        self.clock = Clock(self.place / "clock")
        with world.neighbour.network():
            for address in (OFFICE, MONITOR):
                world.neighbour.ip("address", "add", address + "/24", "dev", "cable")

    def say(self, text):
        print("%-9s  %s" % (self.day, text), flush=True)

    # -- what people do --

    def change(self, path, pattern, text):
        """An edit of a configuration file; what was in it."""
        before = self.machine.read(path)
        assert re.search(pattern, before, re.M), (path, pattern)
        self.machine.put(path, re.sub(pattern, text, before, count=1, flags=re.M))
        return before

    def posternctl(self, words, code=0, user="root", input=""):
        return self.machine.run("posternctl " + words, code, user, input).out

    def mail(self, dialog, sender, recipient):
        """A message with a subject of its own; its queue id."""
        n = len(self.composed)
        subject = "week %d" % n
        self.composed[subject] = time.monotonic()
        queue_id = dialog.mail(sender, recipient, "Subject: %s\nMessage-ID: <%d@week.example>\n\nHello.\n" % (subject, n))
        self.sent.append(subject)
        return queue_id

    @contextlib.contextmanager
    def dialog(self, source=OFFICE, port=587):
        with self.world.neighbour.network():
            with Dialog(port, host="9.9.9.1", source=source) as dialog:
                dialog.hello()
                yield dialog

    def submit(self, recipient="rcpt@elsewhere.example", login=LOGIN, source=OFFICE):
        """A connection of its own for each message, as web applications do."""
        with self.dialog(source) as dialog:
            dialog.starttls()
            dialog.login(login, PASSWORD)
            queue_id = self.mail(dialog, login, recipient)
            dialog.ask("QUIT")
            return queue_id

    def receive(self, recipient=LOGIN, source="9.9.9.25"):
        with self.dialog(source, 25) as dialog:
            return self.mail(dialog, "someone@example.org", recipient)

    # -- what the monitor sees --

    def status(self):
        return self.machine.run("posternctl status --check", code=None)

    def is_well(self):
        return self.status().code == 0

    def expect_well(self):
        wait_until(self.is_well, "the end of all alarms: %s" % self.status())

    def expect_alarm(self, name, code=1):
        """The monitor warns, and says of what."""
        wait_until(lambda: self.status().code == code and name in self.posternctl("alarms", code=1), "the alarm " + name, 90)
        self.say("alarm: " + next(line for line in self.posternctl("alarms", code=1).splitlines() if name in line).strip())

    def arrived(self):
        """Subjects, as often as they arrived."""
        return [message.header("Subject")[0] for sink in self.world.sinks.values() for message in sink.messages
                if message.header("Subject")[0].startswith("week ")]

    def wait_arrival(self):
        """Of all that was acknowledged."""
        wait_until(lambda: set(self.sent) <= set(self.arrived()), "what is under way")

    def check_books(self):
        """Each message that was acknowledged has arrived, and none more often than it may."""
        self.wait_arrival()
        wait_until(lambda: " spool 0 messages" in self.posternctl("status"), "an empty queue")
        repeated = {subject: n for subject, n in collections.Counter(self.arrived()).items() if n > 1}
        assert repeated.keys() <= self.repeatable and all(n == 2 for n in repeated.values()), repeated
        self.say("%d messages were acknowledged in all, and each arrived; %d were being delivered when the daemon was killed, and "
                 "arrived twice" % (len(self.sent), len(repeated)))

    # -- the days --

    def begin(self, day, n, alarm=None):
        """The day comes while the daemon is stopped: a clock that jumps under it is a fault of its own."""
        self.day = day
        self.machine.run("systemctl stop postern")
        self.clock.set(n * DAY)
        self.machine.run("systemctl start postern")
        self.expect_alarm(alarm) if alarm else self.expect_well()

    def monday(self):
        """Customers are imported, plugins switched on, a certificate put in place; a web application sends its newsletter."""
        machine = self.machine
        machine.put("/etc/systemd/system/postern.service.d/week.conf", CLOCK)
        shutil.copy(BUILD / "tests/unit/service/.libs/redis-clock.so", "/proc/%d/root/usr/local/lib/week-clock.so" % machine.init)
        clock = Path("/proc/%d/root/etc/postern/week-clock" % machine.init)
        self.clock.path = clock
        self.clock.set(0)
        clock.chmod(0o644)
        self.change("/etc/postern/postern.conf", r"^plugins .*", "plugins = blocking auth sender-rules restrictions limits")
        machine.put("/etc/postern/conf.d/plugins.conf", PLUGINS)
        machine.put("/etc/postern/conf.d/week.conf", "[delivery]\nretry = 1s .. 5s\n")
        machine.run("systemctl daemon-reload && posternd -t")
        self.begin("Monday", 0)
        self.certify(4)
        self.posternctl("import -", input=CUSTOMERS)
        self.posternctl("account passwd clerk7@globex.example --password-file -", input=PASSWORD)
        begun = time.monotonic()
        for _ in range(467):
            self.submit()
        self.say("467 submissions, a connection each, in %.0f s" % (time.monotonic() - begun))
        self.submit(login="clerk7@globex.example")
        self.receive()
        for _ in range(40):
            self.visit()
        assert not [row for row in self.posternctl("block list").splitlines() if "9.9.9." in row]
        self.expect_well()

    def visit(self):
        """A load balancer looks: the greeting, then QUIT."""
        with self.world.neighbour.network(), Dialog(587, host="9.9.9.1", source=MONITOR) as dialog:
            dialog.ask("QUIT")

    def tuesday(self):
        """The resolver fails for a while: what must be looked up can wait, the rest flows."""
        self.begin("Tuesday", 1)
        self.world.nsd.close()
        try:
            with self.dialog() as dialog:
                dialog.starttls()
                dialog.login(LOGIN, PASSWORD)
                dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
                for n in range(4):
                    assert "Domain lookup failed, try again later" in dialog.ask("RCPT TO:<someone@domain%d.example>" % n)
            self.submit()
            self.wait_arrival()
            self.expect_alarm("dns.away")
        finally:
            with self.machine.network():
                self.world.nsd = Nsd(self.place / "nsd", ZONES, port=53)
        self.expect_well()
        self.receive()

    def wednesday(self):
        """Operators work: the log is rotated, a mistake in the configuration is refused, a customer asks why."""
        self.begin("Wednesday", 2)
        machine = self.machine
        machine.run("logrotate --force /etc/logrotate.conf")
        queue_id = self.submit()
        wait_until(lambda: queue_id in machine.run("cat " + LOG, code=None).out, "a line of the new log")
        assert "message accepted" in machine.read(LOG + ".1") and queue_id not in machine.read(LOG + ".1")
        before = self.change("/etc/postern/conf.d/plugins.conf", r"^messages .*", "messages = many")
        assert "plugins.conf" in machine.run("posternd -t", code=1).err
        machine.run("systemctl reload postern", code=1)
        self.expect_alarm("reload.refused")
        machine.put("/etc/postern/conf.d/plugins.conf", before)
        machine.run("systemctl reload postern")
        with self.dialog() as dialog:
            dialog.starttls()
            dialog.hello()
            reply = dialog.auth(LOGIN, "a wrong password")
            assert reply.code == 535, reply
        assert "535" in self.posternctl("why " + LOGIN, user="olivia")
        self.posternctl("domain set globex.example mode=hold", user="olivia")
        assert "olivia" in self.posternctl("audit limit=1")
        self.posternctl("domain set globex.example mode=outbound-only", user="olivia")

    def thursday(self):
        """The certificate of Monday is about to expire, and is renewed."""
        self.begin("Thursday", 3, "tls.expiry")
        self.certify(90)
        self.expect_well()
        self.submit()

    def certify(self, days):
        live = "/etc/letsencrypt/live/mail.example.net"
        for path, source in zip(("fullchain.pem", "privkey.pem"), make_certificate(self.place, "mail.example.net", days=days)):
            self.machine.put("%s/%s" % (live, path), Path(source).read_text(encoding="ascii"), 0o600)
        if not self.machine.run("test -e /etc/postern/conf.d/tls.conf", code=None).code == 0:
            def instead(_, rest, __):
                return self.hook().out if rest == "certbot" else None
            Page(self.machine, self.world.page.build, "doc/certificates.md").run("Copies by a deploy hook", instead)
        self.hook()

    def hook(self):
        return self.machine.run("RENEWED_LINEAGE=/etc/letsencrypt/live/mail.example.net /usr/local/sbin/deploy-certificate")

    def friday(self):
        """The relay refuses for a while, and an account is stolen."""
        self.begin("Friday", 4)
        relay = self.world.sinks["relay"]
        relay.replies["MAIL"] = "451 4.3.0 come back later"
        for _ in range(20):
            self.submit()
        wait_until(lambda: "come back later" in self.posternctl("queue list"), "the reason of the delay")
        stolen = self.submit(login="clerk7@globex.example")
        self.posternctl("account disable clerk7@globex.example reason=stolen --hold")
        with self.dialog() as dialog:
            dialog.starttls()
            dialog.hello()
            assert "stolen" in dialog.auth("clerk7@globex.example", PASSWORD).text
        wait_until(lambda: stolen in self.posternctl("queue list state=held"), "the hold")
        relay.replies.clear()
        self.posternctl("account enable clerk7@globex.example")
        self.posternctl("queue release %s" % stolen)
        self.check_books()

    def saturday(self):
        """An upgrade while mail flows, and the daemon is killed."""
        self.begin("Saturday", 5)
        machine, stop = self.machine, threading.Event()

        def send():
            while not stop.is_set():
                try:
                    self.submit()
                except (OSError, AssertionError, EOFError):  # the daemon is away: it was not acknowledged
                    time.sleep(0.1)
        sender, before = threading.Thread(target=send), len(self.sent)
        sender.start()
        try:
            self.world.page.build.install(machine)
            machine.run("systemctl daemon-reload && posternd -t && systemctl restart postern")
            assert "postern.conf.new" in machine.run("ls /etc/postern").out
            begun = time.monotonic()
            machine.run("systemctl kill --signal=KILL --kill-whom=main postern")
            self.repeatable = {subject for subject, when in list(self.composed.items()) if when > begun - 5}
            wait_until(lambda: machine.run("posternctl status", code=None).code == 0, "the start after the kill")
        finally:
            stop.set()
            sender.join()
        self.say("%d messages were acknowledged meanwhile" % (len(self.sent) - before))
        assert len(self.sent) > before + 10
        assert machine.show("postern", "NRestarts") == "1"
        self.submit()
        self.check_books()

    def sunday(self):
        """A backup; directory and store move to a Redis, which then fails."""
        self.begin("Sunday", 6)
        machine = self.machine
        self.posternctl("backup /root/sunday")
        assert "is whole" in self.posternctl("restore --dry-run /root/sunday")
        accounts = self.posternctl("export")
        with machine.network():
            self.redis = Redis(self.place / "redis")
        machine.run("systemctl stop postern")
        for n, kind in enumerate(("directory", "store")):
            self.posternctl("store copy sqlite:/var/lib/postern/%s.db %s" % (kind, self.redis.url(n)))
            self.change("/etc/postern/postern.conf", r"^at = sqlite:/var/lib/postern/%s.db" % kind, "at = " + self.redis.url(n))
        machine.run("posternd -t && systemctl start postern")
        assert self.posternctl("export") == accounts
        self.submit()
        self.redis.stop()
        self.expect_alarm("directory.away", code=2)
        self.submit()
        refused = machine.run("posternctl account disable clerk9@globex.example reason=test", code=1).err
        assert "no account" not in refused, refused
        with machine.network():
            self.redis.start()
        self.expect_well()
        self.receive()
        self.check_books()

    DAYS = (monday, tuesday, wednesday, thursday, friday, saturday, sunday)

    def replay(self):
        for day in self.DAYS:
            day(self)
            self.expect_well()

    def close(self):
        if self.redis:
            self.redis.stop()


def main():
    place, world, week = Path(tempfile.mkdtemp(prefix="postern-week-")), None, None
    try:
        world = World(place)
        week = Week(world, place)
        week.replay()
        return 0
    except booted.Impossible as error:
        print(error, file=sys.stderr)
        return CANNOT
    finally:
        if week:
            week.close()
        if world:
            world.close()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
