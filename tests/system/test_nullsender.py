"""Null and foreign senders (letter N of BEHAVIOURS.md) with the real daemon and a real next hop."""
import pytest

from postern import LOGIN, PASSWORD, Postern, Sink

SERVER = "example.net"
POSTMASTER = "pm@example.net"
REPORT = """From: "Mail Delivery System" <MAILER-DAEMON@mail.example.net>
Subject: Undeliverable
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: text/plain

It failed.
--x--
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    sink = Sink({"RCPT": lambda argument: "550 5.1.1 no such user" if "<gone@" in argument else None})
    daemon = Postern(tmp_path_factory.mktemp("gate"), {"server": {"plugins": "auth sender-rules ipfilter nullsender-rewrite"}},
                     sink=sink)
    daemon.add_account(SERVER, PASSWORD, "type=server", "ipfilter.ipv4=127.0.0.1")
    daemon.ctl("customer", "set", "acme", "postmaster=" + POSTMASTER, "primary=it@example.net")
    yield daemon
    daemon.stop()
    sink.close()


def sent_as(gate, sender, login=SERVER, content="From: boss@elsewhere.example\nSubject: x\n\ny\n"):
    """The message that came out."""
    before = gate.settle()
    gate.send(content=content, sender=sender, login=login)
    return gate.sink.wait(before + 1)[before]


def test_null_sender(gate):
    """N-01 the null sender of a mail server becomes the postmaster; N-03 the header's From is as it came."""
    message = sent_as(gate, "")
    assert message.sender == POSTMASTER
    assert message.header("From") == ["boss@elsewhere.example"]
    assert POSTMASTER not in message.text


def test_other_types(gate):
    """N-10 that of a single-address account, too; N-05 S-17 and it may send as the postmaster, unlike any other address."""
    assert sent_as(gate, "", LOGIN).sender == POSTMASTER
    assert sent_as(gate, POSTMASTER, LOGIN).sender == POSTMASTER
    with gate.session() as dialog:
        dialog.expect("553 5.7.1", "MAIL FROM:<x@elsewhere.example>")


def test_primary(gate):
    """N-02 without a postmaster the primary address takes its place, from the next message on."""
    gate.ctl("customer", "set", "acme", "postmaster=")
    assert sent_as(gate, "").sender == "it@example.net"
    gate.ctl("customer", "set", "acme", "postmaster=" + POSTMASTER)
    assert sent_as(gate, "").sender == POSTMASTER


@pytest.mark.parametrize("sender, expected", [
    ("x@elsewhere.example", POSTMASTER), ("x@evilexample.net", POSTMASTER), ("x@example.net.evil.org", POSTMASTER),
    ("x@example.net", "x@example.net"), ("x@a.b.example.net", "x@a.b.example.net"), (POSTMASTER, POSTMASTER)])
def test_foreign(gate, sender, expected):
    """N-05 foreign senders become the postmaster; the customer's subdomains are not foreign."""
    assert sent_as(gate, sender).sender == expected


def test_bounce_of_a_rewritten_message(gate):
    """N-11 the report of what failed goes to the postmaster."""
    before = gate.settle()
    gate.send("gone@example.org", sender="", login=SERVER)
    report = gate.sink.wait(before + 1)[before]
    assert report.sender == "" and report.recipients == [POSTMASTER]
    assert "gone@example.org" in report.text


def test_refused(gate):
    """N-06 null senders are refused per account where that is set, and nothing else of it."""
    gate.ctl("account", "set", LOGIN, "nullsender-rewrite.null-senders=refuse")
    try:
        with gate.session() as dialog:
            dialog.expect("550 5.7.1", "MAIL FROM:<>")
            dialog.mail()
    finally:
        gate.ctl("account", "set", LOGIN, "nullsender-rewrite.null-senders=rewrite")


def test_multi_recipient(gate):
    """N-07 a null sender with two recipients is a 550 5.5.3 at DATA."""
    before = gate.accepted()
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<>")
        dialog.expect("250", "RCPT TO:<a@example.org>")
        dialog.expect("250", "RCPT TO:<b@example.org>")
        dialog.expect("550 5.5.3", "DATA")
        dialog.expect("250", "RSET")
        dialog.mail(recipients=["a@example.org", "b@example.org"])
    assert gate.accepted() == before + 1


def test_backscatter(gate):
    """N-09 reports of failed delivery are refused after DATA when the filter is on, and pass when it is not."""
    assert sent_as(gate, "", content=REPORT).sender == POSTMASTER
    before = gate.accepted()
    gate.ctl("customer", "set", "acme", "nullsender-rewrite.backscatter=refuse")
    with gate.session(SERVER) as dialog:
        dialog.expect("250", "MAIL FROM:<>")
        dialog.expect("250", "RCPT TO:<a@example.org>")
        reply = dialog.data(REPORT)
        assert reply.text.startswith("550 5.7.1")
        dialog.mail(content="Subject: not a report\n\ny\n")
    assert gate.accepted() == before + 1
    why = gate.ctl("why", SERVER)
    assert "nullsender-rewrite" in why and "backscatter" in why
    gate.ctl("customer", "set", "acme", "nullsender-rewrite.backscatter=pass")


def test_options_are_checked(gate):
    """A choice that does not exist is refused when it is set."""
    gate.ctl("account", "set", LOGIN, "nullsender-rewrite.null-senders=bounce", code=1)
