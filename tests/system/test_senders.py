"""Sender policy (letter S of BEHAVIOURS.md) against the real daemon, its DNS by an nsd of ours."""
import pytest

from postern import LOGIN, PASSWORD, Dialog, Postern, Sink

MISMATCH = "553 5.7.1"
ACCOUNTS = {
    "plain@example.net": (), "ident@example.net": ("sender-rules.identities=yes",),
    "sub@example.net": ("sender-rules.subdomains=yes",),
    "both@example.net": ("sender-rules.identities=yes", "sender-rules.subdomains=yes"),
    "@example.net": (), "@example.org": ("sender-rules.subdomains=yes",), "example.net": ("type=server",),
}


@pytest.fixture(scope="module")
def gate(tmp_path_factory, dns):
    sink = Sink()
    daemon = Postern(tmp_path_factory.mktemp("gate"), dns, sink=sink)
    daemon.ctl("domain", "add", "example.org", "customer=acme", "mode=outbound-only")
    for login, options in ACCOUNTS.items():
        daemon.add_account(login, PASSWORD, *options)
    yield daemon
    daemon.stop()
    sink.close()


def answer(gate, login, sender):
    """The reply to MAIL, followed to the end where it is positive."""
    with gate.session(login) as dialog:
        reply = dialog.ask("MAIL FROM:<%s>" % sender)
        if reply.code == 250:
            dialog.expect("250 2.1.5", "RCPT TO:<rcpt@example.org>")
            assert dialog.data("Subject: x\n\ny\n").code == 250
        else:
            dialog.expect("503 5.5.1", "RCPT TO:<rcpt@example.org>")
        return reply


@pytest.mark.parametrize("line, login, sender, start", [
    ("S-01", LOGIN, LOGIN, "250 2.1.0"),
    ("S-02", LOGIN, "other@example.net", MISMATCH),
    ("S-02", LOGIN, "user+tag@example.net", MISMATCH),
    ("S-03", LOGIN, "user@example.org", MISMATCH),
    ("S-03", LOGIN, "user@elsewhere.example", MISMATCH),
    ("S-04", "ident@example.net", "anyone@example.net", "250 2.1.0"),
    ("S-05", "ident@example.net", "ident@example.org", MISMATCH),
    ("S-05", "ident@example.net", "ident@sub.example.net", MISMATCH),
    ("S-07", "@example.net", "anyone@example.net", "250 2.1.0"),
    ("S-08", "@example.net", "anyone@example.org", MISMATCH),
    ("S-09", "@example.net", "x@sub.example.net", MISMATCH),
    ("S-10", "@example.org", "x@two.example.org", "250 2.1.0"),
    ("S-10", "@example.org", "x@alone.example.org", "250 2.1.0"),
    ("S-11", "@example.org", "x@absent.example.org", "450 4.1.8"),
    ("S-12", "sub@example.net", "sub@sub.example.net", "250 2.1.0"),
    ("S-12", "sub@example.net", "other@sub.example.net", MISMATCH),
    ("S-12", "sub@example.net", "other@example.net", MISMATCH),
    ("S-11", "sub@example.net", "sub@absent.example.net", "450 4.1.8"),
    ("S-11", "sub@example.net", "sub@text.example.net", "450 4.1.8"),
    ("S-12", "sub@example.net", "sub@sendonly.example.net", "250 2.1.0"),  # Q1: a null MX is valid for sending
    ("S-13", "both@example.net", "other@sub.example.net", "250 2.1.0"),
    ("S-13", "both@example.net", "other@example.net", "250 2.1.0"),
    ("S-13", "both@example.net", "other@example.org", MISMATCH),
    ("S-14", "sub@example.net", "sub@a.b.example.net", "250 2.1.0"),
    ("S-14", "sub@example.net", "sub@evilexample.net", MISMATCH),
    ("S-14", "sub@example.net", "sub@example.net.evil.org", MISMATCH),
    ("S-14", "both@example.net", "sub@evil-example.net", MISMATCH),
    ("S-14", "@example.net", "sub@evilexample.net", MISMATCH),
    ("S-18", LOGIN, "USER@Example.NET", "250 2.1.0"),
    ("S-18", "@example.net", "X@EXAMPLE.net", "250 2.1.0"),
    ("S-18", "sub@example.net", "Sub@SUB.Example.Net", "250 2.1.0")])
def test_sender(gate, line, login, sender, start):
    """S-01 S-02 S-03 S-04 S-05 S-07 S-08 S-09 S-10 S-11 S-12 S-13 S-14 S-18: who may send as whom."""
    before = gate.accepted()
    reply = answer(gate, login, sender)
    assert reply.text.startswith(start), "%s: %s" % (line, reply)
    if start == MISMATCH:
        assert "address mismatch" in reply and "<%s>" % sender in reply and login in reply
    assert gate.accepted() == before + (start == "250 2.1.0")


def test_dns_trouble(make_postern, sink):
    """S-11 while nobody answers it is 450 4.1.8, never a permanent answer and never a yes."""
    postern = make_postern(sink=sink)
    postern.ctl("account", "set", LOGIN, "sender-rules.subdomains=yes")
    with postern.session() as dialog:
        dialog.expect("450 4.1.8", "MAIL FROM:<user@sub.example.net>")
        dialog.mail()


