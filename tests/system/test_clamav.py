"""Viruses (X-01, X-02, X-04 of BEHAVIOURS.md): the real daemon and a real clamd with a signature of our own, and servers
of ours that hang."""
import io
import re
import shutil
import signal
import socket
import threading
import time
import zipfile
from email.message import EmailMessage

import pytest

from clamd import VIRUS, Clamd, Hanging
from postern import LOGIN, free_port, wait_until

NAME = "Postern.Test.UNOFFICIAL"
INFECTED = "550 5.7.1 Message contains " + NAME


@pytest.fixture(scope="module")
def clamd(tmp_path_factory):
    if not shutil.which("clamd"):
        pytest.skip("needs clamd")
    server = Clamd(tmp_path_factory.mktemp("clamd"))
    yield server
    server.stop()


@pytest.fixture
def hanging():
    server = Hanging()
    yield server
    server.close()


@pytest.fixture
def make_gate(make_postern, sink):
    def make(server, **options):
        return make_postern({"server": {"plugins": "auth sender-rules clamav"},
                             "plugin clamav": {"server": server, "deadline": "30s", **options}}, sink=sink)
    return make


@pytest.fixture
def gate(make_gate, clamd):
    return make_gate("unix:%s" % clamd.socket)


def answer(gate, message="Subject: test\n\nHello.\n", recipients=("rcpt@example.org",)):
    """The reply to the message; a refused one is not in the queue."""
    before = gate.accepted()
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        for recipient in recipients:
            dialog.expect("250", "RCPT TO:<%s>" % recipient)
        reply = dialog.data(message if isinstance(message, (bytes, str)) else bytes(message))
    assert gate.accepted() == before + (reply.code == 250)
    return reply


def alarm(gate):
    return gate.alarms().get("clamav.servers")


def message_with(octets, filename="a.bin"):
    message = EmailMessage()
    message["From"], message["Subject"] = LOGIN, "documents"
    message.set_content("as you asked for")
    message.add_attachment(octets, maintype="application", subtype="octet-stream", filename=filename)
    return message


def zip_of(octets):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("document.txt", b"hello " * 1000 + octets)
    return file.getvalue()


def encrypted_zip():
    """One that says that it is; its octets are anything."""
    octets = bytearray(zip_of(b"hello"))
    octets[6] |= 1
    octets[octets.index(b"PK\x01\x02") + 8] |= 1
    return bytes(octets)


def disguised(message):
    """Begins with a header field that reads like the beginning of a picture."""
    return b"GIF89a: x\r\n" + bytes(message)


# ---- what clamd finds ----

@pytest.mark.parametrize("content, start", [
    ("Subject: test\n\nHello.\n", "250 2.0.0"),
    (b"Subject: test\n\nhere: %s.\n" % VIRUS, INFECTED),
    (b"Subject: %s\n\nHello.\n" % VIRUS, INFECTED),
    (message_with(b"octets: " + VIRUS + b"\0\1\2"), INFECTED),
    (message_with(zip_of(VIRUS), "a.zip"), INFECTED),
    (message_with(zip_of(b"hello"), "a.zip"), "250 2.0.0"),
    (message_with(zip_of(zip_of(VIRUS)), "a.zip"), INFECTED),
    (message_with(bytes(message_with(VIRUS)), "forwarded.eml"), INFECTED),
    (disguised(message_with(VIRUS)), INFECTED),
    (message_with(encrypted_zip(), "a.zip"), "550 5.7.1 Message contains Heuristics.Encrypted.Zip")],
    ids=["clean", "text", "header", "base64", "zip", "clean-zip", "nested", "forwarded", "disguised", "encrypted"])
def test_found(gate, content, start):
    """X-01 what clamd calls infected is refused after DATA with the name of the signature; nothing is queued."""
    assert answer(gate, content).text.startswith(start)


def test_by_tcp(make_gate, clamd):
    """X-01 over a port, behind a server that is down."""
    gate = make_gate("127.0.0.1:%d 127.0.0.1:%d" % (free_port(), clamd.port), ignore="Heuristics.*")
    assert answer(gate, VIRUS).text.startswith(INFECTED)
    assert answer(gate).code == 250
    assert answer(gate, message_with(encrypted_zip(), "a.zip")).code == 250  # ignored
    assert "cannot be reached" in alarm(gate) and "put off" not in alarm(gate)


