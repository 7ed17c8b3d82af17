"""Servers that accept connections and say nothing, or not enough: what they hold up, and for how long."""
import re
import socket
import threading
import time

import pytest

from postern import LOGIN, PATIENCE, Postern, Sink, wait_until


class Silent:
    """Accepts and keeps every connection; says `greeting`, and nothing else."""

    def __init__(self, greeting=b"", host="127.0.0.1"):
        self.greeting, self.kept = greeting, []
        self.listener = socket.create_server((host, 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.kept.append(connection)
            connection.sendall(self.greeting)

    def close(self):
        self.listener.close()
        for connection in self.kept:
            connection.close()


def route(name, port, **more):
    return {"route %s" % name: {"to": "%s.example" % name, "next-hop": "smtp:[127.0.0.1]:%d" % port, "tls": "none", **more}}


@pytest.fixture
def start(tmp_path):
    things = []

    def begin(options, sink):
        daemon = Postern(tmp_path / "postern", {**options, "log": {"level": "info"}}, sink=sink)
        things.append(daemon)
        return daemon
    yield begin
    for thing in things:
        thing.stop()


def send(postern, *recipients):
    with postern.smtp() as client:
        client.login()
        return client.mail(recipients=list(recipients))


def test_silent_server(start):
    """Q-20 a server that has never answered is left after greeting-timeout."""
    silent, sink = Silent(), Sink()
    postern = start({**route("silent", silent.port), "delivery": {"greeting-timeout": "2s", "retry": "300s .. 4000s"}}, sink)
    before = time.monotonic()
    queue_id = send(postern, "r@silent.example")
    postern.wait_log("deferred .*queue=%s" % queue_id, 20)
    assert 1.5 < time.monotonic() - before < 15
    silent.close()


def test_one_address_under_many_names(start):
    """Q-20 one address has per-destination connections, whatever names lead to it; other mail passes meanwhile."""
    silent, sink = Silent(), Sink()
    options = {"delivery": {"greeting-timeout": "30s", "per-destination": "3"}}
    names = ["name%d" % n for n in range(20)]
    for name in names:  # next hops of their own: each has another name for the same address
        options.update(route(name, silent.port))
        options["route %s" % name]["next-hop"] = "smtp://%s@[127.0.0.1]:%d" % (name, silent.port)
        options["route %s" % name]["password"] = "secret"
    postern = start(options, sink)
    send(postern, *("r@%s.example" % name for name in names))
    wait_until(lambda: len(silent.kept) >= 3, "connections")
    send(postern, "r@example.org")
    sink.wait(1)
    time.sleep(2.5)  # those that wait ask again each second
    assert len(silent.kept) == 3
    silent.close()


def test_dripping_reply(start):
    """Q-20 a server that sends one line of its reply now and then does not keep a transaction for ever."""
    def drip(argument):
        time.sleep(1)
        return "250-2.1.0 still\n250 2.1.0 Ok"
    slow, sink = Sink(replies={"RCPT": drip}, extensions=("8BITMIME",)), Sink()
    postern = start({**route("drip", slow.port), "delivery": {"attempt-timeout": "1s", "retry": "300s .. 4000s"}}, sink)
    before = time.monotonic()
    queue_id = send(postern, *("r%d@drip.example" % n for n in range(12)))
    postern.wait_log("delivered .*queue=%s|deferred .*queue=%s" % (queue_id, queue_id), PATIENCE)
    assert time.monotonic() - before < 20  # a second, and one for each recipient, and not twelve times five minutes
    slow.close()


def test_final_reply_has_its_own_time(start):
    """Q-20 a server that thinks about the content for longer than the attempt may take gets the message once."""
    def think(message):
        time.sleep(4)
        return "250 2.0.0 Ok: taken"
    slow, sink = Sink(replies={".": think}), Sink()
    postern = start({**route("think", slow.port), "delivery": {"attempt-timeout": "1s", "retry": "1s .. 1s"}}, sink)
    send(postern, "r@think.example")
    slow.wait(1)
    postern.wait_log("delivered .*to=r@think.example")
    time.sleep(1.5)
    assert len(slow.messages) == 1
    slow.close()
