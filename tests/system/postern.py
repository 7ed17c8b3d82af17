"""A real posternd on loopback for the system tests: its process, its posternctl, a client; nexthop.py has a next hop
to look into."""
import base64
import json
import os
import random
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import time
from pathlib import Path

from nexthop import PATIENCE, Sink  # noqa: F401, tests take Sink from here

BUILD = Path(os.environ.get("TOP_BUILDDIR", os.getcwd())).absolute()
SOURCE = Path(__file__).absolute().parents[2]
LOGIN, PASSWORD = "user@example.net", "mypassword"
REPORTS = re.compile(r"Sanitizer|runtime error:|\(process:\d+\)|\*\*", re.M)


given_ports = set()


def free_port():
    """Below those that the system gives to outgoing connections, so that none of them takes it meanwhile; each once."""
    while True:
        port = random.randrange(10000, 32000)
        if port in given_ports:
            continue
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                given_ports.add(port)
                return port
            except OSError:
                continue


def for_every_user(program, place):
    """A copy of a program in `place`, which every user may enter; the build itself may lie where only its owner may."""
    copy = Path(shutil.copy(program, place))
    copy.chmod(0o755)
    return copy


def wait_until(is_true, what="it", seconds=PATIENCE):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + seconds
    while True:
        answer = is_true()
        if answer:
            return answer
        assert time.monotonic() < end, "waited in vain for %s" % what
        time.sleep(0.02)


# ---- a client ----

class Reply:
    """`code` as a number, `lines` without code, `text` of them all: "250 2.1.0 Ok"."""

    def __init__(self, raw):
        self.raw = raw
        self.code = int(raw[0][:3])
        self.lines = [line[4:] for line in raw]
        self.text = "\n".join(raw)

    def __repr__(self):
        return self.text

    def __contains__(self, text):
        return text in self.text


class Dialog:
    """A client that says exactly what it is told to."""

    def __init__(self, port, implicit_tls=False, source=None, greet=True, host="127.0.0.1", name=None, first=b""):
        """`name` is asked for by SNI; `first` is said before anything is read, and before TLS."""
        context = client_tls() if implicit_tls else None  # before it connects: the server waits for a moment only
        self.socket = socket.create_connection((host, port), timeout=PATIENCE,
                                               source_address=(source, 0) if source else None)
        self.socket.sendall(first)
        if implicit_tls:
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.pending = b""
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, octets):
        self.socket.sendall(octets)

    def send(self, line):
        self.send_raw(line.encode() + b"\r\n")

    def line(self):
        """The next line, or "" at the end."""
        while b"\n" not in self.pending:
            got = self.socket.recv(65536)
            if not got:
                assert self.pending == b"", "the connection ended within a line: %r" % self.pending
                return ""
            self.pending += got
        line, self.pending = self.pending.split(b"\n", 1)
        assert line.endswith(b"\r"), "a line without CR: %r" % line
        return line[:-1].decode("utf-8", "replace")

    def reply(self):
        raw = []
        while True:
            line = self.line()
            assert re.match(r"\d\d\d[ -]", line), "no reply but %r behind %r" % (line, raw)
            raw.append(line)
            if line[3] == " ":
                return Reply(raw)

    def ask(self, line):
        self.send(line)
        return self.reply()

    def expect(self, start, line=None):
        """Says `line` if there is one; the reply must begin with `start` ("250", "535 5.7.8")."""
        reply = self.ask(line) if line is not None else self.reply()
        assert reply.raw[-1].startswith(start), "%s answered with %s instead of %s" % (line, reply, start)
        return reply

    def is_closed(self):
        """Waits for the end of the connection."""
        try:
            return self.line() == ""
        except ConnectionError:
            return True

    def rest(self):
        """All lines until the server closes or falls silent for a moment."""
        lines = []
        self.socket.settimeout(0.5)
        try:
            while line := self.line():
                lines.append(line)
        except OSError:
            pass
        return lines

    def hello(self, name="client.example.net"):
        return self.expect("250", "EHLO " + name)

    def starttls(self, context=None, name=None):
        self.expect("220", "STARTTLS")
        self.socket = (context or client_tls()).wrap_socket(self.socket, server_hostname=name)

    def certificate(self):
        """The name in the certificate that the server showed."""
        return certificate_name(self.socket.getpeercert(binary_form=True))

    def auth(self, login=LOGIN, password=PASSWORD):
        """The reply to AUTH PLAIN, whatever it is."""
        return self.ask("AUTH PLAIN " + base64.b64encode(("\0%s\0%s" % (login, password)).encode()).decode())

    def login(self, login=LOGIN, password=PASSWORD):
        self.hello()
        reply = self.auth(login, password)
        assert reply.code == 235, reply
        return reply

    def data(self, content):
        """Dots are stuffed here; the reply to the end."""
        self.expect("354", "DATA")
        octets = content.encode() if isinstance(content, str) else content
        octets = re.sub(rb"(?m)^\.", b"..", octets.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        self.send_raw(octets + (b"" if octets.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.reply()

    def mail(self, sender=LOGIN, recipients="rcpt@example.org", content="Subject: test\n\nHello.\n"):
        """A whole transaction; the queue id."""
        self.expect("250", "MAIL FROM:<%s>" % sender)
        for recipient in [recipients] if isinstance(recipients, str) else recipients:
            self.expect("250", "RCPT TO:<%s>" % recipient)
        reply = self.data(content)
        assert reply.code == 250, reply
        return reply.text.split()[-1]


def client_tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate_name(octets):
    text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "multiline"],
                          input=octets, capture_output=True, check=True).stdout.decode()
    return re.search(r"commonName\s*= (.*)", text).group(1)


def make_certificate(folder, name, file=None, days=2):
    """Paths of a certificate, valid for so many days, and its key."""
    stem = Path(folder) / (file or name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", str(days), "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name,
                    "-keyout", "%s.key" % stem, "-out", "%s.pem" % stem], check=True, capture_output=True)
    return "%s.pem" % stem, "%s.key" % stem


