"""What the abusers of abuse_acts.py have in common: a connection to the daemon, a pace, and the life of their process.

A process first opens its connections and says "ready"; it stays silent until it reads "go", abuses until it reads "end", and
then prints one line of JSON: how many acts it did, in how many seconds, and how often each reply came."""
import asyncio
import collections
import json
import random
import re
import socket
import struct
import sys
import time

CATCH_UP = 1.0   # seconds of acts that may be made up for after a delay
RETRY = 0.2      # seconds until a connection that was lost is opened again
PATIENCE = 120   # seconds for a reply


class Gone(Exception):
    """The daemon closed the connection."""


class Peer:
    """A connection to the daemon; `replies` counts what it says, by code and enhanced code."""

    def __init__(self, reader, writer, replies):
        self.reader, self.writer, self.replies = reader, writer, replies

    @classmethod
    async def open(cls, port, replies, source=None, proxied=None, greet=True):
        """`source`: a loopback address; `proxied`: the client that a PROXY header names."""
        local = (source, 0) if source else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=local)
        peer = cls(reader, writer, replies)
        if proxied:
            peer.send(b"PROXY TCP4 %s 127.0.0.1 4711 25\r\n" % proxied.encode())
        if greet:
            await peer.reply()
        return peer

    def send(self, octets):
        self.writer.write(octets)

    async def drain(self):
        await self.writer.drain()

    async def reply(self):
        """The code of the next reply."""
        while True:
            line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
            if not line:
                raise Gone
            if line[3:4] == b" ":
                found = re.match(rb"(\d\d\d) (\d\.\d+\.\d+)?", line)
                self.replies[found.group().decode().strip() if found else "?"] += 1
                return int(line[:3])

    async def ask(self, *lines):
        """Sends the lines at once and reads a reply to each; the codes."""
        self.send(b"".join(line + b"\r\n" for line in lines))
        await self.drain()
        return [await self.reply() for _ in lines]

    async def content(self, octets):
        """Content of a message after 354, dots stuffed and lines ended by the caller; the code."""
        self.send(octets + b".\r\n")
        await self.drain()
        return await self.reply()

    def close(self):
        self.writer.close()

    def abort(self):
        """Ends the connection by RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                        struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Pace:
    """Lets so many units a second pass."""

    def __init__(self, rate):
        self.rate, self.due = rate, time.monotonic()

    async def wait(self, units):
        now = time.monotonic()
        self.due = max(self.due, now - CATCH_UP) + units / self.rate
        if self.due > now:
            await asyncio.sleep(self.due - now)


class Abuser:
    """One row of the table in abuse_acts.py; its subclasses say how a connection is made and what is done with it.

    `target`: what abuse.py knows: ports, accounts, contents; `held`: connections, each driven by a task of its own."""
    name = about = unit = None
    held, rate, units = 1, 1.0, 1   # `rate`: units a second in all; `units`: of one act
    keeps = True                    # the connections are open while the abuser is silent

    def __init__(self, target):
        self.target, self.replies = target, collections.Counter()
        self.luck = random.Random(self.name)
        self.done = self.lost = 0

    async def serve(self):
        """Before anything else: starts what the abuse needs at the other end."""

    async def open(self, n):
        """The connection number `n`, ready for an act."""
        raise NotImplementedError

    async def act(self, peer, n):
        """One act; the units it did.  Gone and OSError make the connection be opened again."""
        raise NotImplementedError

    async def connect(self, listener, **more):
        return await Peer.open(self.target["ports"][listener], self.replies, **more)

    def word(self, octets=10):
        """Letters that nobody has said before."""
        return "".join(self.luck.choices("abcdefghijklmnopqrstuvwxyz", k=octets)).encode()

    # -- the life of the process --

    async def try_open(self, n):
        try:
            return await self.open(n)
        except (OSError, Gone, asyncio.TimeoutError):
            self.lost += 1
            return None

    async def drive(self, n, peer, pace):
        while True:
            await pace.wait(self.units)
            peer = peer or await self.try_open(n)
            if peer is None:
                await asyncio.sleep(RETRY)
                continue
            try:
                done = await self.act(peer, n)
                self.done += done   # not before it is done: others count meanwhile
                if not self.keeps:
                    peer = None
            except (OSError, Gone, asyncio.TimeoutError):
                self.lost += 1
                peer.close()
                peer = None

    async def live(self):
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        await self.serve()
        peers = [await self.try_open(n) if self.keeps else None for n in range(self.held)]
        print("ready", flush=True)
        await commands.readline()
        begin, self.lost, pace = time.monotonic(), 0, Pace(self.rate)
        self.replies.clear()
        tasks = [asyncio.create_task(self.drive(n, peer, pace)) for n, peer in enumerate(peers)]
        end = asyncio.create_task(commands.readline())
        await asyncio.wait([end, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()   # a fault of the abuser itself
        print(json.dumps({"acts": self.done, "seconds": time.monotonic() - begin, "lost": self.lost,
                          "replies": self.replies}), flush=True)