def test_identities_on_another_type(gate):
    """S-06 "allow identities" is a single-address account's: on others it is refused, and they are what they were."""
    for login, why in (("@example.net", "sends with any local part anyway"), ("example.net", "a mail server sends")):
        before = gate.options("account", login)
        assert why in gate.ctl("account", "set", login, "sender-rules.identities=yes", code=1)
        assert gate.options("account", login) == before
        assert why in gate.ctl("import", "-", input="[account %s]\nsender-rules.identities = yes\n" % login, code=1)
        assert gate.options("account", login) == before
        gate.ctl("account", "set", login, "sender-rules.identities=no")
    gate.ctl("account", "set", LOGIN, "sender-rules.identities=yes")  # of the type that it is for
    assert gate.options("account", LOGIN)["sender-rules.identities"] == (True, "account")
    gate.ctl("account", "set", LOGIN, "sender-rules.identities=")
    assert answer(gate, "@example.net", "x@example.net").code == 250
    assert answer(gate, "@example.net", "x@example.org").text.startswith(MISMATCH)


@pytest.mark.parametrize("sender", ["x@example.net", "x@sub.example.net", "x@elsewhere.example", "", "x@example.org"])
def test_mail_server(gate, sender):
    """S-15 S-16 S-17 a mail-server account is closed until its sources are filtered (F-02), whatever it sends."""
    for options in ((), ("sender-rules.subdomains=yes",)):
        if options:
            gate.ctl("account", "set", "example.net", *options)
        before = gate.accepted()
        with gate.session("example.net") as dialog:
            dialog.expect("554 5.7.1", "MAIL FROM:<%s>" % sender)
            dialog.expect("503 5.5.1", "RCPT TO:<rcpt@example.org>")
        assert gate.accepted() == before


@pytest.fixture(scope="module")
def open_server(tmp_path_factory, dns):
    """A mail server that may submit from here, for a customer with two domains; nobody rewrites senders."""
    sink = Sink()
    daemon = Postern(tmp_path_factory.mktemp("server"), {"server": {"plugins": "auth sender-rules ipfilter"}, **dns}, sink=sink)
    daemon.ctl("domain", "add", "example.org", "customer=acme", "mode=outbound-only")
    daemon.add_account("example.net", PASSWORD, "type=server", "ipfilter.ipv4=127.0.0.1")
    yield daemon
    daemon.stop()
    sink.close()


SERVER_SENDERS = ["x@example.net", "anything.at+all@example.net", "x@example.org", "x@sub.example.net", "x@a.b.example.org",
                  "x@absent.example.net", "x@elsewhere.example", "x@evilexample.net", ""]


@pytest.mark.parametrize("subdomains", ["yes", "no", ""])
def test_open_mail_server(open_server, subdomains):
    """S-16 a mail server sends with any domain of its customer, or below one; S-17 with a foreign one, as it is where nobody
    rewrites it (test_nullsender.py, test_foreign); S-15 and "subdomains" changes nothing of that."""
    open_server.ctl("account", "set", "example.net", "sender-rules.subdomains=" + subdomains)
    before = open_server.settle()
    for sender in SERVER_SENDERS:
        assert answer(open_server, "example.net", sender).text.startswith("250 2.1.0"), sender
    sent = open_server.sink.wait(before + len(SERVER_SENDERS))[before:]
    assert sorted(message.sender for message in sent) == sorted(SERVER_SENDERS)


def test_open_mail_server_stays_filtered(open_server):
    """S-16 it is the filter that opens it: without one it is closed from the next session on."""
    open_server.ctl("account", "set", "example.net", "ipfilter.ipv4=192.0.2.1")
    with open_server.session() as dialog:   # another account goes on
        dialog.mail()
    with Dialog(open_server.ports["submission"]) as dialog:
        dialog.hello()
        assert dialog.auth("example.net").text.startswith("554 5.7.1 Client host rejected")
    open_server.ctl("account", "set", "example.net", "ipfilter.ipv4=127.0.0.1")
    assert answer(open_server, "example.net", "x@example.org").code == 250


def test_header_from(gate):
    """S-19 only the envelope counts; the header's From goes out as it came."""
    before = gate.settle()
    with gate.session() as dialog:
        dialog.mail(content="From: Boss <boss@elsewhere.example>\nSender: x@y.example\nSubject: x\n\ny\n")
    message = gate.sink.wait(before + 1)[before]
    assert message.sender == LOGIN
    assert message.header("From") == ["Boss <boss@elsewhere.example>"] and message.header("Sender") == ["x@y.example"]


def test_refusal_leaves_the_session_usable(gate):
    """S-20 a mismatch is told at MAIL; MAIL again, with or without RSET, is fine. S-21 each message is checked."""
    before = gate.accepted()
    with gate.session() as dialog:
        dialog.expect(MISMATCH, "MAIL FROM:<other@example.net>")
        dialog.mail()
        dialog.expect(MISMATCH, "MAIL FROM:<other@example.net>")
        dialog.expect("250", "RSET")
        dialog.mail()
        dialog.expect(MISMATCH, "MAIL FROM:<user@example.org>")
        dialog.mail()
    assert gate.accepted() == before + 3


def test_pipelined_behind_a_refusal(gate):
    """S-20 what was pipelined behind a mismatch takes no mail."""
    before = gate.accepted()
    with gate.session() as dialog:
        dialog.send_raw(b"MAIL FROM:<other@example.net>\r\nRCPT TO:<rcpt@example.org>\r\nDATA\r\nNOOP\r\n")
        for start in (MISMATCH, "503 5.5.1", "503 5.5.1", "250 2.0.0"):
            dialog.expect(start)
    assert gate.accepted() == before


def test_changed_option(gate):
    """S-04 an option holds from the next message of a session on."""
    gate.add_account("later@example.net", PASSWORD)
    with gate.session("later@example.net") as dialog:
        dialog.expect(MISMATCH, "MAIL FROM:<x@example.net>")
        gate.ctl("account", "set", "later@example.net", "sender-rules.identities=yes")
        dialog.mail("x@example.net")
        gate.ctl("account", "set", "later@example.net", "sender-rules.identities=no")
        dialog.expect(MISMATCH, "MAIL FROM:<x@example.net>")
