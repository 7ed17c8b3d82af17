"""Q-39: every kind of report, as Python's email package and a validator of RFC 3464 (dsn_check.py) read it."""
import email
import re
from pathlib import Path

import pytest

import dsn_check
from postern import LOGIN, free_port

HOST = ".".join(["a-rather-long-label-of-a-host-name"] * 6) + ".example.net"


def check(message):
    """(status part's recipients, all text) of a report without faults."""
    assert message.sender == ""
    assert dsn_check.check(message.data) == [], message.text
    whole = email.message_from_bytes(message.data)
    return whole.get_payload()[1].get_payload()[1:], whole


def only(text, reply):
    return lambda argument: reply if text in argument else None


@pytest.fixture
def start(make_postern, make_sink):
    def start(replies, **options):
        sink = make_sink(replies, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"))
        delivery = {"retry": "1s .. 1s", **options.pop("delivery", {})}
        return make_postern({"server": {"hostname": HOST}, "delivery": delivery, **options}, sink=sink), sink
    return start


def submit(postern, recipient="rcpt@example.org", sender=LOGIN, mail="", rcpt="", content="Subject: x\n\nbody\n"):
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>%s" % (sender, mail))
        dialog.expect("250", "RCPT TO:<%s>%s" % (recipient, rcpt))
        assert dialog.data(content).code == 250


REPLIES = [
    ("550 5.1.1 no such user", "5.1.1", "smtp; 550 5.1.1 no such user"),
    ("550 no such user", "5.0.0", "smtp; 550 no such user"),
    ("550 5.1.1 kein Benutzer hört auf diesen Namen", "5.1.1", "smtp; 550 5.1.1 kein Benutzer h?rt auf diesen Namen"),
    ("550 5.1.1 " + "long words " * 180, "5.1.1", None),
    ("550 5.1.1 " + "x" * 1900, "5.1.1", None),
    ("\n".join("550-5.1.1 line %d of very many" % i for i in range(300)) + "\n550 5.1.1 end", "5.1.1", None),
    ("550 5.1.1 ", "5.1.1", None),
]


@pytest.mark.parametrize("reply, status, code", REPLIES)
def test_failed(start, reply, status, code):
    """Q-39 a failure, whatever the next hop said, and with a host name of 210 octets."""
    postern, sink = start({"RCPT": only("rcpt@", reply)})
    submit(postern, rcpt=" ORCPT=rfc822;some+2Bone@example.com", mail=" ENVID=QQ1")
    recipients, whole = check(sink.wait(1)[0])
    assert recipients[0]["Status"] == status and len(whole.get_boundary()) <= 70
    assert recipients[0]["Remote-MTA"] == "dns; 127.0.0.1"
    if code:
        assert recipients[0]["Diagnostic-Code"] == code


def test_not_by_smtp(start):
    """Q-39 what no server said is no SMTP reply: a domain that loops, and mail that was given up."""
    port = free_port()
    postern, sink = start({"RCPT": only("rcpt@", "450 4.2.1 later")}, delivery={"expire": "2s"},
                          **{"listener in": {"addresses": "127.0.0.1", "ports": port, "inbound": "yes", "tls": "none"}})
    postern.ctl("domain", "add", "self.example", "customer=acme", "mode=redirect", "destination=127.0.0.1:%d" % port)
    submit(postern, "a@self.example")
    recipients, _ = check(sink.wait(1)[0])
    assert recipients[0]["Status"] == "5.4.6" and recipients[0]["Diagnostic-Code"].startswith("x-postern; 5.4.6")
    assert recipients[0]["Remote-MTA"] is None
    submit(postern)
    recipients, _ = check(sink.wait(2)[1])
    assert recipients[0]["Status"] == "4.4.7" and recipients[0]["Diagnostic-Code"].startswith("x-postern; 4.4.7")


def test_delayed(start):
    """Q-39 a warning."""
    postern, sink = start({"RCPT": only("rcpt@", "450 4.2.1 später")}, delivery={"warn-after": "1s"})
    submit(postern)
    recipients, whole = check(sink.wait(1)[0])
    assert recipients[0]["Action"] == "delayed" and "später" in whole.get_payload()[0].get_payload(decode=True).decode()


def test_relayed(start):
    """Q-39 a report of success."""
    postern, sink = start({})
    submit(postern, rcpt=" NOTIFY=SUCCESS")
    report, = [message for message in sink.wait(2) if message.sender == ""]
    recipients, _ = check(report)
    assert recipients[0]["Action"] == "relayed" and recipients[0]["Status"].startswith("2.")


@pytest.mark.parametrize("sender, recipient, rcpt, kind, final", [
    (LOGIN, "grüße@example.org", "", "delivery-status", r"utf-8;gr\x{FC}\x{DF}e@example.org"),
    (LOGIN, "rcpt@example.org", "", "delivery-status", "rfc822;rcpt@example.org"),
    ("grüße@example.net", "grüße@example.org", "", "global-delivery-status", "utf-8;grüße@example.org"),
    ("grüße@example.net", "rcpt@example.org", "", "delivery-status", "rfc822;rcpt@example.org"),
    (LOGIN, "rcpt@example.org", r" ORCPT=utf-8;gr\x{FC}\x{DF}e@example.org", "delivery-status", "rfc822;rcpt@example.org")])
def test_international(start, sender, recipient, rcpt, kind, final):
    """Q-39 the types of RFC 6533 for those only who have such an address, and where something needs them."""
    postern, sink = start({"RCPT": only("@example.org", "550 5.1.1 no")})
    postern.add_account("other@example.net", "password", "sender-rules.identities=yes")
    with postern.session("other@example.net", "password") as dialog:
        dialog.expect("250", "MAIL FROM:<%s> BODY=8BITMIME SMTPUTF8" % sender)
        dialog.expect("250", "RCPT TO:<%s>%s" % (recipient, rcpt))
        assert dialog.data("Subject: x\n\nbody\n").code == 250
    report = sink.wait(1)[0]
    recipients, whole = check(report)
    assert whole.get_payload()[1].get_content_type() == "message/" + kind
    assert final.encode() in report.data
    if rcpt:
        assert recipients[0]["Original-Recipient"] == r"utf-8;gr\x{FC}\x{DF}e@example.org"


@pytest.mark.parametrize("content, kind, encoding", [
    ("Subject: x\n\nplain\n", "message/rfc822", None),
    ("Subject: x\n\nGrüße\n", "message/rfc822", "8bit"),
    ("Subject: Grüße\n\nplain\n", "message/global", "8bit"),
    ("Subject: x\nX-Long: %s\n\nbody\n" % ("y" * 1500), "text/rfc822-headers", "quoted-printable"),
    ("Subject: x\n\n%s\n" % ("y" * 3000), "text/rfc822-headers", None),
    ("Subject: Grüße\n\n%s\n" % ("y" * 3000), "message/global-headers", "8bit"),
    ("Subject: Grüße\nX-Long: %s\n\nbody\n" % ("y" * 1500), "text/rfc822-headers", "quoted-printable"),
    (b"Subject: Gr\xfc\xdfe\n\nbody\n", "text/rfc822-headers", "quoted-printable"),
    (b"Subject: x\n\nGr\xfc\xdfe\n", "message/rfc822", "8bit")])
def test_returned(start, content, kind, encoding):
    """Q-39 what is returned: the message, or its header, if the message could not be sent as a part."""
    postern, sink = start({"RCPT": only("rcpt@", "550 5.1.1 no")})
    submit(postern, mail=" BODY=8BITMIME", content=content)
    _, whole = check(sink.wait(1)[0])
    part = whole.get_payload()[2]
    assert part.get_content_type() == kind and part["Content-Transfer-Encoding"] == encoding
    octets = content if isinstance(content, bytes) else content.encode()
    assert octets.partition(b"\n")[0] in (part.get_payload()[0].as_bytes() if part.is_multipart() else part.get_payload(decode=True))


def test_many_recipients(start):
    """Q-39 200 recipients in one report."""
    postern, sink = start({"RCPT": only("@example.org", "550 5.1.1 no")})
    postern.send(["r%d@example.org" % i for i in range(200)])
    recipients, _ = check(sink.wait(1)[0])
    assert len(recipients) == 200


def test_the_validator_itself():
    """dsn_old.eml, a report of an earlier version, has the faults that were reported then."""
    old = Path(__file__).with_name("dsn_old.eml").read_bytes()
    faults = "\n".join(dsn_check.check(re.sub(rb"\r?\n", b"\r\n", old)))
    for fault in ("boundary ", "8-bit octets in message/delivery-status", "a line of 1", "no SMTP reply", "no name of an MTA",
                  "8-bit octets in a message"):
        assert fault in faults, faults
