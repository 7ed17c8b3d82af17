"""Who abuses the daemon in tools/abuse, how, and at which rate: the classes below, in the order of ABUSERS.

As a program ("abuse_acts.py NAME", the target as JSON in the environment) it is one of them; see abuse_client.py."""
import asyncio
import base64
import itertools
import json
import os
import socket
import sys

from abuse_client import Abuser, Gone

SILENT_HOPS = ["127.10.%d.%d" % (i // 250, i % 250 + 1) for i in range(1000)]
PASSWORD = "mypassword"
REPORT = b"""From: <fbl@far.example>\r
To: <fbl@example.net>\r
Subject: FW: complaint\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
This is an email abuse report.\r
--b\r
Content-Type: message/feedback-report\r
\r
Feedback-Type: abuse\r
User-Agent: SomeLoop/1.0\r
Version: 1\r
Original-Rcpt-To: <%s@far.example>\r
Source-IP: 192.0.2.10\r
\r
--b\r
Content-Type: message/rfc822\r
\r
%s\r
--b--\r
"""


def auth(login, password=PASSWORD):
    return b"AUTH PLAIN " + base64.b64encode(b"\0%s\0%s" % (login.encode(), password.encode()))


INBOUND = (b"EHLO abuser.evil.test", b"MAIL FROM:<x@evil.test>", b"RCPT TO:<rcpt@hosted.example>")


class Submitter(Abuser):
    """Connections of an account."""
    login, source = "evil.test", "127.2.0.1"

    def login_of(self, n):
        return self.login

    async def open(self, n):
        peer = await self.connect("submission", source=self.source)
        if (await peer.ask(b"EHLO abuser.evil.test", auth(self.login_of(n))))[1] != 235:
            peer.close()
            raise Gone
        return peer


class SilentHops(Submitter):
    name, source = "silent-hops", "127.1.0.1"
    about = "messages to 1,000 recipients each, whose next hops accept the connection and stay silent"
    unit, held, rate = "messages", 4, 0.5

    def login_of(self, n):
        return "silent%d@evil.test" % n

    async def serve(self):
        await asyncio.get_running_loop().create_server(asyncio.Protocol, SILENT_HOPS, 25)

    async def act(self, peer, n):
        codes = await peer.ask(b"MAIL FROM:<%s>" % self.login_of(n).encode())
        if codes != [250]:
            return 1
        for first in range(0, 1000, 100):
            await peer.ask(*(b"RCPT TO:<x@d%d.silent.evil.test>" % i for i in range(first, first + 100)))
        if await peer.ask(b"DATA") == [354]:
            await peer.content(b"Subject: many\r\n\r\nHello.\r\n")
        return 1


class Envelopes(Submitter):
    name, source = "envelopes", "127.2.0.1"
    about = "pipelined MAIL and RSET, each sender in another domain that must be looked up, and EHLO again and again"
    unit, held, rate, units = "commands", 8, 200, 55

    async def act(self, peer, n):
        lines = [line for _ in range(25)
                 for line in (b"MAIL FROM:<x@%s.null.evil.test>" % self.word(), b"RSET")]
        return len(await peer.ask(*lines, *[b"EHLO abuser.evil.test"] * 5))


class ReverseNames(Abuser):
    name = "reverse-names"
    about = "clients of ever new addresses, each with a PTR answer of 100 names, 20 KB"
    unit, held, rate, keeps = "connections", 8, 25, False

    async def open(self, n):
        client = "8.%d.%d.%d" % tuple(self.luck.randrange(1, 255) for _ in range(3))
        return await self.connect("proxied", proxied=client)

    async def act(self, peer, n):
        await peer.ask(b"EHLO abuser.evil.test")
        peer.close()
        return 1


class Collisions(Submitter):
    name, source, login = "collisions", "127.6.0.1", "evil.test"
    about = "recipients and domains whose names collide under the hash function of GLib"
    unit, held, rate, units = "recipients", 4, 300, 128
    words = ["".join(pair).encode() for pair in itertools.product(("ay", "c7"), repeat=10)]

    async def act(self, peer, n):
        await peer.ask(b"MAIL FROM:<x@one.null.evil.test>")
        first = self.luck.randrange(0, len(self.words) - 128)
        words = self.words[first:first + 128]
        codes = await peer.ask(*(b"RCPT TO:<%s@%s.silent.evil.test>" % (word, word) for word in words))
        await peer.ask(b"RSET")
        return len(codes)


class LogFlood(Abuser):
    name = "log-flood"
    about = "unknown commands, ten in a burst, and a new connection for the next ten"
    unit, held, rate, units, keeps = "commands", 40, 600, 10, False

    async def open(self, n):
        return await self.connect("submission", source="127.7.0.%d" % (n % 8 + 1))

    async def act(self, peer, n):
        codes = await peer.ask(*(b"FROBNICATE " + self.word(40) for _ in range(10)))
        peer.close()
        return len(codes)


class Unfinished(Abuser):
    name = "unfinished"
    about = "connections of one client that send DATA without end, to a local domain and without authentication"
    unit, held, rate, units = "KiB", 14, 8192, 64
    block = (b"x" * 998 + b"\r\n") * 65

    async def open(self, n):
        peer = await self.connect("inbound", source="127.8.0.1")
        await peer.ask(*INBOUND)
        if await peer.ask(b"DATA") != [354]:
            peer.close()
            raise Gone
        return peer

    async def act(self, peer, n):
        if peer.reader.at_eof():
            raise Gone
        peer.send(self.block)
        await peer.drain()
        return 64


class Dripping(Abuser):
    """Every two seconds an octet on each connection."""
    unit, held, rate = "octets", 100, 50

    async def act(self, peer, n):
        if peer.reader.at_eof():
            raise Gone
        peer.send(b"x")
        await peer.drain()
        return 1


class SlowCommands(Dripping):
    name, about = "slow-commands", "a command line of which an octet comes every two seconds"

    async def open(self, n):
        return await self.connect("submission", source="127.9.0.1")


class SlowData(Dripping):
    name, about = "slow-data", "a message of which an octet comes every two seconds"

    async def open(self, n):
        peer = await self.connect("inbound", source="127.9.0.2")
        await peer.ask(*INBOUND, b"DATA")
        return peer


class Deaf(Abuser):
    name, about = "deaf", "clients that send EHLO in bursts of fifty and read no reply"
    unit, held, rate = "bursts", 20, 8
    burst = b"EHLO abuser.evil.test\r\n" * 50

    async def open(self, n):
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.9.0.3", 0))
        deaf.setblocking(False)
        await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", self.target["ports"]["submission"]))
        return deaf

    async def act(self, peer, n):
        try:
            peer.send(self.burst)
        except BlockingIOError:
            pass   # it is waiting for us to read, which we do not
        return 1


class Handshakes(Abuser):
    name, about = "handshakes", "TLS handshakes that begin, grow by an octet every five seconds, and do not end"
    unit, held, rate = "octets", 50, 10

    async def open(self, n):
        peer = await self.connect("smtps", source="127.9.0.4", greet=False)
        peer.send(b"\x16\x03\x01\x02\x00\x01")
        return peer

    async def act(self, peer, n):
        if peer.reader.at_eof():
            raise Gone
        peer.send(b"\0")
        await peer.drain()
        return 1


class PrivateExchangers(Submitter):
    name, source = "private-exchangers", "127.10.255.1"
    about = "senders in ever new domains whose exchanger has an address of a private network"
    unit, held, rate, keeps = "senders", 10, 24, False
    units = 8

    async def act(self, peer, n):
        codes = [await peer.ask(b"MAIL FROM:<x@%s.private.evil.test>" % self.word()) for _ in range(8)]
        peer.close()
        return len(codes)


class Complaints(Abuser):
    name, about = "complaints", "forged complaints about the honest account, each of another person"
    unit, held, rate = "reports", 2, 4

    async def open(self, n):
        peer = await self.connect("inbound", source="127.11.0.%d" % (n + 1))
        await peer.ask(b"EHLO abuser.evil.test")
        return peer

    async def act(self, peer, n):
        await peer.ask(b"MAIL FROM:<fbl@far.example>", b"RCPT TO:<fbl@example.net>")
        if await peer.ask(b"DATA") != [354]:
            raise Gone
        await peer.content(REPORT % (self.word(), self.target["complained"].encode()))
        return 1


class Etrn(Abuser):
    name, about = "etrn", "ETRN without authentication, ten in a burst"
    unit, held, rate, units, keeps = "commands", 4, 80, 10, False

    async def open(self, n):
        peer = await self.connect("inbound", source="127.12.0.1")
        await peer.ask(b"EHLO abuser.evil.test")
        return peer

    async def act(self, peer, n):
        codes = await peer.ask(*(b"ETRN hosted.example" for _ in range(10)))
        peer.close()
        return len(codes)


class Strangers(Abuser):
    name = "strangers"
    about = "relay attempts, each from another address, by another sender, to another recipient: keys of the store"
    unit, held, rate, keeps = "attempts", 8, 20, False

    async def open(self, n):
        client = "11.%d.%d.%d" % tuple(self.luck.randrange(1, 255) for _ in range(3))
        return await self.connect("proxied", proxied=client)

    async def act(self, peer, n):
        await peer.ask(b"EHLO %s.example" % self.word(),
                       b"MAIL FROM:<%s@%s.evil.test>" % (self.word(), self.word()),
                       b"RCPT TO:<%s@%s.test>" % (self.word(), self.word()))
        peer.close()
        return 1


class Passwords(Abuser):
    name = "passwords"
    about = "wrong passwords, for an account that exists and for others, from ever new addresses"
    unit, held, rate, keeps = "attempts", 40, 10, False

    async def open(self, n):
        client = "12.%d.%d.%d" % tuple(self.luck.randrange(1, 255) for _ in range(3))
        return await self.connect("proxied", proxied=client)

    async def act(self, peer, n):
        login = self.luck.choice(("user@example.net", self.word().decode() + "@example.net"))
        await peer.ask(b"EHLO abuser.evil.test", auth(login, "wrong"))
        peer.close()
        return 1


class ControlCharacters(Abuser):
    name, about = "control-characters", "logins with control characters"
    unit, held, rate, keeps = "attempts", 20, 8, False
    nasty = ("\x1b]0;owned\x07", "\u009b31m", "a\nb", "\x7f", "\u202eevil", "\u2028x")

    async def open(self, n):
        return await self.connect("submission", source="127.16.0.1")

    async def act(self, peer, n):
        await peer.ask(b"EHLO abuser.evil.test", auth(self.luck.choice(self.nasty) + "@example.net", "x"))
        peer.close()
        return 1


class Contents(Submitter):
    name, source, login = "contents", "127.17.0.1", "content@evil.test"
    about = "messages of 0.3 to 2 MB: too many links, parts, levels, entities; archives with too many files"
    unit, held, rate = "messages", 4, 1

    async def act(self, peer, n):
        with open(self.luck.choice(self.target["contents"]), "rb") as file:
            content = file.read()
        await peer.ask(b"MAIL FROM:<content@evil.test>", b"RCPT TO:<rcpt@example.org>")
        if await peer.ask(b"DATA") != [354]:
            raise Gone
        await peer.content(content)
        return 1


class Connections(Abuser):
    name, about = "connections", "connections that are closed as soon as they are greeted"
    unit, held, rate, keeps = "connections", 10, 60, False

    async def open(self, n):
        return await self.connect("submission", source="127.18.0.%d" % (n % 4 + 1))

    async def act(self, peer, n):
        peer.close()
        return 1


class Aborts(Abuser):
    name, about = "aborts", "connections that are reset in the middle of a message"
    unit, held, rate, keeps = "connections", 8, 20, False

    async def open(self, n):
        return await self.connect("inbound", source="127.19.0.1")

    async def act(self, peer, n):
        await peer.ask(*INBOUND, b"DATA")
        peer.send(b"Subject: aborted\r\n\r\n" + b"x" * 70 + b"\r\n")
        await peer.drain()
        peer.abort()
        return 1


ABUSERS = {abuser.name: abuser for abuser in (
    SilentHops, Envelopes, ReverseNames, Collisions, LogFlood, Unfinished, SlowCommands, SlowData, Deaf, Handshakes,
    PrivateExchangers, Complaints, Etrn, Strangers, Passwords, ControlCharacters, Contents, Connections, Aborts)}

if __name__ == "__main__":
    asyncio.run(ABUSERS[sys.argv[1]](json.loads(os.environ["ABUSE_TARGET"])).live())
