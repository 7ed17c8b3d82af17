"""Nodes that share a Redis: clocks that differ, links that are slow or killed, one number twice, a Redis that is no master yet."""
import asyncio
import re
import shutil
import threading
import time

import pytest

from postern import LOGIN, PASSWORD, free_port, wait_until
from test_blocking import CLIENT, OTHER, greeting
from test_redis import answers, metric, redis  # noqa: F401
from test_reliability import Clock

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")


@pytest.fixture
def skewed(make_postern, tmp_path, redis):  # noqa: F811
    """Two nodes: the clock of the first is two minutes behind that of Redis, the other's two minutes ahead."""
    nodes = []
    for i, seconds in enumerate((-120, 120)):
        clock = Clock(tmp_path / ("clock%d" % i))
        clock.set(seconds)
        nodes.append(make_postern(redis.options(server={"plugins": "blocking auth", "node": str(i + 1)}), with_account=i == 0,
                                  environment=clock.environment()))
    return nodes


def is_blocked(node, client):
    return not greeting(node, client).startswith("220")


def test_a_block_of_a_node_whose_clock_is_wrong(skewed):
    """K-08 eight seconds are eight seconds on all nodes, whoever counts them."""
    for node, other, client in [(*skewed, CLIENT), (*reversed(skewed), OTHER)]:
        begun = time.monotonic()
        node.ctl("block", "add", client, "for=8s")
        wait_until(lambda: is_blocked(other, client), "the block on the other node")
        assert is_blocked(node, client)
        for each in (node, other):
            wait_until(lambda: not is_blocked(each, client), "its end")
        assert 7 < time.monotonic() - begun < 20


def test_the_later_end_wins(skewed):
    """K-02 K-08 a node that has not seen a block yet does not make it shorter."""
    for round in range(10):
        client = "127.0.1.%d" % (round + 1)
        skewed[0].ctl("block", "add", client, "for=forever")
        skewed[1].ctl("block", "add", client, "for=1m")  # at once
        for node in skewed:
            wait_until(lambda: greeting(node, client).startswith("554 5.7.1"), "for ever on both")
        wait_until(lambda: all(node.ctl("block", "list", json=True)[0]["until"] is None for node in skewed), "the lists")
        skewed[round % 2].ctl("block", "lift", client)
        for node in skewed:
            wait_until(lambda: not is_blocked(node, client), "the end on both")


def test_connections_to_redis_are_killed(make_postern, sink, redis):  # noqa: F811
    """O-41 logins do not notice: what was under way is asked again, and nothing counts as unavailable."""
    gate = make_postern(redis.options(), sink=sink)
    stop = threading.Event()

    def kill():
        while not stop.wait(0.1):
            redis.ask("CLIENT", "KILL", "TYPE", "normal")
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        replies = [answers(gate, "nobody%d@example.net" % n, PASSWORD).code for n in range(60)]
        replies += [answers(gate, LOGIN, PASSWORD).code for _ in range(60)]
    finally:
        stop.set()
        killer.join()
    assert replies == [535] * 60 + [235] * 60
    opened = int(re.search(r"total_connections_received:(\d+)", redis.ask("INFO", "stats")).group(1))
    assert opened > 40 and "directory.away" not in gate.log()


def test_one_round_trip_at_each_look(make_postern, redis):  # noqa: F811
    """O-42 a node without mail asks the directory twice a second, and the store less than three times."""
    gate = make_postern(redis.options())
    time.sleep(3)  # what only a start asks for
    begun, before = time.monotonic(), [metric(gate, name + ".round-trips") for name in ("directory", "store")]
    time.sleep(4)
    took = time.monotonic() - begun
    directory, store = [metric(gate, name + ".round-trips") - n for name, n in zip(("directory", "store"), before)]
    assert 0 < directory <= 2 * took + 5 and 0 < store <= 2.5 * took + 5, (directory, store, took)  # 5: the claim, levels


