"""Clients as people use them: each sends, and each is refused correctly."""
import re
import os
import shutil
import smtplib
import ssl
import subprocess
import sys

import pytest

from postern import LOGIN, PASSWORD, PATIENCE, SOURCE, Postern, Sink, client_tls, free_port, make_certificate, wait_until

MESSAGE = "From: %s\nTo: rcpt@example.org\nSubject: %%s\n\nHello.\n.with a dot\n" % LOGIN


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    place, sink = tmp_path_factory.mktemp("gate"), Sink()
    certificate, key = make_certificate(place, "localhost")
    daemon = Postern(place, {"tls": {"certificate": certificate, "key": key}}, sink=sink)
    daemon.certificate = certificate
    yield daemon
    daemon.stop()
    sink.close()


def need(program):
    found = shutil.which(program)
    if not found:
        pytest.skip("needs %s" % program)
    return found


def run(*command, text=None):
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def came(gate, subject):
    """The message of that subject, delivered as it was written."""
    def find():
        return [message for message in gate.sink.messages if message.header("Subject") == [subject]]
    message, = wait_until(find, "the message %s" % subject)
    assert (message.sender, message.recipients) == (LOGIN, ["rcpt@example.org"])
    assert "Hello.\r\n" in message.body
    return message


# ---- swaks ----

def swaks(gate, *more, password=PASSWORD, sender=LOGIN, port="submission"):
    return run(need("swaks"), "-s", "127.0.0.1", "-p", gate.ports[port], "-f", sender, "-t", "rcpt@example.org", "-au", LOGIN,
               "-ap", password, "--body", "Hello.", *more)


@pytest.mark.parametrize("more, port", [((), "submission"), (("-tls",), "submission"), (("-tlsc",), "smtps"),
                                        (("-tls", "-a", "LOGIN"), "submission"), (("-a", "PLAIN", "-pipeline"), "submission")])
def test_swaks(gate, more, port):
    """A-01 A-03 C-03 C-04 E-04 swaks with and without TLS, with PLAIN and LOGIN, pipelining."""
    subject = ("swaks " + " ".join(more)).strip()
    code, said = swaks(gate, "-h-Subject", subject, *more, port=port)
    assert code == 0, said
    assert ("ESMTPSA" if "-tls" in subject else "ESMTPA") in came(gate, subject).header("Received")[0]


def test_swaks_refused(gate):
    """A-05 S-02 A-15 swaks says which: 28 authentication, 23 sender, 24 recipient."""
    before = gate.accepted()
    code, said = swaks(gate, password="wrong")
    assert code == 28 and "535 5.7.8" in said, said
    code, said = swaks(gate, sender="boss@example.net")
    assert code == 23 and "553 5.7.1" in said, said
    code, said = run(need("swaks"), "-s", "127.0.0.1", "-p", gate.ports["submission"], "-f", LOGIN, "-t", "rcpt@example.org")
    assert code in (23, 24) and ("530 5.7.0" in said or "554 5.7.1" in said), said
    assert gate.accepted() == before


# ---- openssl ----

