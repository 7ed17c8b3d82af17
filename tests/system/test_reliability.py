"""Next hops that hang, clocks that are wrong, commands while mail is being sent: what the queue promises then."""
import re
import struct
import time

import pytest

from postern import BUILD, PATIENCE, Postern, Sink, wait_until

SLOW, FAST = "slow@slow.example", "fast@example.org"
DAY = 86400


class Gate:
    """The answer of a next hop to the final dot, once the test opens it."""

    def __init__(self, reply="250 2.0.0 Ok: taken"):
        self.reply, self.asked, self.is_open = reply, 0, False

    def __call__(self, argument):
        self.asked += 1
        end = time.monotonic() + PATIENCE
        while not self.is_open and time.monotonic() < end:
            time.sleep(0.02)
        return self.reply


class Hops:
    """A fast next hop, and one that answers when its gate is open."""

    def __init__(self, place, options=None, **more):
        self.fast, self.slow, self.gate = Sink(), Sink(), Gate()
        self.slow.replies["."] = self.gate
        self.postern = Postern(place, {
            "route slow": {"to": "slow.example", "next-hop": "smtp:[127.0.0.1]:%d" % self.slow.port, "tls": "none"},
            "delivery": {"retry": "300s .. 4000s"}, **(options or {})}, sink=self.fast, **more)

    def send(self, *recipients):
        with self.postern.smtp() as client:
            client.login()
            return client.mail(recipients=list(recipients))

    def close(self):
        self.gate.is_open = True
        if self.postern.process.poll() is None:
            self.postern.stop()
        self.fast.close()
        self.slow.close()


@pytest.fixture
def hops(tmp_path):
    hops = Hops(tmp_path / "postern")
    yield hops
    hops.close()


def recipients(postern, queue_id):
    """{address: state} of `queue show`."""
    return dict(re.findall(r"<?([^\s<>]+@[^\s<>]+)>?:? +(pending|delivered|bounced|failed|removed)", postern.ctl("queue", "show", queue_id)))


def restart_without_gate(hops):
    hops.gate.is_open = True
    hops.postern.start()


def test_kill_with_hanging_hop(hops):
    """Q-10 what one next hop has is not sent to it again because another one hangs, not even after kill -9."""
    ids = [hops.send(SLOW, FAST) for _ in range(20)]
    hops.fast.wait(20)
    wait_until(lambda: hops.gate.asked > 0, "the slow next hop")
    time.sleep(0.3)  # results are durable 200 ms after they are known
    hops.postern.kill()
    restart_without_gate(hops)
    hops.postern.settle()
    assert len(hops.fast.messages) == len(ids) and {m.recipients[0] for m in hops.slow.messages} == {SLOW}
    assert len(hops.slow.messages) >= len(ids)


def test_queue_and_log_while_a_hop_hangs(hops):
    """Q-06 Q-10 the queue and the log know what was delivered while another next hop hangs."""
    queue_id = hops.send(SLOW, FAST)
    hops.postern.wait_log("delivered .*queue=%s .*to=%s" % (queue_id, FAST))
    assert re.search(r"%s.*delivered" % FAST, hops.postern.ctl("queue", "show", queue_id))
    assert re.search(r"%s.*pending" % SLOW, hops.postern.ctl("queue", "show", queue_id))


def test_commands_while_a_message_is_sent(hops):
    """Q-15 a command says what it cannot undo, and is not forgotten when that ends."""
    queue_id = hops.send(SLOW, "later@slow.example", FAST)
    hops.slow.replies["."] = gate = Gate("450 4.2.0 later")
    wait_until(lambda: hops.gate.asked + gate.asked > 0, "the slow next hop")
    hops.gate.reply = "450 4.2.0 later"
    said = hops.postern.ctl("queue", "hold", queue_id)
    assert "being delivered at this moment" in said and "held" in said, said
    assert ": held." not in said
    hops.gate.is_open = gate.is_open = True
    wait_until(lambda: hops.postern.queue("state=held"), "the hold")
    assert ": released." in hops.postern.ctl("queue", "release", queue_id)
    hops.postern.wait_queue(1, "state=deferred")
    assert ": removed." in hops.postern.ctl("queue", "remove", queue_id)
    assert "there is no message" in hops.postern.ctl("queue", "remove", queue_id, code=1)


