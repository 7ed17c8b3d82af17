"""A real posternd on loopback for the system tests: its process, its posternctl, a client, and a next hop to look into."""
import base64
import json
import os
import random
import re
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

BUILD = Path(os.environ.get("TOP_BUILDDIR", os.getcwd())).absolute()
SOURCE = Path(__file__).absolute().parents[2]
LOGIN, PASSWORD = "user@example.net", "mypassword"
PATIENCE = 60  # seconds; sanitizers are slow, and so is a busy machine
REPORTS = re.compile(r"Sanitizer|runtime error:|\(process:\d+\)|\*\*", re.M)


def free_port():
    """Below those that the system gives to outgoing connections, so that none of them takes it meanwhile."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


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
        self.socket = socket.create_connection((host, port), timeout=PATIENCE,
                                               source_address=(source, 0) if source else None)
        self.socket.sendall(first)
        if implicit_tls:
            self.socket = client_tls().wrap_socket(self.socket, server_hostname=name)
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


def make_certificate(folder, name, file=None):
    """Paths of a certificate and its key."""
    stem = Path(folder) / (file or name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name,
                    "-keyout", "%s.key" % stem, "-out", "%s.pem" % stem], check=True, capture_output=True)
    return "%s.pem" % stem, "%s.key" % stem


# ---- a next hop ----

class Message:
    def __init__(self, session):
        self.helo, self.login, self.tls = session.helo, session.login, session.tls
        self.sender, self.sender_parameters = session.sender
        self.recipients = [address for address, _ in session.recipients]
        self.recipient_parameters = [parameters for _, parameters in session.recipients]
        self.data = b""  # dots unstuffed, lines end with CRLF

    @property
    def text(self):
        return self.data.decode("utf-8", "replace")

    @property
    def body(self):
        return self.text.partition("\r\n\r\n")[2]

    def header(self, name):
        """Values of the fields of that name, unfolded."""
        head = re.sub(r"\r\n[ \t]+", " ", self.text.partition("\r\n\r\n")[0])
        return [line.partition(":")[2].strip() for line in head.split("\r\n")
                if line.partition(":")[0].lower() == name.lower()]


class SinkSession:
    def __init__(self, sink, connection):
        self.sink, self.connection, self.stream = sink, connection, connection.makefile("rwb")
        self.helo = self.login = self.sender = self.tls = None
        self.recipients = []

    def say(self, text):
        self.stream.write(text.replace("\n", "\r\n").encode() + b"\r\n")
        self.stream.flush()

    def answer(self, verb, argument, preset):
        """Says what the script wants, else the preset; True if that is positive."""
        reply = self.sink.scripted(verb, argument, self)
        reply = preset if reply is None else reply
        if reply == "":
            raise ConnectionError("as the script says")
        self.say(reply)
        return reply[0] in "23"

    def path(self, argument):
        found = re.match(r"(?:FROM|TO):\s*<([^>]*)>\s*(.*)", argument, re.I)
        return (found.group(1), found.group(2)) if found else (argument, "")

    def hello(self, verb, argument):
        if self.answer(verb, argument, "250-sink\n" + "\n".join(self.sink.extensions_lines())):
            self.helo = argument

    def mail(self, argument):
        if self.answer("MAIL", argument, "250 2.1.0 Ok"):
            self.sender, self.recipients = self.path(argument), []

    def rcpt(self, argument):
        if self.sender is None:
            self.say("503 5.5.1 need MAIL")
        elif self.answer("RCPT", argument, "250 2.1.5 Ok"):
            self.recipients.append(self.path(argument))

    def data(self):
        if not self.recipients:
            self.say("554 5.5.1 no valid recipients")
            return
        if not self.answer("DATA", "", "354 go ahead"):
            return
        message = Message(self)
        while (line := self.stream.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            message.data += line[1:] if line.startswith(b".") else line
        if self.answer(".", message, "250 2.0.0 Ok: taken"):
            self.sink.take(message)
        self.sender, self.recipients = None, []

    def auth(self, argument):
        if argument == "LOGIN":
            self.say("334 VXNlcm5hbWU6")
            login = base64.b64decode(self.stream.readline()).decode()
            self.say("334 UGFzc3dvcmQ6")
            self.stream.readline()
        else:
            login = base64.b64decode(argument.split()[1]).split(b"\0")[1].decode()
        if self.answer("AUTH", argument, "235 2.7.0 Ok"):
            self.login = login

    def starttls(self, argument):
        if not self.answer("STARTTLS", argument, "220 2.0.0 go ahead" if self.sink.tls else "454 4.7.0 no"):
            return
        if not self.sink.tls:
            raise ConnectionError("the script said yes, and this is what comes of it")
        self.connection = self.sink.tls.wrap_socket(self.connection, server_side=True)
        self.tls, self.stream = self.connection.version(), self.connection.makefile("rwb")

    def command(self, line):
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        self.sink.note(verb, argument)
        if verb in ("EHLO", "HELO", "LHLO"):
            self.hello(verb, argument)
        elif verb in ("MAIL", "RCPT", "AUTH", "STARTTLS"):
            getattr(self, verb.lower())(argument)
        elif verb == "DATA":
            self.data()
        elif verb == "RSET":
            self.sender, self.recipients = None, []
            self.answer("RSET", "", "250 2.0.0 Ok")
        elif verb == "QUIT":
            self.answer("QUIT", "", "221 2.0.0 Bye")
            return False
        else:
            self.answer(verb, argument, "250 2.0.0 Ok" if verb == "NOOP" else "502 5.5.2 not here")
        return True

    def run(self):
        try:
            if not self.answer("CONNECT", "", "220 sink ESMTP"):
                return
            while (line := self.stream.readline()) and self.command(line.decode("utf-8", "replace").rstrip("\r\n")):
                pass
        except (OSError, ValueError):
            pass
        finally:
            for thing in (self.stream, self.connection):
                try:
                    thing.close()
                except OSError:
                    pass


class Sink:
    """An SMTP server that takes everything, or answers as `replies` says: {"RCPT": "450 4.2.0 later"}.

    Keys: CONNECT EHLO MAIL RCPT DATA "." RSET QUIT.  Values: a reply ("" closes the connection), a list of them,
    used up one by one (then the ordinary), or a function of the argument (of ".": the Message) that returns a reply or None.
    """

    def __init__(self, replies=None, extensions=("PIPELINING", "8BITMIME", "SIZE 0", "ENHANCEDSTATUSCODES"), port=0,
                 host="127.0.0.1", certificate=None):
        """`certificate`: of make_certificate(), for STARTTLS."""
        self.replies, self.extensions = dict(replies or {}), list(extensions)
        self.tls = None
        if certificate:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(*certificate)
        self.messages, self.commands, self.connections = [], [], 0
        self.changed = threading.Condition()
        self.open = set()
        self.listener = socket.create_server((host, port), backlog=200)
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
                self.open.add(connection)
            threading.Thread(target=SinkSession(self, connection).run, daemon=True).start()

    def extensions_lines(self):
        return ["250-" + name for name in self.extensions] + ["250 NOOP"]

    def scripted(self, verb, argument, session):
        with self.changed:
            script = self.replies.get(verb)
            if isinstance(script, list):
                return script.pop(0) if script else None
        return script(argument) if callable(script) else script

    def note(self, verb, argument):
        with self.changed:
            self.commands.append((verb, argument))
            self.changed.notify_all()

    def take(self, message):
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def wait(self, n=1, seconds=PATIENCE):
        """Waits for n messages in all; the list of them."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= n, seconds), \
                "%d messages came instead of %d" % (len(self.messages), n)
            return list(self.messages)

    def wait_command(self, verb, n=1, seconds=PATIENCE):
        """Waits until the verb was said n times in all; the last argument."""
        with self.changed:
            found = lambda: [argument for said, argument in self.commands if said == verb]
            assert self.changed.wait_for(lambda: len(found()) >= n, seconds), "%s did not come %d times" % (verb, n)
            return found()[-1]

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


