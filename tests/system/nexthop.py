"""A next hop to look into: an SMTP server of scripts, for the system tests; see postern.py."""
import base64
import inspect
import re
import socket
import ssl
import threading

PATIENCE = 60  # seconds; sanitizers are slow, and so is a busy machine


class Message:
    def __init__(self, session):
        self.helo, self.login, self.tls, self.certificate = session.helo, session.login, session.tls, session.certificate
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
        self.helo = self.login = self.sender = self.tls = self.certificate = None
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
        if isinstance(reply, tuple):
            self.say(reply[0])
            if reply[1] != "close":
                self.say(reply[1])
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
        lines = []
        while (line := self.stream.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            lines.append(line[1:] if line.startswith(b".") else line)
        message = Message(self)
        message.data = b"".join(lines)
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
        self.certificate = self.connection.getpeercert()

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
    used up one by one (then the ordinary), or a function of the argument (of ".": the Message), and perhaps of the session, that
    returns a reply or None.  A pair ends the connection: (reply, "close"), or (reply, what else is said).
    """

    def __init__(self, replies=None, extensions=("PIPELINING", "8BITMIME", "SIZE 0", "ENHANCEDSTATUSCODES"), port=0,
                 host="127.0.0.1", certificate=None, is_wrapped=False):
        """`certificate`: of make_certificate(), for STARTTLS, or (`is_wrapped`) from the start."""
        self.replies, self.extensions = dict(replies or {}), list(extensions)
        self.tls = None
        if certificate:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(*certificate)
        self.is_wrapped, self.clients = is_wrapped, []
        self.messages, self.commands, self.connections = [], [], 0
        self.changed = threading.Condition()
        self.open = set()
        self.listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, client = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                self.clients.append(client[0])
                self.open.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        session = SinkSession(self, connection)
        if not self.is_wrapped:
            session.run()
            return
        try:
            connection = self.tls.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
        session = SinkSession(self, connection)
        session.tls, session.certificate = connection.version(), connection.getpeercert()
        session.run()

    def extensions_lines(self):
        return ["250-" + name for name in self.extensions] + ["250 NOOP"]

    def scripted(self, verb, argument, session):
        with self.changed:
            script = self.replies.get(verb)
            if isinstance(script, list):
                return script.pop(0) if script else None
        if not callable(script):
            return script
        return script(argument, session) if len(inspect.signature(script).parameters) == 2 else script(argument)

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