def test_openssl(gate):
    """C-04 C-19 openssl s_client on the port of implicit TLS; a wrong password and a wrong sender are told."""
    program = need("openssl")
    client = subprocess.Popen([program, "s_client", "-quiet", "-crlf", "-connect", "127.0.0.1:%d" % gate.ports["smtps"]],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        def ask(line, start):
            if line is not None:
                client.stdin.write(line + "\n")
                client.stdin.flush()
            while (reply := client.stdout.readline())[3:4] == "-":
                pass
            assert reply.startswith(start), "%s answered with %s" % (line, reply)
        ask(None, "220 ")
        ask("EHLO example.net", "250 ")
        ask("AUTH PLAIN AHVzZXJAZXhhbXBsZS5uZXQAd3Jvbmc=", "535 5.7.8")
        ask("AUTH PLAIN AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA==", "235 2.7.0")
        ask("MAIL FROM:<boss@example.net>", "553 5.7.1")
        ask("MAIL FROM:<%s>" % LOGIN, "250 2.1.0")
        ask("RCPT TO:<rcpt@example.org>", "250 2.1.5")
        ask("DATA", "354")
        ask((MESSAGE % "openssl").replace("\n.with", "\n..with") + ".", "250 2.0.0")
        ask("QUIT", "221")
        client.wait(PATIENCE)
    finally:
        client.kill()
        client.wait()
    came(gate, "openssl")


# ---- Python ----

@pytest.mark.parametrize("listener", ["submission", "smtps"])
def test_smtplib(gate, listener):
    """A-01 smtplib sends, and raises what it should."""
    with gate.smtplib(listener) as client:
        if listener == "submission":
            client.starttls(context=client_tls())
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail(LOGIN, "rcpt@example.org", "x")
        assert refused.value.smtp_code == 530
        with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
            client.login(LOGIN, "wrong")
        assert wrong.value.smtp_code == 535
        client.login(LOGIN, PASSWORD)
        with pytest.raises(smtplib.SMTPSenderRefused) as mismatch:
            client.sendmail("boss@example.net", "rcpt@example.org", "x")
        assert mismatch.value.smtp_code == 553
        refusals = client.sendmail(LOGIN, ["rcpt@example.org", "nobody"], MESSAGE % ("smtplib " + listener))
        assert refusals["nobody"][0] == 504
    came(gate, "smtplib " + listener)


# ---- curl ----

def curl(gate, *more, password=PASSWORD, sender=LOGIN, scheme="smtp", port="submission", text=""):
    return run(need("curl"), "-sS", "--max-time", "30", "%s://localhost:%d/client.example.net" % (scheme, gate.ports[port]), "-4",
               "--mail-from", sender, "--mail-rcpt", "rcpt@example.org", "-u", "%s:%s" % (LOGIN, password), "-T", "-", "--crlf", *more, text=text)


@pytest.mark.parametrize("more, scheme, port", [((), "smtp", "submission"), (("--ssl-reqd",), "smtp", "submission"),
                                                ((), "smtps", "smtps")])
def test_curl(gate, more, scheme, port):
    """C-03 C-04 curl; with TLS it verifies the certificate."""
    subject = "curl %s %s" % (scheme, " ".join(more))
    code, said = curl(gate, "--cacert", gate.certificate, *more, scheme=scheme, port=port, text=MESSAGE % subject.strip())
    assert code == 0, said
    came(gate, subject.strip())


def test_curl_refused(gate):
    """A-05 S-02 curl: 67 for the login, 55 or 56 for the sender."""
    before = gate.accepted()
    assert curl(gate, password="wrong", text="x\n")[0] == 67
    code, said = curl(gate, sender="boss@example.net", text="x\n")
    assert code in (55, 56) and "553" in said
    assert gate.accepted() == before


# ---- msmtp ----

def msmtp(gate, *more, password=PASSWORD, sender=LOGIN, port="submission", text=""):
    return run(need("msmtp"), "--host=localhost", "--port=%d" % gate.ports[port], "--auth=on", "--user=" + LOGIN,
               "--passwordeval=echo %s" % password, "--from=" + sender, "--source-ip=127.0.0.1", *more, "--", "rcpt@example.org",
               text=text)


@pytest.mark.parametrize("more, port", [(("--tls=on", "--tls-starttls=on"), "submission"),
                                        (("--tls=on", "--tls-starttls=off"), "smtps")])
def test_msmtp(gate, more, port):
    """C-03 C-04 msmtp; it verifies the certificate."""
    subject = "msmtp " + port
    code, said = msmtp(gate, "--tls-trust-file=" + gate.certificate, *more, port=port, text=MESSAGE % subject)
    assert code == 0, said
    came(gate, subject)


def test_msmtp_refused(gate):
    """A-05 S-02 msmtp: 77 for the login, 65 for the sender."""
    before = gate.accepted()
    tls = ("--tls=on", "--tls-starttls=on", "--tls-trust-file=" + gate.certificate)
    code, said = msmtp(gate, *tls, password="wrong", text=MESSAGE % "x")
    assert code == 77 and "535" in said, said
    code, said = msmtp(gate, *tls, sender="boss@example.net", text=MESSAGE % "x")
    assert code != 0 and "553" in said, said
    assert gate.accepted() == before


# ---- Postfix ----

MAIN = """compatibility_level = 3.6
queue_directory = %(place)s/queue
data_directory = %(place)s/data
command_directory = /usr/sbin
daemon_directory = %(daemons)s
myhostname = postfix.example.net
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:%(relay)d
smtp_tls_security_level = encrypt
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = static:%(login)s:%(password)s
smtp_sasl_security_options = noanonymous
smtpd_peername_lookup = no
maillog_file_prefixes = %(place)s
maillog_file = %(place)s/mail.log
"""
SERVICES = ("pickup unix n 60 1", "cleanup unix n - 0", "qmgr unix n 300 1", "tlsmgr unix - 1000? 1",
            "rewrite unix - - - trivial-rewrite", "bounce unix - - 0", "defer unix - - 0 bounce", "trace unix - - 0 bounce",
            "verify unix - - 1", "flush unix n 1000? 0", "proxymap unix - - -", "smtp unix - - -", "relay unix - - - smtp",
            "showq unix n - -", "error unix - - -", "retry unix - - - error", "discard unix - - -", "anvil unix - - 1",
            "scache unix - - 1", "postlog unix-dgram n - 1 postlogd")


class Postfix:
    """An instance of its own that relays through us; the installed one is not touched."""

    def __init__(self, place, gate):
        self.place, self.port, self.config = place, free_port(), place / "config"
        daemons = next(d for d in ("/usr/lib/postfix/sbin", "/usr/libexec/postfix") if os.path.exists(d + "/master"))
        self.make_directories()
        self.write_config("main.cf", MAIN % {"place": place, "daemons": daemons, "relay": gate.ports["submission"], "login": LOGIN,
                                             "password": PASSWORD})
        lines = ["127.0.0.1:%d inet n - n - - smtpd" % self.port]
        for row in SERVICES:
            name, kind, private, wakeup, limit, command = (row.split() + row.split()[:1])[:6]
            lines.append(" ".join((name, kind, private, "- n", wakeup, limit, command)))
        self.write_config("master.cf", "\n".join(lines) + "\n")
        self.process = subprocess.Popen([daemons + "/master", "-d", "-c", str(self.config)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_until(self.answers, "Postfix")

    def make_directories(self):
        for folder in ("config", "data", "queue/pid"):
            (self.place / folder).mkdir(parents=True)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"):
            (self.place / "queue" / name).mkdir(0o700)
            shutil.chown(self.place / "queue" / name, "postfix")
        for name, mode in (("maildrop", 0o1730), ("public", 0o2710)):
            (self.place / "queue" / name).mkdir()
            shutil.chown(self.place / "queue" / name, "postfix", "postdrop")
            os.chmod(self.place / "queue" / name, mode)
        shutil.chown(self.place / "data", "postfix")

    def write_config(self, name, text):
        (self.config / name).write_text(text)
        os.chmod(self.config / name, 0o644)

    def answers(self):
        assert self.process.poll() is None, "Postfix ended with %d" % self.process.returncode
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return True
        except (OSError, smtplib.SMTPException):
            return False

    def send(self, sender, subject):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.sendmail(sender, "rcpt@example.org", MESSAGE % subject)

    def log(self):
        path = self.place / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self):
        self.process.terminate()
        self.process.wait()
        try:
            os.killpg(self.process.pid, 9)  # its own session: what master leaves behind
        except ProcessLookupError:
            pass


@pytest.fixture(scope="module")
def postfix(gate, tmp_path_factory):
    if os.geteuid() != 0 or not any(os.path.exists(d + "/master") for d in ("/usr/lib/postfix/sbin", "/usr/libexec/postfix")):
        pytest.skip("needs Postfix, and root to start it")
    place = tmp_path_factory.mktemp("postfix")
    for folder in (place, *list(place.parents)[:-2]):
        if not os.stat(folder).st_mode & 0o001:
            os.chmod(folder, os.stat(folder).st_mode | 0o011)  # Postfix's daemons must get there
    server = Postfix(place, gate)
    yield server
    server.stop()


def test_postfix(gate, postfix):
    """A-16 C-12 Postfix relays through us with TLS and AUTH; DSN, SIZE and 8BITMIME as it asks for them."""
    postfix.send(LOGIN, "postfix")
    message = came(gate, "postfix")
    assert "ESMTPSA" in message.header("Received")[0] and "postfix.example.net" in message.header("Received")[0]
    wait_until(lambda: "status=sent (250 2.0.0 Ok: queued as" in postfix.log(), "Postfix's log")


def test_postfix_refused(gate, postfix):
    """S-02 a sender that is not the account's bounces at Postfix with our words, and nothing of it is queued."""
    postfix.send("boss@example.net", "postfix refused")
    wait_until(lambda: "status=bounced" in postfix.log() and "553 5.7.1 <boss@example.net>" in postfix.log(), "the bounce")
    # Postfix's own report, from the null sender, may be relayed already
    assert not re.search(r"message accepted [^\n]* from=boss@example.net", gate.log())


def test_postfix_many(gate, postfix):
    """E-04 S-21 many messages in a row, over connections that Postfix keeps."""
    for i in range(10):
        postfix.send(LOGIN, "postfix %d" % i)
    for i in range(10):
        came(gate, "postfix %d" % i)