# ---- the daemon ----

class ControlError(AssertionError):
    """posternctl ended with a code that was not expected."""


class Postern:
    """posternd in `place`.  `options` change the configuration: {"server": {"plugins": "auth"}, "route all": None}.

    A section None is left out, and so is an option None; new sections and options are added.  The next hop for
    everything is the sink, if there is one; else nobody (a closed port)."""

    def __init__(self, place, options=None, sink=None, with_account=True, bin=BUILD / "core/daemon", environment=None):
        """`bin`: where posternd and posternctl are; `environment`: more of it for posternd."""
        self.place, self.bin = Path(place), Path(bin)
        self.place.mkdir(parents=True, exist_ok=True)
        self.ports = {name: free_port() for name in ("submission", "smtps")}
        self.sink, self.sink_port = sink, sink.port if sink else free_port()
        self.environment = dict(environment or {})
        self.config = self.place / "postern.conf"
        self.sections = self.presets()
        self.process = None
        self.link_plugins()
        self.change(options or {})
        self.start()
        if with_account:
            self.ctl("customer", "add", "acme")
            self.ctl("domain", "add", "example.net", "customer=acme", "mode=outbound-only")
            self.add_account(LOGIN, PASSWORD)

    # -- configuration --

    def presets(self):
        here = self.place
        listener = {"addresses": "127.0.0.1", "auth-without-tls": "yes"}
        return {
            "server": {"hostname": "mail.example.net", "user": "root", "plugin-directory": here / "plugins",
                       "control": here / "control", "error-delay": "0", "auth-delay": "0"},
            "listener submission": {**listener, "ports": self.ports["submission"], "tls": "starttls"},
            "listener smtps": {**listener, "ports": self.ports["smtps"], "tls": "implicit"},
            "spool": {"directory": here / "spool", "keep-free": "16M"},
            "directory": {"at": "sqlite:%s" % (here / "directory.db")},
            "store": {"at": "sqlite:%s" % (here / "store.db")},
            "dns": {"servers": "127.0.0.1@%d" % free_port(), "timeout": "2s"},
            "log": {"to": here / "log", "level": "debug", "refusals": here / "refusals"},
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

    def start(self):
        environment = dict(os.environ, G_DEBUG="fatal-criticals", UBSAN_OPTIONS="print_stacktrace=1", **self.environment)
        with open(self.place / "stderr", "ab") as stderr:
            self.process = self.launch([self.bin / "posternd", "-c", self.config], stderr=stderr,
                                       stdin=subprocess.DEVNULL, cwd=self.place, env=environment)
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
        if done.returncode != code or REPORTS.search(err):
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
