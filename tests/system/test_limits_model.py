"""Limits with at-limit = hold on one node: random traffic, windows, releases, restarts and store failures, and a reference that counts
along (R-31, R-34, R-35).  LIMITS_SEED gives the seed again that a failure names, LIMITS_STEPS how many steps there are (default 30)."""
import os
import random
import shutil
import signal
import time

import pytest

from postern import LOGIN, PASSWORD, Postern, wait_until
from test_counters_model import ClockedRedis
from test_reliability import Clock

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")

MOST, HOUR = 4, 3600


class World:
    """A node, its store and its clock; `used` of this hour, `passed` and `held` in all are the reference."""

    def __init__(self, place, sink, seed):
        self.random, self.sink, self.is_away = random.Random(seed), sink, False
        self.used = self.passed = self.held = 0
        self.has_forgotten = False
        self.clock = Clock(place / "clock")
        self.ahead = HOUR + 600 - int(time.time()) % HOUR  # ten minutes past an hour: the test ends before the next one
        self.clock.set(self.ahead)
        self.redis = ClockedRedis(place / "redis", self.clock)
        self.postern = Postern(place / "postern", {
            "server": {"plugins": "auth limits"}, "store": {"at": self.redis.url(), "deadline": "200ms"},
            "plugin limits": {"messages": "%d/1h" % MOST, "at-limit": "hold"}, "delivery": {"private-networks": "127.0.0.0/8"}},
            sink=sink, environment=self.clock.environment())

    def close(self):
        if self.redis.process.poll() is None:
            self.redis.signal(signal.SIGCONT)
        self.postern.stop()
        self.redis.stop()

    def send(self):
        for _ in range(self.random.randint(1, 3)):
            with self.postern.session(LOGIN, PASSWORD) as dialog:
                dialog.mail(LOGIN, "x@example.org")
            if self.used < MOST:
                self.used += 1
                self.passed += 1
            else:
                self.held += 1

    def next_hour(self):
        """Or a later one; what was held goes, as far as the limit lets it."""
        if self.is_away:
            return
        self.postern.stop()
        self.ahead += self.random.randint(1, 30) * HOUR
        self.clock.set(self.ahead)
        self.postern.start()
        self.used = min(self.held, MOST)
        self.passed += self.used
        self.held -= self.used

    def release(self):
        """One, by the operator: it goes, and counts.  Until when it was held last, a node that was started without its store does
        not know (postern-limits(7))."""
        if self.has_forgotten:
            return
        held = [row["id"] for row in self.postern.ctl("queue", "list", "state=held", json=True)]
        assert len(held) == self.held, (held, self.held)
        if held:
            self.postern.ctl("queue", "release", self.random.choice(held))
            self.used += 1
            self.passed += 1
            self.held -= 1

    def restart(self):
        time.sleep(0.3)  # what was delivered is on the disk then, and does not go once more
        self.postern.stop() if self.random.random() < 0.5 else self.postern.kill()
        self.postern.start()
        if self.is_away:
            self.has_forgotten = True
            wait_until(lambda: "store.away" in self.postern.alarms(), "the alarm")

    def fail_store(self):
        if self.is_away:
            return
        self.is_away = True
        self.redis.stop() if self.random.random() < 0.5 else self.redis.signal(signal.SIGSTOP)
        wait_until(lambda: "store.away" in self.postern.alarms(), "the alarm")

    def heal_store(self):
        if not self.is_away:
            return
        self.is_away = self.has_forgotten = False
        self.redis.signal(signal.SIGCONT) if self.redis.process.poll() is None else self.redis.start()
        wait_until(lambda: "store.away" not in self.postern.alarms(), "the end of the alarm")

    def counted(self):
        return [row["used"] for row in self.postern.ctl("usage", LOGIN, json=True) if row["what"] == "messages"]

    def check(self):
        wait_until(lambda: len(self.sink.messages) >= self.passed, "%d messages, and not %d" % (self.passed, len(self.sink.messages)))
        assert len(self.sink.messages) == self.passed
        self.postern.wait_queue(self.held, "state=held")
        if not self.is_away:
            try:
                wait_until(lambda: self.counted() == [self.used], "usage of %d" % self.used)
            except AssertionError:
                raise AssertionError("usage is %s instead of %d" % (self.counted(), self.used))


STEPS = [("send", 8), ("next_hour", 3), ("release", 2), ("restart", 2), ("fail_store", 2), ("heal_store", 4)]


def test_limits_model(tmp_path, sink):
    """R-31 R-34 R-35 each message is counted once, when it goes, whatever it waited for; never more go than the limit lets."""
    seed = int(os.environ.get("LIMITS_SEED", random.randrange(1 << 30)))
    steps = int(os.environ.get("LIMITS_STEPS", 30))
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
    except AssertionError as error:
        raise AssertionError("LIMITS_SEED=%d LIMITS_STEPS=%d, after %s: %s" % (seed, steps, " ".join(done), error)) from error
    finally:
        world.close()
