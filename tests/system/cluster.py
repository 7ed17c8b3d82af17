"""Several nodes, each in a network namespace of its own, with Redis and Sentinel, a next hop that counts, and load; see
tools/cluster.  Needs root.

Two networks: "mail" (nodes, clients, next hop) and "store" (nodes, Redis), each a bridge, so that a node can be cut off from
one and not from the other.  The process that makes a Network lives in the clients' namespace from then on."""
import collections
import itertools
import os
import re
import signal
import socket
import subprocess
import threading
import time

import netns
from postern import Dialog, Postern, Sink, wait_until

PR_SET_PDEATHSIG = 1
CLIENT, EXCHANGER, GUESTS = "10.77.0.21", "10.77.0.22", ("10.77.0.31", "10.77.0.32")  # load and next hop; a sender's exchanger; who is blocked
SINK_PORT, DNS_PORT, REDIS_PORT, SENTINEL_PORT = 2525, 5353, 6379, 26379
TARGET = re.compile(rb"\nX-Bench-Id: (\d+)\r")


def die_with_parent():
    netns.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError("%s: %s" % (" ".join(words), done.stderr.strip()))
    return done.stdout


def is_alive(pid):
    return os.path.exists("/proc/%d" % pid)


class Network:
    """Namespaces whose names begin with ptn-PID-, so that those of a run that was killed are known, and removed."""

    def __init__(self, nodes, redises):
        self.stem = "ptn-%d-" % os.getpid()
        self.remove_left()
        try:
            for name in ["net"] + ["n%d" % i for i in nodes] + ["r%d" % i for i in redises] + ["c"]:
                run("ip", "netns", "add", self.stem + name)
                self.ip(name, "link", "set", "lo", "up")
            for bridge in ("mail", "store"):
                self.ip("net", "link", "add", bridge, "type", "bridge", "forward_delay", "0")
                self.ip("net", "link", "set", bridge, "up")
            for i in nodes:
                self.join("n%d" % i, "mail", "10.77.0.%d" % i)
                self.join("n%d" % i, "store", "10.78.0.%d" % i)
            for i in redises:
                self.join("r%d" % i, "store", "10.78.0.%d" % (10 + i))
            self.join("c", "mail", CLIENT, EXCHANGER, *GUESTS)
            self.enter("c")
        except BaseException:
            self.remove()
            raise

    def ip(self, name, *words):
        return run("ip", "-n", self.stem + name, *words)

    def port(self, name, bridge):
        """The bridge's end of the link of namespace `name`."""
        return "%s-%s" % (name, bridge)

    def join(self, name, bridge, *addresses):
        port = self.port(name, bridge)
        self.ip("net", "link", "add", port, "type", "veth", "peer", "name", bridge, "netns", self.stem + name)
        self.ip("net", "link", "set", port, "master", bridge, "up")
        for address in addresses:
            self.ip(name, "addr", "add", address + "/24", "dev", bridge)
        self.ip(name, "link", "set", bridge, "up")

    def cut(self, name, *bridges):
        """As if the cable were pulled out at the switch: who is cut off sees nothing but silence."""
        for bridge in bridges:
            self.ip("net", "link", "set", self.port(name, bridge), "nomaster")

    def mend(self, name, *bridges):
        for bridge in bridges:
            self.ip("net", "link", "set", self.port(name, bridge), "master", bridge)

    def enter(self, name):
        with open("/run/netns/" + self.stem + name, encoding="ascii") as file:
            netns.enter(file.fileno())

    def inside(self, name, command):
        return ["nsenter", "--net=/run/netns/" + self.stem + name, *map(str, command)]

    def remove(self):
        for name in os.listdir("/run/netns") if os.path.exists("/run/netns") else ():
            if name.startswith(self.stem):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    @staticmethod
    def remove_left():
        for name in os.listdir("/run/netns") if os.path.exists("/run/netns") else ():
            found = re.fullmatch(r"ptn-(\d+)-\w+", name)
            if found and not is_alive(int(found.group(1))):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


# ---- Redis ----

