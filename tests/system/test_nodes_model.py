"""Random traffic, cuts, delays and restarts over three nodes that share a Redis, against the rules of doc/cluster.md: what is
accepted stays within its bound, and everything that was accepted is counted once when all is well again.

MODEL_SECONDS is how long it goes on (default 30), MODEL_SEED the seed of a run that is to be repeated; threads and the
network make each run a little different."""
import os
import random
import signal
import threading
import time

from postern import PASSWORD, wait_until
from test_limits_nodes import is_away, make_node, used  # noqa: F401
from test_redis import pytestmark, redis  # noqa: F401

NODES, FAULTS = 3, 6.0  # seconds of faults in each round
DAY = 86400


class Traffic:
    """Clients of one account at one node."""

    def __init__(self, node, login, seed):
        self.node, self.login, self.random = node, login, random.Random(seed)
        self.accepted = self.uncertain = 0
        self.is_waiting = False
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.is_set():
            try:
                with self.node.session(self.login, PASSWORD) as dialog:
                    while not self.stopping.is_set():
                        self.message(dialog)
                        self.stopping.wait(self.random.uniform(0, 0.15))
            except (OSError, AssertionError):  # it was killed, or starts
                self.uncertain += self.is_waiting
                self.is_waiting = False
                self.stopping.wait(0.05)

    def message(self, dialog):
        if dialog.ask("MAIL FROM:<%s>" % self.login).code != 250:
            return
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        dialog.expect("354", "DATA")
        self.is_waiting = True
        dialog.send_raw(b"Subject: model\r\n\r\n.\r\n")
        reply = dialog.reply()
        self.is_waiting = False
        self.accepted += reply.code == 250
        assert reply.code in (250, 450, 451), reply

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Chaos:
    def __init__(self, nodes, redis, seed):  # noqa: F811
        self.nodes, self.redis, self.random, self.done = nodes, redis, random.Random(seed), []

    def restart(self, node):
        if self.random.random() < 0.6:
            node.kill()
        else:
            node.stop()
        node.start()

    def freeze_redis(self, _):
        self.redis.signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.1, 1.5))
        self.redis.signal(signal.SIGCONT)

    def restart_redis(self, _):
        self.redis.stop()
        self.redis.start()

    def step(self):
        acts = [("cut", 3, lambda node: node.link.cut()), ("stop", 2, lambda node: node.link.stop()),
                ("stop back", 3, lambda node: node.link.stop("back")), ("stop out", 1, lambda node: node.link.stop("out")),
                ("slow", 3, lambda node: node.link.slow_down(0.02, self.random.choice((0.1, 0.2, 0.4)))),
                ("go", 8, lambda node: node.link.go()), ("restart", 1, self.restart),
                ("freeze", 1, self.freeze_redis), ("restart redis", 1, self.restart_redis)]
        name, _, act = self.random.choices(acts, [weight for _, weight, _ in acts])[0]
        node = self.random.choice(self.nodes)
        self.done.append("%s %d" % (name, self.nodes.index(node) + 1))
        act(node)
        time.sleep(self.random.uniform(0.05, 0.7))

    def go_on(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()

    def heal(self):
        for node in self.nodes:
            node.link.go()
        for node in self.nodes:
            wait_until(lambda node=node: not is_away(node), "the store of a node", 30)


def marks(nodes):
    return [len(node.log()) for node in nodes]


def were_away(nodes, since):
    """How many nodes were without the store since then."""
    return sum("alarm=store.away" in node.log()[mark:] for node, mark in zip(nodes, since))


def spend_the_rest(nodes, login, limit):
    """What is accepted when all is well; a node remembers for some seconds that a limit was passed."""
    accepted, end = 0, time.monotonic() + 30
    while used(nodes[0], login) < limit and time.monotonic() < end:
        for node in nodes:
            with node.session(login, PASSWORD) as dialog:
                traffic = Traffic.__new__(Traffic)
                traffic.login, traffic.accepted = login, 0
                for _ in range(limit):
                    before = traffic.accepted
                    traffic.message(dialog)
                    if traffic.accepted == before:
                        break
                accepted += traffic.accepted
        time.sleep(0.2)
    return accepted


def play_round(nodes, redis, seed, number):  # noqa: F811
    chance = random.Random("%s/%d" % (seed, number))
    login, limit = "user%d@example.net" % number, chance.randrange(12, 90)
    for node in nodes:
        node.add_account(login, PASSWORD, "limits.messages=%d/1d" % limit)
    since = marks(nodes)
    chaos = Chaos(nodes, redis, chance.random())
    traffic = [Traffic(node, login, chance.random()) for node in nodes for _ in range(2)]
    try:
        chaos.go_on(FAULTS)
    finally:
        redis.signal(signal.SIGCONT)
        for each in traffic:
            each.stop()
    chaos.heal()
    accepted, uncertain = sum(each.accepted for each in traffic), sum(each.uncertain for each in traffic)
    away = were_away(nodes, since)
    what = "seed %s, round %d: limit %d, accepted %d, uncertain %d, %d nodes away; %s" % (
        seed, number, limit, accepted, uncertain, away, ", ".join(chaos.done))
    print(what)
    assert accepted <= limit + away * max(limit // NODES, 1), what
    known = lambda: {used(node, login) for node in nodes}
    try:
        wait_until(lambda: len(known()) == 1 and accepted <= min(known()) <= accepted + uncertain, "the counters", 10)
    except AssertionError:
        raise AssertionError("%s; counted %s" % (what, known())) from None
    counted = min(known())
    rest = spend_the_rest(nodes, login, limit)
    assert rest == max(limit - counted, 0), "%s; counted %d, and %d more were accepted" % (what, counted, rest)
    return accepted


def test_three_nodes(make_node, redis):  # noqa: F811
    """R-30 R-31 R-33 accepted <= limit + parts of the nodes that were away; nothing is lost or counted twice; nobody is locked out."""
    seed = os.environ.get("MODEL_SEED") or str(random.randrange(10 ** 9))
    print("MODEL_SEED=%s" % seed)
    while time.time() % DAY > DAY - 600:
        time.sleep(1)
    nodes = [make_node({"nodes": NODES, "recipients": "off", "bytes": "off"}, number=i + 1) for i in range(NODES)]
    end, number, accepted = time.monotonic() + float(os.environ.get("MODEL_SECONDS", 30)), 0, 0
    while number == 0 or time.monotonic() < end:
        number += 1
        accepted += play_round(nodes, redis, seed, number)
    print("%d rounds, %d messages" % (number, accepted))
