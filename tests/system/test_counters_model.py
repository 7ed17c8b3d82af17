"""Random traffic, windows, refusals, holds, restarts and store failures on one node, and a reference that counts along (R-20, R-21,
R-22, K-18), and two nodes.  COUNTERS_SEED gives the seed again that a failure names, COUNTERS_STEPS how many steps there are (default 60)."""
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest

from counters_model import FAILURES, LEAST, MOST_ERRORS, MOST_UNDELIVERABLE, Account, Client
from postern import LOGIN, PASSWORD, Postern, wait_until
from test_blocking import greeting
from test_redis import Redis
from test_reliability import Clock

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")

LOGINS = ["one@example.net", "two@example.net"]
CLIENTS = ["127.0.0.21", "127.0.0.22"]
OFF = {name: "off" for name in ("logins", "listed", "connections", "errors", "not-smtp", "probes", "relay-attempts", "rejects", "content")}


class ClockedRedis(Redis):
    def __init__(self, place, clock):
        self.clock = clock
        super().__init__(place)

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.place, "--appendonly", "yes",
             "--appendfsync", "always"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, **self.clock.environment()))
        wait_until(lambda: self.ask("PING") == "PONG", "redis-server")


class World:
    """A node, its store, its clock, and the reference."""

    def __init__(self, place, sink, seed):
        self.random, self.sink, self.ahead, self.outage = random.Random(seed), sink, 0, None
        self.clock = Clock(place / "clock")
        self.redis = ClockedRedis(place / "redis", self.clock)
        self.is_late_over, self.is_blind, self.number, self.markers, self.late = False, False, 0, 0, []
        self.bounced = self.accepted = 0
        sink.replies["RCPT"] = self.answer_rcpt
        self.postern = Postern(place / "postern", {
            "server": {"plugins": "blocking auth standing sender-rules"},
            "store": {"at": self.redis.url(), "deadline": "200ms"},
            "plugin blocking": {"auth-failures": "%d/1d" % FAILURES, "first": "5m", "repeat": "5m", "forever-after": "0",
                                "memory": "400d", **OFF},
            "plugin standing": {"least": LEAST, "most-errors": MOST_ERRORS, "most-undeliverable": MOST_UNDELIVERABLE},
            "delivery": {"retry": "1h .. 1h", "expire": "30d", "private-networks": "127.0.0.0/8"}},
            sink=sink, with_account=False, environment=self.clock.environment())
        self.postern.ctl("customer", "add", "acme")
        self.postern.ctl("domain", "add", "example.net", "customer=acme", "mode=outbound-only")
        for login in LOGINS:
            self.postern.add_account(login, PASSWORD)
        self.accounts = {login: Account() for login in LOGINS}
        self.clients = {client: Client() for client in CLIENTS}

    def close(self):
        if self.redis.process.poll() is None:
            self.redis.signal(signal.SIGCONT)
        self.postern.stop()
        self.redis.stop()

    def now(self):
        return time.time() + self.ahead

    def answer_rcpt(self, argument):
        if "gone" in argument:
            return "550 5.1.1 no such user"
        return ("550 5.1.1 no such user" if self.is_late_over else "450 4.2.0 later") if "late" in argument else None

    # -- steps --

    def metric(self, name):
        rows = {row["metric"]: int(row["value"]) for row in self.postern.ctl("metrics", json=True)}
        return rows.get(name, 0)

    def send(self):
        """One message to some recipients; the server refuses some at once, others after a day or two."""
        login, kinds = self.random.choice(LOGINS), self.random.choices(["ok", "gone", "late"], [6, 2, 2], k=self.random.randint(1, 6))
        account = self.accounts[login]
        if not account.is_enabled:
            return
        self.number += 1
        recipients = ["%s-%d-%d@example.org" % (kind, self.number, i) for i, kind in enumerate(kinds)]
        self.sure_of_day()
        with self.postern.session(login) as dialog:
            dialog.mail(login, recipients)
            place = account.accept(self.now(), len(kinds))
        if account.holds:
            self.late += [(login, place)] * (len(kinds) - kinds.count("ok"))  # released with those that were put off
            return
        self.bounced += kinds.count("gone")
        self.wait_bounced()
        for _ in range(kinds.count("gone")):
            account.count(place, "undeliverable")
            self.judge()
        self.late += [(login, place)] * kinds.count("late")

    def refuse(self):
        login, many = self.random.choice(LOGINS), self.random.randint(1, 3)
        account = self.accounts[login]
        if self.random.random() < 0.5 and not self.outage:
            self.postern.ctl("account", "set", login, "on-refusal=" + self.random.choice(["automatic", "reject", "defer"]))
        self.sure_of_day()
        for _ in range(many):
            if not account.is_enabled:
                return
            with self.postern.session(login) as dialog:
                assert "5.7.1" in (reply := dialog.ask("MAIL FROM:<boss@example.com>")) or "4.7.1" in reply, reply
            account.count(account.place(self.now()), "errors")
            self.judge()
            self.check()

    def bounce_late(self):
        """What was put off is refused now, on whatever day it was accepted."""
        if self.outage:
            return
        for login, account in self.accounts.items():
            if account.holds:
                self.postern.ctl("account", "set", login, "standing.hold=")
                account.holds = False
        self.is_late_over = True
        wait_until(lambda: " 0 under way" in self.postern.ctl("status"), "the end of deliveries")
        self.postern.ask("queue", "release", "state=held", "--yes")
        self.postern.ask("queue", "retry", "recipient=*@example.org", "--yes")
        self.bounced += len(self.late)
        self.wait_bounced()
        for login, place in self.late:
            self.accounts[login].count(place, "undeliverable")
        self.late.clear()
        self.judge()
        self.is_late_over = False

    def hold(self):
        login = self.random.choice(LOGINS)
        if not self.accounts[login].is_enabled or self.outage:
            return
        self.postern.ctl("account", "set", login, "standing.hold=somebody looks at it")
        self.accounts[login].holds = True

    def switch(self):
        """Enables what is disabled, by whomever; now and then the operator disables one."""
        for login, account in self.accounts.items():
            if not account.is_enabled:
                self.postern.ctl("account", "enable", login)
                account.enable()
        if self.random.random() < 0.3:
            login = self.random.choice(LOGINS)
            self.postern.ctl("account", "disable", login, "reason=lost")
            self.accounts[login].is_enabled = False

    def fail(self):
        name = self.random.choice(CLIENTS)
        client = self.clients[name]
        for _ in range(self.random.randint(1, 4)):
            if client.blocked_until > self.now():
                return
            self.sure_of_day()
            with self.postern.smtp(source=name) as dialog:
                dialog.hello()
                assert dialog.auth(LOGINS[0], "wrong").code in (535, 421)
            client.fail(self.now(), self.outage is not None)
            self.check_client(name)

    def succeed(self):
        login, name = self.random.choice(LOGINS), self.random.choice(CLIENTS)
        account, client = self.accounts[login], self.clients[name]
        if not account.is_enabled or account.holds or client.blocked_until > self.now() or self.outage:
            return
        self.sure_of_day()
        with self.postern.smtp(source=name) as dialog:
            dialog.login(login, PASSWORD)
            dialog.mail(login, "ok@example.org")
        account.accept(self.now(), 1)
        client.succeed(self.now())

    def move_clock(self):
        if self.outage:
            return
        self.ahead += self.random.choice([600, 7200, 40000, 90000])
        self.clock.set(self.ahead)
        before = self.metric("store.round-trips")   # the node looks at the store's clock twice a second
        wait_until(lambda: self.metric("store.round-trips") >= before + 3, "a look at the store's clock")

    def fail_store(self):
        """Stopped (what it was asked is done when it wakes up), or killed."""
        if self.outage:
            return
        self.outage = self.random.choice(["stopped", "killed", "blink"])
        for client in self.clients.values():
            client.alone = 0
        if self.outage == "killed":
            self.redis.stop()
        else:
            self.redis.signal(signal.SIGSTOP)

    def heal_store(self):
        if not self.outage:
            return
        self.wait_observed()
        if self.outage == "killed":
            self.redis.start()
        else:
            self.redis.signal(signal.SIGCONT)
        self.outage, self.is_blind = None, False
        for name, client in self.clients.items():
            if client.is_block_alone and client.blocked_until > self.now():  # a look later it is in the store, for a restart, too
                wait_until(lambda: self.redis.ask("EXISTS", "postern:{block/}i:" + name) == "1", "the block of %s in the store" % name)
            client.heal()
        self.judge()

    def restart(self):
        """A clean stop, also while the store does not answer; or a crash when nothing is kept."""
        if self.outage:
            self.wait_observed()
            self.postern.stop()
            self.is_blind = True   # blocks are in the store
        else:
            self.wait_stored()
            self.postern.stop() if self.random.random() < 0.5 else self.postern.kill()
        self.postern.start()
        self.bounced = 0   # the metric begins anew
        for each in [*self.clients.values(), *self.accounts.values()]:
            each.restart()

    # -- what must hold --

    def sure_of_day(self):
        """No event is between two days of the reference and the plugin."""
        assert 5 < self.now() % 86400 < 86395 or self.outage, "the test runs at midnight: once more"

    def judge(self):
        if not self.outage:
            for account in self.accounts.values():
                account.judge()

    def wait_bounced(self):
        wait_until(lambda: self.metric("messages.bounced") >= self.bounced, "%d bounces" % self.bounced)

    def wait_observed(self):
        """Observers come one after the other, and nothing else shows that they are done: a client that fails last is blocked last."""
        self.markers += 1
        name = "127.0.%d.%d" % (1 + self.markers // 250, 1 + self.markers % 250)
        for _ in range(FAILURES):
            with self.postern.smtp(source=name) as dialog:
                dialog.hello()
                assert dialog.auth(LOGINS[0], "wrong").code in (535, 421)
        wait_until(lambda: not greeting(self.postern, name).startswith("220"), "the last event to be observed")

    def wait_stored(self):
        wait_until(lambda: self.metric("counts.kept") == 0, "counts to be stored")

    def found(self, login):
        rows = {row["of"]: row["count"] for row in self.postern.ctl("standing", "show", login, json=True)}
        return {name: rows[name] for name in ("errors", "undeliverable mail")}, "disabled" not in rows

    def check_account(self, login):
        account = self.accounts[login]
        found = []

        def agrees():
            try:
                found[:] = self.found(login)
            except AssertionError as error:     # the store is not back yet
                found[:] = ["nothing", str(error)]
            return found[1:] == [account.is_enabled] and (found[0] == account.shown(self.now()) or not account.is_enabled)
        try:
            wait_until(agrees, "agreement", 20)
        except AssertionError:
            raise AssertionError("%s: %s instead of %s" % (login, found, [account.shown(self.now()), account.is_enabled]))

    def check_client(self, name):
        client = self.clients[name]
        is_blocked = client.blocked_until > self.now()
        if is_blocked and self.is_blind:
            return
        wait_until(lambda: greeting(self.postern, name).startswith("220") != is_blocked,
                   "%s to be %s" % (name, "blocked" if is_blocked else "free"), 20)
        if self.outage:
            return
        wanted = [str(client.counted[int(self.now() // 86400)]), str(client.offences)]

        def agrees():
            rows = {row["what"]: row["value"] for row in self.postern.ctl("blocking", "show", name, json=True)}
            found[:] = [str(rows["auth-failures"]), str(rows["offences"])]
            return found == wanted
        found = []
        try:
            wait_until(agrees, "agreement", 20)
        except AssertionError:
            raise AssertionError("%s: failures and offences %s instead of %s" % (name, found, wanted))

    def check(self):
        if self.outage:
            return
        for login in LOGINS:
            self.check_account(login)
        for name in CLIENTS:
            self.check_client(name)


STEPS = [("send", 12), ("refuse", 6), ("fail", 5), ("bounce_late", 3), ("move_clock", 3), ("succeed", 2), ("hold", 1), ("switch", 3),
         ("fail_store", 2), ("heal_store", 4), ("restart", 2)]


def test_counters_model(tmp_path, sink):
    """R-20 R-21 R-22 K-18 whatever fails meanwhile, what is counted is what happened, once, and the same is disabled and blocked."""
    seed = int(os.environ.get("COUNTERS_SEED", random.randrange(1 << 30)))
    steps = int(os.environ.get("COUNTERS_STEPS", 60))
    print("COUNTERS_SEED=%d COUNTERS_STEPS=%d" % (seed, steps))
    world, done = World(tmp_path, sink, seed), []
    try:
        names, weights = zip(*STEPS)
        for _ in range(steps):
            done.append(world.random.choices(names, weights)[0])
            getattr(world, done[-1])()
            world.check()
        done.append("heal_store")
        world.heal_store()
        world.check()
        assert world.metric("counts.lost") == 0
    except AssertionError as error:
        raise AssertionError("COUNTERS_SEED=%d COUNTERS_STEPS=%d, after %s: %s" % (seed, steps, " ".join(done), error)) from error
    finally:
        world.close()


@pytest.fixture
def nodes(tmp_path, sink):
    """Two that share directory and store, and one clock."""
    clock = Clock(tmp_path / "clock")
    redis = ClockedRedis(tmp_path / "redis", clock)
    made = []
    for number in ("1", "2"):
        made.append(Postern(tmp_path / ("node" + number), {
            "server": {"plugins": "blocking auth standing sender-rules", "node": number},
            "directory": {"at": redis.url(0)}, "store": {"at": redis.url(1)},
            "plugin blocking": {"auth-failures": "%d/1d" % FAILURES, "first": "5m", "repeat": "5m", **OFF},
            "plugin standing": {"least": "4", "most-undeliverable": "30"},
            "delivery": {"retry": "1h .. 1h", "private-networks": "127.0.0.0/8"}},
            sink=sink, with_account=number == "1", environment=clock.environment()))
    yield made, clock
    for each in made:
        each.stop()
    redis.stop()


def fail_login(postern, client, n):
    for _ in range(n):
        with postern.smtp(source=client) as dialog:
            dialog.hello()
            assert dialog.auth(LOGIN, "wrong").code == 535


def counted(postern, client):
    return {row["what"]: row["value"] for row in postern.ctl("blocking", "show", client, json=True)}


def test_full_threshold_of_all_nodes(nodes):
    """K-18 nodes count together, and what blocked on one starts again on all."""
    (one, other), clock = nodes
    client = CLIENTS[0]
    for offence in (1, 2):
        fail_login(one, client, 2)
        wait_until(lambda: counted(other, client)["auth-failures"] == 2, "two failures")
        assert greeting(other, client).startswith("220")
        fail_login(other, client, 1)
        for node in (one, other):
            wait_until(lambda: not greeting(node, client).startswith("220"), "the block, number %d" % offence)
            assert counted(node, client) | {"auth-failures": 0, "offences": offence} == counted(node, client)
        clock.set(offence * 7200)
        for node in (one, other):
            wait_until(lambda: greeting(node, client).startswith("220"), "the end of the block")


def test_beginning_of_all_nodes(nodes, sink):
    """R-21 enabled on one node, an account is not judged by what the other accepted before."""
    (one, other), _ = nodes
    sink.replies["RCPT"] = lambda argument: "450 4.2.0 later" if "late" in argument else None
    one.send(["late%d@example.org" % i for i in range(4)])
    one.wait_queue(1, "state=deferred")
    other.ctl("account", "disable", LOGIN)
    other.ctl("account", "enable", LOGIN)
    since = other.options("account", LOGIN)["enabled-since"][0]
    wait_until(lambda: one.options("account", LOGIN).get("enabled-since", [""])[0] == since, "the other node to know")
    one.send(["ok%d@example.org" % i for i in range(4)])
    sink.wait(1)
    sink.replies["RCPT"] = "550 5.1.1 no such user"
    one.ctl("queue", "retry", "recipient=*@example.org", "--yes")
    wait_until(lambda: len(re.findall("bounced .* to=late", one.log())) == 4, "four bounces")
    one.send(["gone@example.org"])     # observed behind those
    wait_until(lambda: "1 of 5 recipients" in one.ctl("standing", "show", LOGIN), "the last bounce")
    for node in (one, other):
        assert node.options("account", LOGIN)["enabled"][0] is True
    assert "1 of 5 recipients" in other.ctl("standing", "show", LOGIN)
