"""An honest client of tools/abuse: a message every 50 to 100 ms, each over a connection of its own, in a process of its own.

"abuse_honest.py KIND PORT FIRST-ID RECORD" runs until SIGTERM.  KIND is "submission" (an account's client on 127.0.0.1)
or "inbound" (a mail server at a public address, by PROXY, whose mail is for a local domain).  RECORD has a line for each
message: id, monotonic time in ns at which the connection began, ns until the reply to the content, the command whose reply
took longest, and "250" or what went wrong."""
import base64
import random
import signal
import socket
import sys
import time

LOGIN, PASSWORD = "user@example.net", "mypassword"
SENDERS = {"submission": LOGIN, "inbound": "news@example.org"}
RECIPIENTS = {"submission": "rcpt@example.org", "inbound": "rcpt@hosted.example"}
PEER = "9.9.9.9"     # the mail server
PAUSE = 0.05, 0.1    # seconds
PATIENCE = 120
CONTENT = """From: <%s>\r
To: <%s>\r
Subject: an honest message\r
X-Bench-Id: %d\r
\r
See https://www.example.org/news for more.\r
%s.\r
"""
FILLER = "A line of text of the size that lines of text have.\r\n" * 40


class Refused(Exception):
    pass


def ask(stream, times, line, code):
    """Sends a line, if there is one; the reply must have this code.  `times`: [(ns, command)]."""
    begin = time.monotonic_ns()
    if line is not None:
        stream.write(line.encode() + b"\r\n")
        stream.flush()
    while True:
        reply = stream.readline()
        if reply[3:4] != b"-":
            break
    times.append((time.monotonic_ns() - begin, "connect" if line is None else line[:4].strip()))
    if not reply.startswith(code):
        raise Refused(reply.decode("utf-8", "replace").strip() or "closed")


def send(kind, port, number, times):
    """One message over one connection."""
    sender, recipient = SENDERS[kind], RECIPIENTS[kind]
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection, connection.makefile("rwb") as stream:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kind == "inbound":
            stream.write(b"PROXY TCP4 %s 127.0.0.1 4711 25\r\n" % PEER.encode())
            stream.flush()
        ask(stream, times, None, b"220")
        ask(stream, times, "EHLO client.example.org", b"250")
        if kind == "submission":
            plain = base64.b64encode(("\0%s\0%s" % (LOGIN, PASSWORD)).encode()).decode()
            ask(stream, times, "AUTH PLAIN " + plain, b"235")
        ask(stream, times, "MAIL FROM:<%s>" % sender, b"250")
        ask(stream, times, "RCPT TO:<%s>" % recipient, b"250")
        ask(stream, times, "DATA", b"354")
        ask(stream, times, CONTENT % (sender, recipient, number, FILLER), b"250")


def main():
    kind, port, number, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    luck, is_ended = random.Random(kind), []
    signal.signal(signal.SIGTERM, lambda *_: is_ended.append(True))
    with open(path, "w", encoding="utf-8") as record:
        while not is_ended:
            begin, said, times = time.monotonic_ns(), "250", [(0, "connect")]
            try:
                send(kind, port, number, times)
            except (OSError, Refused) as error:
                said = str(error).replace("\n", " ")
            took, step = time.monotonic_ns() - begin, max(times)[1]
            record.write("%d %d %d %s %s\n" % (number, begin, took, step, said))
            record.flush()
            number += 1
            time.sleep(luck.uniform(*PAUSE))


if __name__ == "__main__":
    main()