def test_exempt(gate):
    """X-04 reports of abuse pass, if nobody else gets them."""
    assert answer(gate, message_with(VIRUS), ["abuse@anywhere.example", "1.a@spam.spamcop.net"]).code == 250
    assert answer(gate, message_with(VIRUS), ["abuse@anywhere.example", "rcpt@example.org"]).code == 550


def test_held(make_gate, clamd, sink):
    """X-01 action = hold: in the queue until somebody looks."""
    gate = make_gate("unix:%s" % clamd.socket, action="hold")
    assert answer(gate, message_with(VIRUS)).code == 250
    assert answer(gate).code == 250
    assert len(sink.wait(1)) == 1
    assert [row["state"] for row in gate.wait_queue(1)] == ["held"]


def anonymous_memory(gate):
    """Of posternd, in KiB, without what is mapped from files."""
    with open("/proc/%d/status" % gate.process.pid, encoding="ascii") as status:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1))


def memory_for(gate, content):
    """How much more it takes, at most, for a message that is accepted, in KiB."""
    before, most, is_over = anonymous_memory(gate), [0], threading.Event()

    def watch():
        while not is_over.wait(0.002):
            most[0] = max(most[0], anonymous_memory(gate))
    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.monotonic()
    try:
        assert answer(gate, content).code == 250
    finally:
        is_over.set()
        watcher.join()
    print("%d octets: %.2f s, %d KiB more memory" % (len(content), time.monotonic() - begun, most[0] - before))
    return most[0] - before