class Redis:
    """A server and a sentinel in namespace rN; the first is the master at the beginning."""

    def __init__(self, network, place, number):
        self.network, self.place, self.name = network, place, "r%d" % number
        self.address = "10.78.0.%d" % (10 + number)
        place.mkdir()
        self.process = self.sentinel = None
        self.start(None if number == 1 else "10.78.0.11")

    def watch(self, quorum):
        """Once the replicas are there: a sentinel asks for them every ten seconds only."""
        sentinel = self.place / "sentinel.conf"
        sentinel.write_text(
            "port %d\nbind %s\nprotected-mode no\nsentinel monitor mymaster 10.78.0.11 %d %d\n"
            "sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 4000\n"
            % (SENTINEL_PORT, self.address, REDIS_PORT, quorum))
        self.sentinel = self.launch(["redis-server", sentinel, "--sentinel"])

    def launch(self, command):
        return subprocess.Popen(self.network.inside(self.name, command), cwd=self.place, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def start(self, master=None):
        """As doc/cluster.md wants it for a directory."""
        self.process = self.launch([
            "redis-server", "--port", REDIS_PORT, "--bind", self.address, "--protected-mode", "no", "--dir", self.place,
            "--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0",
            "--min-replicas-to-write", "1", "--min-replicas-max-lag", "2", "--repl-ping-replica-period", "1",
            *(["--replicaof", master, REDIS_PORT] if master else [])])
        wait_until(lambda: self.ask("PING") == "PONG", "redis-server " + self.name, 10)

    def ask(self, *words, port=REDIS_PORT):
        done = subprocess.run(self.network.inside(self.name, ["redis-cli", "-h", self.address, "-p", port, *words]),
                              capture_output=True, text=True, timeout=10)
        return done.stdout.strip()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        for process in (self.process, self.sentinel):
            if process is not None:
                process.kill()
                process.wait()


# ---- names, exchangers, next hop ----

class NameServer:
    """Answers for a table {(name, type): (ttl, [octets])}, and counts what it was asked for."""
    A, MX = 1, 15

    def __init__(self, host, port):
        self.table, self.asked = {}, collections.Counter()
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        threading.Thread(target=self.serve, daemon=True).start()

    def add(self, name, exchanger=None, address=None, ttl=300):
        if exchanger:
            self.table[name, self.MX] = ttl, b"\0\x0a" + self.encode(exchanger)
        if address:
            self.table[name, self.A] = ttl, socket.inet_aton(address)

    @staticmethod
    def encode(name):
        return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
            at += 1 + query[at]
        name, kind, question = ".".join(labels), int.from_bytes(query[at + 1:at + 3], "big"), query[12:at + 5]
        self.asked[name, kind] += 1
        found = self.table.get((name, kind))
        is_known = any(known == name for known, _ in self.table)
        head = query[:2] + bytes([0x84 | query[2] & 1, 0x80 if is_known else 0x83, 0, 1, 0, 1 if found else 0, 0, 0, 0, 0])
        if not found:
            return head + question
        ttl, octets = found
        return head + question + b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big") \
            + len(octets).to_bytes(2, "big") + octets


class Counting(Sink):
    """A next hop that keeps the ids of what came, how often, and when."""

    def __init__(self, host, port):
        self.came, self.first = collections.Counter(), {}
        super().__init__(host=host, port=port)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else replies wait for delayed ACKs

    def note(self, verb, argument):
        pass

    def take(self, message):
        found = TARGET.search(b"\n" + message.data)
        if found:
            with self.changed:
                self.came[int(found.group(1))] += 1
                self.first.setdefault(int(found.group(1)), time.monotonic())


# ---- nodes ----

class Client(Dialog):
    """A Dialog that does not wait for a node that is gone."""

    def __init__(self, host, port, source=None, patience=8):
        self.socket = socket.create_connection((host, port), timeout=patience, source_address=(source, 0) if source else None)
        self.pending = b""
        self.greeting = self.reply()


class Node(Postern):
    """posternd in namespace nN, with a spool of its own, and a directory and store that it shares."""

    def __init__(self, network, place, number, redises, options):
        self.network, self.number, self.host = network, number, "10.77.0.%d" % number
        at = "redis+sentinel://%s/mymaster" % ",".join("%s:%d" % (redis.address, SENTINEL_PORT) for redis in redises)
        shared = {"server": {"node": number, "control": "/tmp/%s%d" % (network.stem, number)},
                  "directory": {"at": at + "/0"}, "store": {"at": at + "/1"}}
        for title, values in options.items():
            shared[title] = {**shared.get(title, {}), **values}
        super().__init__(place, shared, with_account=False)

    def presets(self):
        sections = super().presets()
        self.ports["submission"] = 587
        sections["listener submission"].update(addresses=self.host, ports=587, tls="none")
        del sections["listener smtps"]
        sections["delivery"]["private-networks"] = "10.77.0.0/16"
        sections["dns"]["servers"] = "%s@%d" % (CLIENT, DNS_PORT)
        sections["route all"]["next-hop"] = "smtp:[%s]:%d" % (CLIENT, SINK_PORT)
        return sections

    def launch(self, command, **options):
        return subprocess.Popen(self.network.inside("n%d" % self.number, command), preexec_fn=die_with_parent, **options)

    def client(self, source=None, **more):
        return Client(self.host, self.ports["submission"], source=source, **more)

    def says_to(self, source):
        """The greeting to a client at that address; "" is none."""
        try:
            with self.client(source=source, patience=2) as dialog:
                return dialog.greeting.text
        except (OSError, AssertionError):
            return ""

    def metric(self, name):
        return {row["metric"]: int(row["value"]) for row in self.ctl("metrics", json=True)}.get(name, 0)


# ---- load ----

class Load:
    """Threads that send to the nodes as fast as they are answered (or every `pause` seconds), and keep the ids that were
    acknowledged: {id: (node's number, when)}."""
    ids = itertools.count(1)

    def __init__(self, nodes, login, threads_per_node, pause=0.0, per_session=20, source=None, content=""):
        self.login, self.pause, self.per_session, self.source = login, pause, per_session, source
        self.content = content or "Subject: load\n\nA line of text.\n"
        self.acknowledged, self.replies, self.lost_connections = {}, collections.Counter(), 0
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.send_on, args=(node,), daemon=True)
                        for node in nodes for _ in range(threads_per_node)]
        for thread in self.threads:
            thread.start()

    def send_on(self, node):
        while not self.stopping.is_set():
            try:
                with node.client(source=self.source) as dialog:
                    self.session(node, dialog)
            except (OSError, AssertionError):
                with self.lock:
                    self.lost_connections += 1
                self.stopping.wait(0.05)

    def session(self, node, dialog):
        dialog.hello()
        if not self.note(dialog.auth(self.login)):
            self.stopping.wait(0.05)
            return
        for _ in range(self.per_session):
            if self.stopping.is_set() or not self.message(node, dialog):
                break
            self.stopping.wait(self.pause)
        dialog.send("QUIT")

    def note(self, reply):
        with self.lock:
            self.replies[" ".join(reply.raw[-1].replace("-", " ").split()[:2])] += 1
        return reply.code in (235, 250)

    def message(self, node, dialog):
        """Whether the session goes on."""
        number = next(self.ids)
        dialog.send_raw(("MAIL FROM:<%s>\r\nRCPT TO:<rcpt@example.org>\r\nDATA\r\n" % self.login).encode())
        mail, _, data = dialog.reply(), dialog.reply(), dialog.reply()
        if data.code != 354:
            self.note(mail if mail.code != 250 else data)
            dialog.ask("RSET")
            self.stopping.wait(0.02)
            return True
        dialog.send_raw(("X-Bench-Id: %d\n%s" % (number, self.content)).replace("\n", "\r\n").encode() + b".\r\n")
        reply = dialog.reply()
        if self.note(reply) and reply.code == 250:
            with self.lock:
                self.acknowledged[number] = node.number, time.monotonic()
        return True

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def in_flight(self):
        return len(self.threads)

    def longest_gap(self, since, until):
        """The longest time without an acknowledgement, in milliseconds."""
        with self.lock:
            moments = sorted(when for _, when in self.acknowledged.values() if since <= when <= until)
        moments = [since, *moments, until]
        return round(1000 * max(b - a for a, b in zip(moments, moments[1:])))


