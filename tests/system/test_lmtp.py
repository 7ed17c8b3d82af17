"""LMTP as a way out (RFC 2033), with Dovecot and with a sink, and routes by the mode of a domain."""
import email
import shutil

import pytest

from dovecot import Dovecot
from postern import wait_until


@pytest.fixture(scope="module")
def store():
    if not shutil.which("dovecot"):
        pytest.skip("needs Dovecot")
    dovecot = Dovecot({"a@hosted.example": None, "b@hosted.example": None, "full@hosted.example": 3000})
    yield dovecot
    dovecot.stop()


def mailboxes(store, **more):
    return {"route mailboxes": {"for-mode": "hosted", "next-hop": store.next_hop, **more}}


def add_hosted(postern):
    postern.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hosted")


def test_hosted(make_postern, store, sink):
    """Mail for domains of mode hosted is stored, each recipient's fate by itself; success is "delivered", not "relayed"."""
    sections = {"route all": None, **mailboxes(store), "route rest": {"to": "*", "next-hop": "smtp:[127.0.0.1]:%d" % sink.port}}
    postern = make_postern(sections, sink=sink)
    add_hosted(postern)
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<user@example.net>")
        for name in ("a", "b", "full", "nobody"):
            dialog.expect("250", "RCPT TO:<%s@hosted.example> NOTIFY=SUCCESS,FAILURE" % name)
        dialog.expect("250", "RCPT TO:<far@example.org>")
        dialog.expect("354", "DATA")
        dialog.send_raw(b"Subject: many\r\n\r\n..dot\r\n" + b"x" * 70 + b"\r\n" + b"line\r\n" * 1000 + b".\r\n")
        dialog.expect("250")
    for name in ("a", "b"):
        message, = store.wait(name + "@hosted.example")
        assert message["Subject"] == "many"
        assert message["Return-Path"] == "<user@example.net>"
        assert message.get_payload().startswith(".dot\n") and message.get_payload().count("line\n") == 1000
    assert store.mail("full@hosted.example") == []
    postern.settle()
    reports = [email.message_from_bytes(each.data) for each in sink.messages if each.sender == ""]
    told = {fields["Final-Recipient"].split(";")[1]: (fields["Action"], fields["Status"])
            for report in reports for fields in report.get_payload()[1].get_payload()[1:]}
    assert {name: action for name, (action, _) in told.items()} == {
        "a@hosted.example": "delivered", "b@hosted.example": "delivered", "full@hosted.example": "failed",
        "nobody@hosted.example": "failed"}
    assert told["full@hosted.example"][1] == "5.2.2" and told["nobody@hosted.example"][1] == "5.1.1"
    assert [each.recipients for each in sink.messages if each.sender] == [["far@example.org"]]
    postern.wait_log(r"delivered .*to=a@hosted.example relay=\"?localhost\[")


def test_smtputf8_that_is_not_needed(make_postern, store, sink):
    """E-24 E-23 Dovecot's LMTP knows no SMTPUTF8: mail of clients that say the word is stored, whatever its body is."""
    postern = make_postern(mailboxes(store), sink=sink)
    add_hosted(postern)
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<user@example.net> BODY=8BITMIME SMTPUTF8")
        dialog.expect("250", "RCPT TO:<b@hosted.example>")
        assert dialog.data("Subject: the word\n\ngr\u00fc\u00dfe\n").code == 250
    wait_until(lambda: [m for m in store.mail("b@hosted.example") if m["Subject"] == "the word"], "the message")


def test_many(make_postern, store):
    """Many messages over kept connections, each once."""
    postern = make_postern({"route all": None, **mailboxes(store)})
    add_hosted(postern)
    before = len(store.mail("a@hosted.example"))
    with postern.session() as dialog:
        for i in range(30):
            dialog.mail(recipients=["a@hosted.example", "b@hosted.example"], content="Subject: %d\n\nx\n" % i)
    found = store.wait("a@hosted.example", before + 30)[before:]
    assert sorted(int(message["Subject"]) for message in found) == list(range(30))
    wait_until(lambda: " spool 0 messages" in postern.ctl("status"), "an empty spool")
    assert len(store.mail("a@hosted.example")) == before + 30


def test_store_is_down(make_postern, store):
    """Mail waits while the socket is not there."""
    postern = make_postern({"route all": None, "route mailboxes": {"for-mode": "hosted", "next-hop": "lmtp:unix:/nowhere/lmtp"},
                            "delivery": {"retry": "1s .. 1s"}})
    add_hosted(postern)
    before = len(store.mail("b@hosted.example"))
    postern.send("b@hosted.example")
    postern.wait_log(r"deferred .*reply=\"4\.4\.1 .*/nowhere/lmtp")
    postern.reload({"route mailboxes": {"next-hop": store.next_hop}})
    store.wait("b@hosted.example", before + 1)


def test_route_without_a_condition(make_postern, store):
    """A [route] that says neither `to` nor `for-mode` is a mistake."""
    postern = make_postern({"route mailboxes": {"for-mode": "hosted", "to": "hosted.example", "next-hop": store.next_hop}})
    postern.change({"route mailboxes": {"for-mode": None, "to": None}})
    assert "which mail goes this way?  Give to = DOMAIN or for-mode = MODE" in postern.ctl("reload", code=1)
    postern.change({"route mailboxes": {"for-mode": "hostel"}})
    assert "hosted" in postern.ctl("reload", code=1)
