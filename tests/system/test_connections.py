"""How connections to a next hop are used: envelopes behind contents, and as many connections as what waits needs."""
import re
import socket
import threading
import time

import pytest

END = b"\r\n.\r\n"


class RawPeer:
    """An SMTP server over raw octets, which sees what comes together with what.

    `after_content(connection, waiting)` is called between a content and its reply, with the octets that followed the
    content at once; what it returns is the reply, b"" closes the connection.
    """

    def __init__(self, after_content=None, pipelining=True):
        self.after_content = after_content or (lambda connection, waiting: b"250 2.0.0 Ok\r\n")
        self.hello = b"250-peer\r\n250 PIPELINING\r\n" if pipelining else b"250 peer\r\n"
        self.contents, self.behind, self.connections = [], [], 0
        self.changed = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with self.changed:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self.serve, args=(connection, number), daemon=True).start()

    def serve(self, connection, number):
        try:
            connection.sendall(b"220 peer\r\n")
            waiting = b""
            while True:
                while b"\r\n" not in waiting:
                    waiting += self.receive(connection)
                line, waiting = waiting.split(b"\r\n", 1)
                verb = line[:4].upper()
                if verb == b"DATA":
                    connection.sendall(b"354 go on\r\n")
                    waiting = self.content(connection, number, waiting)
                elif verb == b"QUIT":
                    break
                else:
                    connection.sendall(self.hello if verb == b"EHLO" else b"250 2.0.0 Ok\r\n")
        except ConnectionError:
            pass
        connection.close()

    @staticmethod
    def receive(connection):
        octets = connection.recv(65536)
        if not octets:
            raise ConnectionError
        return octets

    def content(self, connection, number, waiting):
        while END not in waiting:
            waiting += self.receive(connection)
        content, waiting = waiting.split(END, 1)
        time.sleep(0.02)   # what was sent at once is there by now
        connection.setblocking(False)
        try:
            waiting += connection.recv(65536)
        except BlockingIOError:
            pass
        connection.setblocking(True)
        reply = self.after_content(number, waiting)
        if reply == b"":
            raise ConnectionError
        with self.changed:
            self.contents.append(content)
            self.behind.append(waiting)
            self.changed.notify_all()
        connection.sendall(reply)
        return waiting

    def wait(self, n, seconds=20):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.contents) >= n, seconds), \
                "%d contents came instead of %d" % (len(self.contents), n)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)   # wakes the thread in accept(), which close() alone does not
        self.listener.close()


@pytest.fixture
def make_peer():
    made = []

    def make(*arguments, **more):
        made.append(RawPeer(*arguments, **more))
        return made[-1]
    yield make
    for peer in made:
        peer.close()


def held(make_postern, peer, **delivery):
    return make_postern({"delivery": {"retry": "1s .. 1s", **delivery}}, sink=peer)


def subjects(peer):
    return sorted(int(re.search(rb"Subject: (\d+)", content).group(1)) for content in peer.contents)


def burst(postern, n):
    """n messages over one connection in one go, faster than they go out."""
    with postern.session() as session:
        for i in range(n):
            session.mail(content="Subject: %d\n\nHello.\n" % i)


def test_envelope_behind_content(make_postern, make_peer):
    """RFC 2920 3.1: MAIL, RCPT and DATA of the next message come with the content of the one before."""
    all_wait = threading.Event()

    def first_waits(number, waiting):
        all_wait.wait(60)
        return b"250 2.0.0 Ok\r\n"
    peer = make_peer(first_waits)
    postern = held(make_postern, peer, **{"per-destination": "1"})
    burst(postern, 20)
    all_wait.set()
    peer.wait(20)
    assert subjects(peer) == list(range(20)) and peer.connections == 1
    ahead = [octets for octets in peer.behind if octets]
    assert len(ahead) == 18   # not behind the first message of the connection, nor behind the last
    assert all(re.fullmatch(rb"MAIL FROM:<[^\r]*>[^\r]*\r\nRCPT TO:<[^\r]*>\r\nDATA\r\n", octets) for octets in ahead)


def test_without_pipelining(make_postern, make_peer):
    peer = make_peer(pipelining=False)
    postern = held(make_postern, peer, **{"per-destination": "1"})
    burst(postern, 10)
    peer.wait(10)
    assert subjects(peer) == list(range(10)) and not any(peer.behind)


