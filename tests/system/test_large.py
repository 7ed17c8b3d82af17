"""Large messages: they go through, and memory does not grow with them."""
import re
import subprocess

import pytest

from postern import BUILD, free_port

MIB = 1 << 20
LINE = b"x" * 70 + b"\r\n"


def anonymous_kib(postern):
    """What the daemon holds of its own: not what it maps of files."""
    with open("/proc/%d/status" % postern.process.pid, encoding="ascii") as status:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1))


class Hop:
    """smtp-sink of tests/bench: fast enough to be given this much."""

    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen([BUILD / "tests/bench/smtp-sink", "-p", str(self.port)], stdout=subprocess.DEVNULL)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def hop():
    hop = Hop()
    yield hop
    hop.close()


def test_memory_does_not_grow_with_the_message(make_postern, hop):
    """A message of 96 MiB comes in and goes out; the daemon then holds a few MiB more than before, at most."""
    postern = make_postern(sink=hop)

    def send(content):
        queue_id = postern.send(content=content)
        postern.wait_log(r"delivered queue=%s " % queue_id, seconds=60)
    send("Subject: small\n\nHello.\n")
    before = anonymous_kib(postern)
    send(b"Subject: large\r\n\r\n" + LINE * (96 * MIB // len(LINE)))
    assert anonymous_kib(postern) - before < 16 * 1024