# ---- the daemon ----

class ControlError(AssertionError):
    """posternctl ended with a code that was not expected."""


class Postern:
    """posternd in `place`.  `options` change the configuration: {"server": {"plugins": "auth"}, "route all": None}.

    A section None is left out, and so is an option None; new sections and options are added.  The next hop for
    everything is the sink, if there is one; else nobody (a closed port)."""

    def __init__(self, place, options=None, sink=None, with_account=True, bin=BUILD / "core/daemon", environment=None,
                 makes_ready=True):
        """`bin`: where posternd and posternctl are; `environment`: variables for posternd; `makes_ready`: a directory on
        Redis, which has to answer for that."""
        self.place, self.bin, self.environment = Path(place), Path(bin), dict(environment or {})
        self.place.mkdir(parents=True, exist_ok=True)
        self.ports = {name: free_port() for name in ("submission", "smtps")}
        self.sink, self.sink_port = sink, sink.port if sink else free_port()
        self.config = self.place / "postern.conf"
        self.sections = self.presets()
        self.process = None
        self.link_plugins()
        self.change(options or {})
        if makes_ready and self.sections.get("directory", {}).get("at", "").startswith("redis"):
            wait_until(self.has_stores, "a Redis that can be made ready")
        self.start()
        if with_account:
            self.ctl("customer", "add", "acme")
            self.ctl("domain", "add", "example.net", "customer=acme", "mode=outbound-only")
            self.add_account(LOGIN, PASSWORD)

    def has_stores(self):
        """Whether they were made ready, or never will be: a failover ends, a wrong password does not."""
        done = self.launch([self.bin / "posternctl", "-c", self.config, "store", "init"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        return b"AWAY" not in done.communicate()[1]

    # -- configuration --

    def presets(self):
        here = self.place
        listener = {"addresses": "127.0.0.1", "auth-without-tls": "yes"}
        return {
            "server": {"hostname": "mail.example.net", "user": "root", "plugin-directory": here / "plugins",
                       "control": here / "control", "error-delay": "0", "auth-delay": "0",
                       "monitors": ""},  # clients of the tests are on loopback
            "listener submission": {**listener, "ports": self.ports["submission"], "tls": "starttls"},
            "listener smtps": {**listener, "ports": self.ports["smtps"], "tls": "implicit"},
            "spool": {"directory": here / "spool", "keep-free": "16M"},
            "directory": {"at": "sqlite:%s" % (here / "directory.db")},
            "store": {"at": "sqlite:%s" % (here / "store.db")},
            "dns": {"servers": "127.0.0.1@%d" % free_port(), "timeout": "2s"},
            "log": {"to": here / "log", "level": "debug", "refusals": here / "refusals"},
            "clients": {"log-lines": "100000", "all-log-lines": "1000000"},   # tests read the log
            "delivery": {"private-networks": "127.0.0.0/8"},  # exchangers and destinations of the tests are there
            "route all": {"to": "*", "next-hop": "smtp:[127.0.0.1]:%d" % self.sink_port, "tls": "none"},
        }

    def change(self, options):
        """Of the configuration; see reload()."""
        for title, values in options.items():
            if values is None:
                self.sections.pop(title, None)
                continue
            section = self.sections.setdefault(title, {})
            section.update(values)
            self.sections[title] = {name: value for name, value in section.items() if value is not None}
        self.config.write_text("".join(
            "[%s]\n%s\n" % (title, "".join("%s = %s\n" % item for item in section.items()))
            for title, section in self.sections.items()))

    def reload(self, options=None):
        self.change(options or {})
        return self.ctl("reload")

    def link_plugins(self):
        folder = self.place / "plugins"
        folder.mkdir(exist_ok=True)
        for plugin in BUILD.glob("plugins/*/.libs/*.so"):
            if not (folder / plugin.name).exists():
                (folder / plugin.name).symlink_to(plugin)

    # -- the process --

    def begin(self):
        """Starts the process, and does not wait until it serves."""
        environment = dict(os.environ, G_DEBUG="fatal-criticals", UBSAN_OPTIONS="print_stacktrace=1", **self.environment)
        with open(self.place / "stderr", "ab") as stderr:
            self.process = self.launch([self.bin / "posternd", "-c", self.config], stderr=stderr,
                                       stdin=subprocess.DEVNULL, cwd=self.place, env=environment)

    def start(self):
        self.begin()
        try:
            wait_until(self.is_ready, "posternd")
        except AssertionError:
            self.kill()
            raise

    def launch(self, command, **options):
        return subprocess.Popen(command, **options)

    def is_ready(self):
        assert self.process.poll() is None, "posternd ended with %d: %s" % (self.process.returncode, self.stderr())
        done = self.ask("status")
        assert not REPORTS.search(done.stderr.decode()), done.stderr.decode()
        return done.returncode == 0

    def stderr(self):
        return (self.place / "stderr").read_text(errors="replace")

    def log(self):
        """All that was logged."""
        path = self.place / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def accepted(self):
        """How many messages were queued so far."""
        return self.log().count(" message accepted ")

    def settle(self):
        """Waits until the spool is empty; how many messages the sink has then."""
        wait_until(lambda: " spool 0 messages" in self.ctl("status"), "an empty spool")
        return len(self.sink.messages)

    def wait_log(self, pattern, seconds=PATIENCE):
        return wait_until(lambda: re.search(pattern, self.log()), "%s in the log" % pattern, seconds)

    def stop(self):
        """A clean end: exit code 0, and nothing said by a sanitizer or by GLib."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.terminate()
        try:
            code = process.wait(PATIENCE + 60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("posternd did not stop; the log ends with %s" % self.log()[-2000:])
        assert not REPORTS.search(self.stderr()), self.stderr()
        assert code == 0, "posternd ended with %d: %s" % (code, self.stderr())

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    # -- posternctl --

    def ask(self, *words, input=None):
        """posternctl as it is: returncode, stdout, stderr."""
        octets = input.encode() if isinstance(input, str) else input
        return subprocess.run([self.bin / "posternctl", "-c", self.config, *map(str, words)], capture_output=True,
                              input=octets if octets is not None else b"", cwd=self.place, timeout=2 * PATIENCE)

    def ctl(self, *words, input=None, json=False, code=0):
        """What it prints (with json: decoded); on another exit code than `code` ControlError.  For failures: its stderr."""
        done = self.ask(*words, *(["--json"] if json else []), input=input)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        codes = (0, 1) if code == 0 and words[0] == "alarms" else (code,)   # of alarms it tells whether there are any
        if done.returncode not in codes or REPORTS.search(err):
            raise ControlError("posternctl %s ended with %d: %s%s" % (" ".join(map(str, words)), done.returncode, out, err))
        if json:
            return decode(out)
        return out if code == 0 else err

    def add_account(self, login, password, *options):
        return self.ctl("account", "add", login, *options, "--password-file", "-", input=password + "\n")

    def set_password(self, login, password):
        return self.ctl("account", "passwd", login, "--password-file", "-", input=password + "\n")

    def options(self, kind, name):
        """Of an entry: {option: (value, from)}."""
        return {row["option"]: (row["value"], row["from"]) for row in self.ctl(kind, "show", name, json=True)}

    def alarms(self):
        """Those that are raised: {name: text}."""
        return {row["alarm"]: row["text"] for row in self.ctl("alarms", json=True)}

    def queue(self, *selectors):
        return self.ctl("queue", "list", *selectors, json=True)

    def wait_queue(self, n, *selectors):
        """Waits until the queue has n messages; the rows."""
        return wait_until(lambda: (lambda rows: [rows] if len(rows) == n else None)(self.queue(*selectors)),
                          "%d messages in the queue" % n)[0]

    # -- clients --

    def smtp(self, listener="submission", **more):
        """A Dialog that was greeted."""
        return Dialog(self.ports[listener], implicit_tls=listener == "smtps", **more)

    def session(self, login=LOGIN, password=PASSWORD):
        """A Dialog that is logged in."""
        dialog = self.smtp()
        dialog.login(login, password)
        return dialog

    def send(self, recipients="rcpt@example.org", content="Subject: test\n\nHello.\n", sender=LOGIN, **login):
        """One message; its queue id."""
        with self.session(**login) as dialog:
            queue_id = dialog.mail(sender, recipients, content)
            dialog.ask("QUIT")
            return queue_id

    def smtplib(self, listener="submission"):
        make = smtplib.SMTP_SSL if listener == "smtps" else smtplib.SMTP
        more = {"context": client_tls()} if listener == "smtps" else {}
        return make("127.0.0.1", self.ports[listener], local_hostname="client.example.net", timeout=PATIENCE, **more)


def decode(text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise ControlError("not JSON: %s: %s" % (error, text))