def test_peer_cannot_bear_it(make_postern, make_peer):
    """A server that hangs up on what stands behind a content gets each message once, and later one by one."""
    lost, all_wait = [], threading.Event()

    def hang_up_behind(number, waiting):
        all_wait.wait(60)
        if waiting:
            lost.append(number)
            return b""
        return b"250 2.0.0 Ok\r\n"
    peer = make_peer(hang_up_behind)
    postern = held(make_postern, peer, **{"per-destination": "1"})
    burst(postern, 20)
    all_wait.set()
    peer.wait(20, seconds=40)
    postern.wait_queue(0)
    assert subjects(peer) == list(range(20))
    assert 1 <= len(lost) <= 3


def test_stalled_connection(make_postern, make_peer):
    """One connection on which nothing moves does not keep what waits behind it: others are opened."""
    free = threading.Event()

    def stall(number, waiting):
        if number == 1:
            free.wait(60)
        return b"250 2.0.0 Ok\r\n"
    peer = make_peer(stall)
    postern = held(make_postern, peer)
    burst(postern, 10)
    peer.wait(8, seconds=15)   # the one that stalls, and one that was to follow it, wait
    assert peer.connections >= 2
    free.set()
    peer.wait(10)
    assert subjects(peer) == list(range(10))


def test_far_peer_gets_more_connections(make_postern, make_peer):
    """What takes long is served over more connections, up to per-destination and never more."""
    def slow(number, waiting):
        time.sleep(0.5)
        return b"250 2.0.0 Ok\r\n"
    peer = make_peer(slow)
    postern = held(make_postern, peer, **{"per-destination": "4"})
    began = time.monotonic()
    burst(postern, 24)
    peer.wait(24, seconds=30)
    assert 3 <= peer.connections <= 4
    assert time.monotonic() - began < 10   # one connection alone takes 12 s
    assert subjects(peer) == list(range(24))


def test_peer_out_of_step(make_postern, make_peer):
    """One reply too many: the connection is given up before a message is taken for the content of another."""
    said = []

    def answer_twice(number, waiting):
        if not said:
            said.append(number)
            return b"250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n"
        return b"250 2.0.0 Ok\r\n"
    peer = make_peer(answer_twice)
    postern = held(make_postern, peer, **{"per-destination": "1"})
    burst(postern, 10)
    peer.wait(10)
    postern.wait_queue(0)
    assert subjects(peer) == list(range(10)) and peer.connections >= 2


class RefusingPeer(RawPeer):
    """Says 550 to MAIL and is gone."""

    def serve(self, connection, number):
        connection.sendall(b"220 peer\r\n")
        self.receive(connection)
        connection.sendall(self.hello)
        waiting = b""
        while b"DATA\r\n" not in waiting:
            waiting += self.receive(connection)
        connection.sendall(b"550 5.7.1 Not from you\r\n")
        connection.close()


def test_refused_and_hung_up(make_postern):
    """What a server refused for good is refused, even if it does not wait for the rest of the envelope."""
    peer = RefusingPeer()
    try:
        postern = held(make_postern, peer)
        postern.send()
        postern.wait_log(r"bounced .*550 5\.7\.1 Not from you")
    finally:
        peer.close()


class NarrowPeer(RawPeer):
    """Lets one connection in at a time, and takes its time to greet it."""

    def __init__(self, *arguments):
        self.room, self.turned_away = threading.Semaphore(1), 0
        super().__init__(*arguments)

    def serve(self, connection, number):
        if not self.room.acquire(blocking=False):
            self.turned_away += 1
            connection.sendall(b"421 4.7.0 Too many connections\r\n")
            connection.close()
            return
        try:
            time.sleep(0.5)
            super().serve(connection, number)
        finally:
            self.room.release()


def test_peer_wants_no_further_connection(make_postern):
    """A server that turns a second connection away gets all over the first one: nothing is deferred."""
    def slow(number, waiting):
        time.sleep(0.3)
        return b"250 2.0.0 Ok\r\n"
    peer = NarrowPeer(slow)
    try:
        postern = held(make_postern, peer, retry="60s .. 60s")
        burst(postern, 24)
        peer.wait(24, seconds=30)
        postern.wait_queue(0)
        assert subjects(peer) == list(range(24))
        assert peer.turned_away >= 1 and "deferred" not in postern.log()
    finally:
        peer.close()