def test_bounce_survives_a_kill(hops):
    """Q-08 Q-15 a message that was to be returned is returned, whatever happens to the daemon meanwhile."""
    hops.slow.replies["RCPT"] = "450 4.2.0 later"
    queue_id = hops.send(SLOW)
    hops.postern.wait_queue(1, "state=deferred")
    hops.postern.stop()
    hops.fast.close()  # the report has to wait: so does the message if the report is not durable yet
    hops.postern.start()
    assert "returned to the sender" in hops.postern.ctl("queue", "bounce", queue_id)
    hops.postern.kill()
    hops.fast = hops.postern.sink = Sink(port=hops.fast.port)
    hops.postern.start()
    report = hops.fast.wait(1)[0]
    assert report.sender == "" and "returned by the administrator" in report.text


def test_slow_hop_does_not_hold_up_others(hops):
    """Q-14 with hundreds of messages for a slow next hop, others are delivered at once, and verbs take effect at once."""
    with hops.postern.smtp() as client:
        client.login()
        for _ in range(300):
            client.mail(recipients=[SLOW])
    wait_until(lambda: hops.gate.asked > 0, "the slow next hop")
    before = time.monotonic()
    hops.send(FAST)
    hops.fast.wait(1)
    assert time.monotonic() - before < 5
    active = int(re.search(r"(\d+) under way", hops.postern.ctl("status")).group(1))
    assert active <= 20 + 10, active
    said = hops.postern.ctl("queue", "hold", "recipient=*@slow.example", "--yes")
    assert int(re.search(r": (\d+) held", said).group(1)) >= 300 - 40, said
    hops.gate.is_open = True
    wait_until(lambda: " 0 under way" in hops.postern.ctl("status"), "the end of deliveries")
    assert len(hops.slow.messages) <= 40


# ---- the clock ----

class Clock:
    """The wall clock of a posternd."""

    def __init__(self, path):
        self.path = path
        self.set(0)

    def set(self, seconds):
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds * 1000000))

    def environment(self):
        return {"LD_PRELOAD": str(BUILD / "tests/unit/service/.libs/redis-clock.so"),
                "POSTERN_TEST_CLOCK_AHEAD": str(self.path)}


@pytest.fixture
def clocked(tmp_path):
    clock = Clock(tmp_path / "clock")
    hops = Hops(tmp_path / "postern", {"delivery": {"retry": "1s .. 2s"}}, environment=clock.environment())
    hops.clock = clock
    yield hops
    hops.close()


def test_clock_excursion(clocked):
    """Q-13 six days ahead for some seconds: an alarm, nothing is bounced, and mail is tried as if nothing had happened."""
    clocked.slow.replies["RCPT"] = "450 4.2.0 later"
    for _ in range(20):
        clocked.send(SLOW)
    clocked.slow.wait_command("RCPT", 20)
    clocked.clock.set(6 * DAY)
    wait_until(lambda: "clock.jump" in clocked.postern.alarms(), "the alarm")
    clocked.clock.set(0)
    clocked.postern.wait_log("clock jumped .*seconds=-518[34]")
    assert "bounced" not in clocked.postern.log()
    clocked.slow.replies.clear()
    clocked.gate.is_open = True
    clocked.slow.wait(20, 30)


def test_clock_backwards(clocked):
    """Q-13 Q-17 an hour backwards makes no mail wait for an hour; ids still rise, also after a restart."""
    clocked.slow.replies["RCPT"] = "450 4.2.0 later"
    before = clocked.send(SLOW)
    clocked.postern.wait_queue(1, "state=deferred")
    clocked.clock.set(-3600)
    clocked.slow.replies.clear()
    clocked.gate.is_open = True
    clocked.slow.wait(1, 30)
    clocked.postern.restart()
    assert clocked.send(FAST) > before