def test_large(make_postern, gate, sink):
    """X-01 20 MiB are scanned to the end, and scanning takes no memory for them."""
    content = b"Subject: large\n\n" + (b"x" * 76 + b"\n") * (20 * 1024 * 1024 // 77)
    without = make_postern({"server": {"plugins": "auth sender-rules"}}, sink=sink)
    assert memory_for(gate, content) < memory_for(without, content) + 8 * 1024
    assert answer(gate, content + VIRUS).text.startswith(INFECTED)


def test_too_large_for_clamd(make_gate, clamd):
    """X-06 what is larger than clamd's own limit is refused, or passes with a line in the log."""
    content = b"Subject: large\n\n" + (b"x" * 76 + b"\n") * (27 * 1024 * 1024 // 77)
    gate = make_gate("unix:%s" % clamd.socket)
    assert answer(gate, content).text.startswith("550 5.7.1 Message has more octets than can be scanned")
    gate.reload({"plugin clamav": {"on-limit": "pass"}})
    assert answer(gate, content).code == 250
    assert "more octets than can be scanned for viruses; it passes" in gate.log() and alarm(gate) is None


# ---- clamd in trouble ----

def test_dead(make_gate, clamd):
    """X-02 clamd is dead: 451 and nothing queued, with an alarm; it ends when clamd is back."""
    gate = make_gate("unix:%s" % clamd.socket, pause="1s")
    assert answer(gate).code == 250
    clamd.stop()
    try:
        for _ in range(5):
            assert answer(gate).text.startswith("451 4.3.0")
        assert "put off" in alarm(gate) and "1 alarm: clamav.servers" in gate.ctl("status")
    finally:
        clamd.start()
    wait_until(lambda: alarm(gate) is None, "the end of the alarm")
    assert answer(gate, VIRUS).text.startswith(INFECTED)
    assert "scans again" in gate.log()


def test_dead_and_passes(make_gate, clamd, sink):
    """X-02 on-error = pass: queued, with an alarm that ends when clamd is back."""
    gate = make_gate("unix:%s" % clamd.socket, pause="1s", **{"on-error": "pass"})
    clamd.stop()
    try:
        assert answer(gate, VIRUS).code == 250
        assert "passed unscanned" in alarm(gate)
        assert VIRUS in sink.wait(1)[0].data
    finally:
        clamd.start()
    wait_until(lambda: alarm(gate) is None, "the end of the alarm")
    assert answer(gate, VIRUS).text.startswith(INFECTED)


def test_hangs(make_gate, hanging):
    """X-02 a server that never answers: 451 at the deadline, and after two failures at once; the session goes on.

    One of the two may be a test by the plugin itself, whose first one comes five seconds after the start."""
    gate = make_gate("127.0.0.1:%d" % hanging.port, deadline="2s", patience="2")
    with gate.session() as dialog:
        for n in range(4):
            dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            dialog.expect("250", "RCPT TO:<rcpt@example.org>")
            begun = time.monotonic()
            reply = dialog.data("Subject: test\n\nHello.\n")
            took = time.monotonic() - begun
            print("%d: %s after %.2f s" % (n, reply, took))
            assert reply.text.startswith("451 4.3.0")
            assert n > 0 or 1.5 < took < 10
            assert n < 2 or took < 1
    assert "does not answer in time" in alarm(gate) and "missed" not in gate.log()
    assert gate.accepted() == 0


def test_stopped(make_gate, clamd):
    """X-02 a real clamd that is stopped in its work (SIGSTOP): 451 at the deadline, and the alarm ends when it goes on."""
    gate = make_gate("unix:%s" % clamd.socket, deadline="2s", pause="1s")
    assert answer(gate).code == 250
    clamd.process.send_signal(signal.SIGSTOP)
    try:
        assert answer(gate).text.startswith("451 4.3.0")
        assert "in time" in alarm(gate)
    finally:
        clamd.process.send_signal(signal.SIGCONT)
    wait_until(lambda: alarm(gate) is None, "the end of the alarm")
    assert answer(gate, VIRUS).text.startswith(INFECTED)


def test_explain(make_gate, clamd):
    """X-02 explain tells that clamd does not answer, and leaves the state of the server alone."""
    gate = make_gate("unix:%s" % clamd.socket, deadline="2s", patience="1")
    assert answer(gate).code == 250
    clamd.process.send_signal(signal.SIGSTOP)
    try:
        done = gate.ask("explain", "--client", "203.0.113.4", "--login", LOGIN, "--from", LOGIN, "--to", "x@example.org")
        assert "does not answer in time" in done.stdout.decode()
    finally:
        clamd.process.send_signal(signal.SIGCONT)
    assert gate.ctl("clamav", "check", json=True)[0]["state"] == "ok"
    assert alarm(gate) is None


def test_another_takes_over(make_gate, hanging, clamd):
    """X-02 behind a server that hangs the next one is asked: one message is put off, no more."""
    gate = make_gate("127.0.0.1:%d unix:%s" % (hanging.port, clamd.socket), deadline="2s")
    replies = [answer(gate, VIRUS).code for _ in range(4)]
    assert replies[1:] == [550, 550, 550] and replies[0] in (451, 550)


# ---- for people ----

def test_commands(gate, clamd):
    """posternctl clamav check, and doctor."""
    row = gate.ctl("clamav", "check", json=True)[0]
    assert row["server"] == "unix:%s" % clamd.socket and row["ping"] == "PONG" and row["state"] == "ok"
    assert row["version"].startswith("ClamAV ")
    rows = {row["check"]: row for row in gate.ctl("clamav", "doctor", json=True)}
    assert rows["clamav unix:%s" % clamd.socket]["result"] == "ok"
    assert "clamav unix:" in gate.ask("doctor").stdout.decode()


def test_cost(make_postern, clamd, sink):
    """What it costs: printed, and bounded loosely (the machine may be busy)."""
    times = {}
    for plugins in ("auth sender-rules", "auth sender-rules clamav"):
        options = {"server": {"plugins": plugins}}
        if "clamav" in plugins:
            options["plugin clamav"] = {"server": "unix:%s" % clamd.socket}
        gate = make_postern(options, sink=sink)
        content = "Subject: test\n\n" + ("x" * 76 + "\n") * 13
        with gate.session() as dialog:
            took = []
            for _ in range(100):
                begun = time.monotonic()
                dialog.mail(content=content)
                took.append(time.monotonic() - begun)
        times[plugins] = sorted(took)[len(took) // 2]
    plain, scanned = times.values()
    print("1 KiB, median of 100: %.2f ms, with clamd %.2f ms" % (1000 * plain, 1000 * scanned))
    assert scanned - plain < 0.25
