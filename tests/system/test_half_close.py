"""A client that shuts its sending side has said all that it will say: everything is processed, every reply sent."""
import socket
import ssl

import pytest

from postern import LOGIN, client_tls, wait_until

MESSAGE = "MAIL FROM:<%s>\r\nRCPT TO:<rcpt@example.org>\r\nDATA\r\n%s\r\n.\r\n"
SMALL = "Subject: small\r\n\r\nHello."
LARGE = "Subject: large\r\n\r\n" + "\r\n".join(["x" * 70] * 12000)   # goes to a file, which workers write


def closing(dialog, octets):
    """The replies to what is sent together with the end."""
    dialog.send_raw(octets.encode())
    dialog.socket.shutdown(socket.SHUT_WR)
    return codes(dialog)


def codes(dialog):
    lines = []
    while line := dialog.line():
        lines.append(line)
    return [int(line[:3]) for line in lines if line[3] == " "]


class TlsPipe:
    """TLS over octets in memory, so that a close_notify can be sent without reading on."""

    def __init__(self, dialog):
        self.socket, self.incoming, self.outgoing = dialog.socket, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client_tls().wrap_bio(self.incoming, self.outgoing)
        self.turn(self.tls.do_handshake)

    def flush(self):
        octets = self.outgoing.read()
        if octets:
            self.socket.sendall(octets)

    def turn(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                octets = self.socket.recv(65536)
                self.incoming.write(octets) if octets else self.incoming.write_eof()
            finally:
                self.flush()

    def sendall(self, octets):
        self.tls.write(octets)
        self.flush()

    def recv(self, size):
        try:
            return self.turn(lambda: self.tls.read(size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def end(self):
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()

    def close(self):
        self.socket.close()


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_message_and_end(shared, content):
    """E-19 message, final dot and end of input in one go: the message is queued, and the client is told so."""
    before = shared.accepted()
    with shared.session() as session:
        assert closing(session, MESSAGE % (LOGIN, content)) == [250, 250, 354, 250]
    assert shared.accepted() == before + 1


def test_chunks_and_end(shared):
    """E-19 the same of BDAT, and of several messages with QUIT behind them."""
    before = shared.accepted()
    chunk = "MAIL FROM:<%s>\r\nRCPT TO:<rcpt@example.org>\r\nBDAT %d LAST\r\n%s" % (LOGIN, len(SMALL), SMALL)
    with shared.session() as session:
        assert closing(session, chunk) == [250, 250, 250]
    with shared.session() as session:
        assert closing(session, MESSAGE % (LOGIN, SMALL) * 3 + chunk + "QUIT\r\n") == \
            [250, 250, 354, 250] * 3 + [250, 250, 250, 221]
    assert shared.accepted() == before + 5


def test_authentication_and_end(shared):
    """E-19 a reply that a worker earns, too."""
    with shared.smtp() as dialog:
        dialog.hello()
        assert closing(dialog, "AUTH PLAIN AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA==\r\n") == [235]


def test_end_without_dot(shared):
    """E-19 a message that did not end is none."""
    before = shared.accepted()
    with shared.session() as session:
        assert closing(session, (MESSAGE % (LOGIN, SMALL)).removesuffix(".\r\n")) == [250, 250, 354]
    with shared.session() as session:
        assert closing(session, "NOOP\r\nNOO") == [250]
    with shared.session() as session:
        assert closing(session, "") == []
    assert shared.accepted() == before


@pytest.mark.parametrize("ends", ["close_notify", "FIN"])
def test_end_within_tls(shared, ends):
    """E-19 TLS ends one side at a time, too (RFC 8446 6.1); many clients send a FIN without it."""
    before = shared.accepted()
    with shared.smtp() as dialog:
        dialog.hello()
        dialog.expect("220", "STARTTLS")
        dialog.socket = pipe = TlsPipe(dialog)
        dialog.login()
        dialog.send_raw((MESSAGE % (LOGIN, LARGE)).encode())
        pipe.end() if ends == "close_notify" else pipe.socket.shutdown(socket.SHUT_WR)
        assert codes(dialog) == [250, 250, 354, 250]
    assert shared.accepted() == before + 1


def test_end_of_both_sides(shared):
    """A client that is gone altogether does not keep its connection."""
    with shared.session() as session:
        session.send_raw((MESSAGE % (LOGIN, LARGE)).encode())
    wait_until(lambda: "· 0 connections" in shared.ctl("status"), "the end of the connection")
