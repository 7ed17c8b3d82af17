"""Limits over nodes that share a Redis, while it comes and goes: R-30 to R-33 of doc/behaviours.md."""
import os
import random
import threading
import time

import pytest

from link import Link
from postern import LOGIN, Dialog, wait_until
from test_redis import pytestmark, redis  # noqa: F401

PLUGINS = {"plugins": "auth limits"}


@pytest.fixture
def make_node(make_postern, sink, redis):  # noqa: F811
    """Nodes with a link of their own to the Redis of all, and a directory of their own."""
    links = []

    def make(limits, number=1):
        link = Link(redis.port)
        links.append(link)
        node = make_postern({"server": {**PLUGINS, "node": number}, "store": {"at": link.url(), "deadline": "300ms"},
                             "plugin limits": limits}, sink=sink)
        node.link = link
        return node
    yield make
    for link in links:
        link.close()


def is_away(node):
    return "store.away" in node.alarms()


def used(node, login=LOGIN, window=86400):
    rows = [row for row in node.ctl("usage", login, json=True) if row["what"] == "messages" and row["window"] == window]
    return int(rows[0]["used"]) if rows and str(rows[0]["used"]).isdigit() else None


def try_to_send(dialog, sender=LOGIN):
    """The code of the reply that decided."""
    mail = dialog.ask("MAIL FROM:<%s>" % sender)
    if mail.code != 250:
        return mail.code
    dialog.expect("250", "RCPT TO:<rcpt@example.org>")
    return dialog.data("Subject: test\n\nHello.\n").code


def send_some(node, n, login=LOGIN):
    """How many of them were accepted."""
    accepted = 0
    with node.session(login) as dialog:
        for _ in range(n):
            accepted += try_to_send(dialog, login) == 250
    return accepted


def heal(*nodes):
    for node in nodes:
        node.link.go()
    for node in nodes:
        wait_until(lambda node=node: not is_away(node), "the store")


def test_one_part_for_all_outages(make_node):
    """R-30 an outage gives a node its part of the limit once a window, not once an outage."""
    node = make_node({"messages": "90/1d", "nodes": "3"})
    alone = 0
    for _ in range(4):
        node.link.cut()
        wait_until(lambda: is_away(node), "the alarm")
        alone += send_some(node, 40)
        heal(node)
        wait_until(lambda: used(node) == alone, "what was counted alone")
    assert alone == 30
    assert send_some(node, 90) == 60


def test_round_trips_around_the_deadline(make_node):
    """R-31 what was refused because the store did not answer in time is not counted, what was accepted is, once."""
    node = make_node({"messages": "1000/1d", "nodes": "3"})
    accepted = 0
    for least, most in ((0.05, 0.3), (0.1, 0.2), (0, 0.4)):
        node.link.slow_down(least, most)
        accepted += send_some(node, 12)
        heal(node)
        accepted += send_some(node, 3)
    wait_until(lambda: used(node) == accepted, "%d" % accepted, 5)


def test_settlement_whose_reply_is_lost(make_node):
    """R-31 a debt is booked once, though its settlement is done several times and no reply arrives."""
    node = make_node({"messages": "90/1d", "nodes": "3"})
    node.link.cut()
    wait_until(lambda: is_away(node), "the alarm")
    alone = send_some(node, 25)
    for _ in range(4):
        heal(node)
        node.link.stop("back")
        alone += send_some(node, 1)
        wait_until(lambda: is_away(node), "the alarm")
    heal(node)
    wait_until(lambda: used(node) == alone, "%d" % alone, 5)
    time.sleep(1)
    assert used(node) == alone and send_some(node, 91) == 90 - alone


def test_mail_under_way_when_the_store_disappears(make_node):
    """R-33 mail that is counted while the store goes away is counted by one of both: the store, or this node."""
    node = make_node({"messages": "1000/1d", "nodes": "1"})
    accepted = []

    def send_on(stopping):
        with node.session() as dialog:
            while not stopping.is_set():
                accepted.append(try_to_send(dialog) == 250)

    for _ in range(3):
        stopping = threading.Event()
        threads = [threading.Thread(target=send_on, args=(stopping,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        node.link.stop("back")
        wait_until(lambda: is_away(node), "the alarm")
        stopping.set()
        for thread in threads:
            thread.join()
        heal(node)
    wait_until(lambda: used(node) == sum(accepted), "%d" % sum(accepted), 5)


def test_nodes_with_different_windows(make_node):
    """R-32 a change of windows node by node keeps what was counted; other windows of a node are its own matter."""
    one = make_node({"messages": "100/1d"})
    other = make_node({"messages": "100/1d 50/1h"}, number=2)
    third = make_node({"messages": "40/1h"}, number=3)
    while time.time() % 3600 > 3560:
        time.sleep(1)
    for node in (one, other, third, other, one):
        assert send_some(node, 2) == 2
    assert used(one) == used(other) == 8 and used(third, window=3600) == used(other, window=3600) == 6


def test_a_restart_while_the_store_is_away(make_node):
    """R-31 what a node counted alone survives its crash, and is not given again."""
    node = make_node({"messages": "90/1d", "nodes": "3"})
    assert send_some(node, 30) == 30
    node.link.cut()
    wait_until(lambda: is_away(node), "the alarm")
    assert send_some(node, 12) == 12
    node.kill()
    node.start()
    assert send_some(node, 40) == 8
    node.restart()
    assert send_some(node, 5) == 0
    heal(node)
    wait_until(lambda: used(node) == 50, "50", 5)


def test_attempts_while_the_store_is_away(make_node, sink):
    """R-34 R-35 held mail that is released and deferred is counted once, though the store is away at each attempt."""
    node = make_node({"messages": "1/1d", "nodes": "1", "at-limit": "hold"})
    node.reload({"delivery": {"retry": "1s .. 1s"}})
    node.send()
    held = node.send("held@example.org")
    sink.wait(1)
    node.link.cut()
    wait_until(lambda: is_away(node), "the alarm")
    sink.replies["RCPT"] = ["450 4.2.1 later"] * 3
    node.ctl("queue", "release", held)
    sink.wait(2)
    assert sum(verb == "RCPT" for verb, _ in sink.commands) == 5
    heal(node)
    wait_until(lambda: used(node) == 2, "2", 5)