# ---- all of it ----

class Cluster:
    def __init__(self, place, options, nodes=3, redises=3):
        self.place, self.nodes, self.redises, self.loads = place, [], [], []
        numbers = range(1, nodes + 1)
        self.network = Network(numbers, range(1, redises + 1))
        try:
            self.names = NameServer(CLIENT, DNS_PORT)
            self.sink = Counting(CLIENT, SINK_PORT)
            self.exchanger = Sink(host=EXCHANGER, port=25)
            for i in range(1, redises + 1):
                self.redises.append(Redis(self.network, place / ("redis%d" % i), i))
            wait_until(self.is_replicated, "replicas", 30)
            for redis in self.redises:
                redis.watch(redises // 2 + 1)
            wait_until(self.is_watched, "sentinels", 60)  # 30 s of which may be their TILT mode, on a busy machine
            for i in numbers:
                self.nodes.append(Node(self.network, place / ("node%d" % i), i, self.redises, options))
        except BaseException:
            self.end()
            raise

    def is_replicated(self):
        return self.redises[0].ask("INFO", "replication").count("state=online") == len(self.redises) - 1

    def is_watched(self):
        known = [redis.ask("SENTINEL", "CKQUORUM", "mymaster", port=SENTINEL_PORT) for redis in self.redises]
        replicas = [redis.ask("SENTINEL", "REPLICAS", "mymaster", port=SENTINEL_PORT).count("runid") for redis in self.redises]
        return all("OK %d usable" % len(self.redises) in text for text in known) \
            and all(n == len(self.redises) - 1 for n in replicas)

    def master(self):
        """Of the Redis servers, as most sentinels say; None: they do not agree."""
        said = collections.Counter(redis.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster", port=SENTINEL_PORT).split("\n")[0]
                                   for redis in self.redises)
        address, votes = said.most_common(1)[0]
        if votes <= len(self.redises) // 2:
            return None
        return next((redis for redis in self.redises if redis.address == address), None)

    def load(self, *arguments, nodes=None, **more):
        self.loads.append(Load(nodes or self.nodes, *arguments, **more))
        return self.loads[-1]

    def running(self):
        return [node for node in self.nodes if node.process is not None]

    def are_empty(self):
        return all(" spool 0 messages" in node.ctl("status") for node in self.running())

    def end(self):
        for load in self.loads:
            load.stopping.set()
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
                node.kill()
        for redis in self.redises:
            redis.end()
        self.network.remove()