class SlowLink:
    """A port that leads to another one; each octet takes `delay` seconds on its way."""

    def __init__(self, port, delay):
        self.to, self.delay, self.port = port, delay, free_port()
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", self.port))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    async def serve(self, reader, writer):
        there = await asyncio.open_connection("127.0.0.1", self.to)
        await asyncio.gather(self.pass_on(reader, there[1]), self.pass_on(there[0], writer), return_exceptions=True)

    async def pass_on(self, reader, writer):
        while octets := await reader.read(65536):
            self.loop.call_later(self.delay, writer.write, octets)
        self.loop.call_later(self.delay, writer.close)

    async def end(self):
        tasks = asyncio.all_tasks(self.loop) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self):
        asyncio.run_coroutine_threadsafe(self.end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@pytest.fixture
def far(redis):  # noqa: F811
    """Round trips of 300 ms."""
    link = SlowLink(redis.port, 0.15)
    yield {"directory": {"at": "redis://127.0.0.1:%d/0" % link.port, "deadline": "2s"},
           "store": {"at": "redis://127.0.0.1:%d/1" % link.port, "deadline": "2s"}}
    link.close()


def seconds_until(condition, what):
    begun = time.monotonic()
    wait_until(condition, what)
    return time.monotonic() - begun


def is_refused(dialog):
    reply = dialog.ask("MAIL FROM:<%s>" % LOGIN)
    if reply.code == 250:
        dialog.ask("RSET")
    return reply.code != 250


def test_far_from_redis(make_postern, sink, redis, far):  # noqa: F811
    """O-42 a node that is 300 ms from Redis learns of a changed password and of a disabled account; how soon is printed."""
    near = make_postern(redis.options(server={"node": "1"}), sink=sink)
    other = make_postern({**far, "server": {"node": "2"}}, sink=sink, with_account=False)
    assert answers(other, LOGIN, PASSWORD).code == 235
    near.set_password(LOGIN, "another good secret")
    took = seconds_until(lambda: answers(other, LOGIN, PASSWORD).code == 535, "the new password")
    with other.smtp() as dialog:
        dialog.login(LOGIN, "another good secret")
        near.ctl("account", "disable", LOGIN)
        disabled = seconds_until(lambda: is_refused(dialog), "the end of the account")
    print("known after %.2f s and %.2f s" % (took, disabled))


def test_one_number_twice(make_postern, redis):  # noqa: F811
    """Q-19 I-29 two that were started without the Redis have one number: an alarm, and one of them alone holds the helpers' lease."""
    options = {"server": {"plugins": "iphelper", "node": "1"}, "plugin iphelper": {"scan": "1s"}}
    one = make_postern(redis.options(**options), with_account=False)
    key = "postern:i:plugin/iphelper/lease"
    holder = wait_until(lambda: redis.ask("-n", "1", "HGET", key, "v"), "the lease")
    assert holder.startswith("1 ")
    one.kill()
    redis.stop()
    other = make_postern(redis.options(**options), with_account=False, makes_ready=False)
    redis.start()
    wait_until(lambda: "node.number" in other.alarms(), "the alarm", 40)
    assert redis.ask("-n", "1", "HGET", key, "v") == holder
    assert redis.ask("-n", "1", "DEL", key) == "1"
    wait_until(lambda: redis.ask("-n", "1", "HGET", key, "v") not in ("", holder), "a lease of its own")


@pytest.mark.parametrize("section", ["directory", "store"])
def test_a_start_against_a_replica(make_postern, sink, redis, section):  # noqa: F811
    """O-43 it waits, with an alarm; it delivers what it has, once it can know how, and goes on when that is the master."""
    sink.replies["RCPT"] = "450 4.2.0 later"
    gate = make_postern({section: redis.options()[section], "delivery": {"retry": "1s .. 1s"}}, sink=sink)
    gate.send()
    gate.wait_queue(1, "state=deferred")
    gate.stop()
    redis.ask("REPLICAOF", "127.0.0.1", str(free_port()))
    sink.replies.clear()
    gate.start()
    assert "it is a replica" in gate.alarms()[section + ".away"]
    if section == "store":
        sink.wait(1)
    else:
        assert answers(gate, LOGIN, PASSWORD).text.startswith("454 4.7.0")
        gate.wait_queue(1)
    redis.ask("REPLICAOF", "NO", "ONE")
    wait_until(lambda: section + ".away" not in gate.alarms(), "the end of the alarm")
    wait_until(lambda: answers(gate, LOGIN, PASSWORD).code == 235, "logins")
    sink.wait(1)
