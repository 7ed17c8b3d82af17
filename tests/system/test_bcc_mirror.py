"""BCC recipients and mirrors (letter B of BEHAVIOURS.md) against the real daemon, with a real Dovecot."""
import re
import shutil
import time

import pytest

from dovecot import Dovecot
from postern import LOGIN, Dialog, free_port, wait_until

PLUGINS = {"server": {"plugins": "auth bcc-mirror", "header-prefix": "X-Rollernet"},
           "plugin bcc-mirror": {"bounce-domain": "bcc.example.net", "secret": "0123456789abcdef", "most-copies": "20"},
           "delivery": {"retry": "1s .. 1s"}}
REPORT = """From: MAILER-DAEMON@far.example
To: <%s>
Subject: Returned mail
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.far.example

Final-Recipient: rfc822; later@far.example
Action: %s
Status: %s
Diagnostic-Code: smtp; 550 the mailbox is gone

--b--
"""


@pytest.fixture(scope="module")
def store():
    if not shutil.which("dovecot"):
        pytest.skip("needs Dovecot")
    dovecot = Dovecot({"sent@hosted.example": None})
    yield dovecot
    dovecot.stop()


def gateway(make_postern, sink, more=None):
    """With customer acme of level standard, its postmaster, and a listener for mail from outside."""
    port = free_port()
    sections = {**PLUGINS, "listener inbound": {"addresses": "127.0.0.1", "ports": port, "tls": "none", "auth": "no",
                                                "inbound": "yes"}, **(more or {})}
    postern = make_postern(sections, sink=sink)
    postern.inbound = port
    postern.ctl("customer", "set", "acme", "postmaster=postmaster@acme.example")
    return postern


def used(postern, login=LOGIN):
    """The addresses that get copies."""
    rows = postern.ctl("bcc-mirror", "show", login, json=True)
    return [row["address"] for row in rows if row["used"]]


def to(sink, recipient):
    return [message for message in sink.messages if message.recipients == [recipient]]


def deliver_inbound(postern, sender, recipient, content):
    """The reply to RCPT, or to the message."""
    with Dialog(postern.inbound) as dialog:
        dialog.hello("mx.far.example")
        dialog.expect("250", "MAIL FROM:<%s>" % sender)
        reply = dialog.ask("RCPT TO:<%s>" % recipient)
        if reply.code != 250:
            return reply
        dialog.expect("354", "DATA")
        dialog.send_raw(content.replace("\n", "\r\n").encode() + b".\r\n")
        return dialog.reply()


def test_sent_folder(make_postern, store, sink):
    """B-01 B-02 B-07 B-08 B-17 what a client submits lies in Sent, by a Sieve rule on a header whose value stays."""
    postern = gateway(make_postern, sink, {"route mailboxes": {"for-mode": "hosted", "next-hop": store.next_hop}})
    postern.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hosted")
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=archive@far.example", "bcc-mirror.mirror+=sent@hosted.example")
    postern.send(content="Subject: first\n\nHello.\n")
    first, = store.wait("sent@hosted.example")
    value = first["X-Rollernet-AuthMirror"]
    assert value and first["X-Rollernet-BCC"] is None and first["Return-Path"] == "<>"
    store.sieve("sent@hosted.example", 'require ["fileinto"];\nif header :is "X-Rollernet-AuthMirror" "%s" '
                                       '{ fileinto "Sent"; stop; }\n' % value)
    postern.send(content="X-Rollernet-AuthMirror: forged\nSubject: second\n\nHello.\n")
    second, = store.wait("sent@hosted.example", folder="Sent")
    assert second["Subject"] == "second" and second.get_all("X-Rollernet-AuthMirror") == [value]
    assert second.get_payload() == "Hello.\n"
    assert deliver_inbound(postern, "x@far.example", "sent@hosted.example", "Subject: from outside\n\nx\n").code == 250
    inbox = store.wait("sent@hosted.example", 2)
    assert sorted(message["Subject"] for message in inbox) == ["first", "from outside"]
    assert len(store.mail("sent@hosted.example", "Sent")) == 1
    postern.settle()
    original, = [message for message in to(sink, "rcpt@example.org") if "second" in message.text]
    copy, = [message for message in to(sink, "archive@far.example") if "second" in message.text]
    assert original.sender == LOGIN and re.fullmatch(r"bcc-[a-z2-7-]{43}@bcc\.example\.net", copy.sender)
    assert copy.header("X-Rollernet-BCC") and not copy.header("X-Rollernet-AuthMirror")
    assert "X-Rollernet-BCC" not in original.text and "AuthMirror" not in original.text and original.body == copy.body
    assert len(sink.messages) == 4


BLIND = "Bcc: one@example.org,\n\tBlind Person <two@example.org>\nbcc: three@example.org\nSubject: blind\n\nHello.\n"
RECIPIENTS = ["seen@example.org", "one@example.org", "two@example.org", "three@example.org"]


@pytest.mark.parametrize("where", ["preset", "server", "account", "not removed"])
def test_blind_recipients_are_in_the_mirror_alone(make_postern, sink, where):
    """B-22 the mirror has the Bcc fields of the client, each as it was; no recipient, blind or not, nor a BCC copy sees one."""
    mailboxes = {"for-mode": "hosted", "next-hop": "smtp:[127.0.0.1]:%d" % sink.port, "tls": "none"}
    more = {"route mailboxes": mailboxes}
    if where == "server":
        more["plugin bcc-mirror"] = {**PLUGINS["plugin bcc-mirror"], "keep-bcc": "no"}
    elif where == "not removed":
        more["server"] = {**PLUGINS["server"], "remove-bcc": "no"}
    postern = gateway(make_postern, sink, more)
    postern.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hosted")
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=archive@far.example",
                "bcc-mirror.mirror=sent@hosted.example", *(["keep-bcc=no"] if where == "account" else []))
    postern.send(RECIPIENTS, BLIND)
    wait_until(lambda: {recipient for message in sink.messages for recipient in message.recipients} >= {
        *RECIPIENTS, "archive@far.example", "sent@hosted.example"}, "all of them")
    for message in sink.messages:
        lines = message.text.replace("\r\n\t", " ").splitlines()
        found = [line for line in lines if line.lower().startswith("bcc:")]
        assert lines.count("Subject: blind") == 1 and message.body.strip() == "Hello."
        if where == "not removed" or (where == "preset" and message.recipients == ["sent@hosted.example"]):
            assert [line.split(": ", 1)[1] for line in found] == [
                "one@example.org, Blind Person <two@example.org>", "three@example.org"], message.text
        else:
            assert found == [] and "three@example.org" not in message.text and "Blind Person" not in message.text, message.text


def test_bounces(make_postern, sink):
    """B-04 B-05 B-15 who bounces at RCPT, after DATA or by a report from outside is removed; others stay; nobody else hears."""
    def rcpt(argument):
        return "550 5.1.1 no such user" if "rcpt@far" in argument else "450 4.2.1 slow" if "slow@far" in argument else None
    sink.replies = {"RCPT": rcpt, ".": lambda message: "554 5.7.1 no" if message.recipients == ["data@far.example"] else None}
    postern = gateway(make_postern, sink)
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=rcpt@far.example data@far.example later@far.example slow@far.example "
                "good@far.example")
    postern.send()
    wait_until(lambda: used(postern) == ["later@far.example", "slow@far.example", "good@far.example"], "two to be removed")
    sink.wait(5)  # the original, two copies, two notices
    copy, = to(sink, "later@far.example")
    forged = copy.sender.replace("bcc-", "bcc-a", 1)
    forged = forged[:16] + forged[17:]
    for sender, recipient in (("", forged), ("x@far.example", copy.sender)):
        assert deliver_inbound(postern, sender, recipient, REPORT % (recipient, "failed", "5.1.1")).text.startswith("550 5.1.1")
    assert deliver_inbound(postern, "", copy.sender, REPORT % (copy.sender, "delayed", "4.4.1")).code == 250
    postern.wait_log("is no report of a failure")
    assert "later@far.example" in used(postern)
    postern.restart()
    assert deliver_inbound(postern, "", copy.sender.upper(), REPORT % (copy.sender, "failed", "5.1.1")).code == 250
    wait_until(lambda: used(postern) == ["slow@far.example", "good@far.example"], "the third to be removed")
    postern.reload({"delivery": {"retry": "1s .. 1s", "expire": "2s"}})
    wait_until(lambda: used(postern) == ["good@far.example"], "the slow one to be removed")
    postern.settle()
    notices = to(sink, "postmaster@acme.example")
    told = [name for message in notices for name in ("rcpt", "data", "later", "slow") if name + "@far.example" in message.text]
    assert sorted(told) == ["data", "later", "rcpt", "slow"] and all(message.sender == "" for message in notices)
    assert not to(sink, LOGIN)
    assert "mailbox is gone" in notices[2].text and "no such user" in "".join(message.text for message in notices)


def test_administrator(make_postern, sink):
    """B-04 what the administrator bounces or removes takes nobody out."""
    sink.replies = {"RCPT": lambda argument: "450 4.2.1 later" if "far.example" in argument else None}
    postern = gateway(make_postern, sink)
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=a@far.example b@far.example")
    postern.send()
    rows = postern.wait_queue(2)
    postern.ctl("queue", "bounce", rows[0]["id"])
    postern.ctl("queue", "remove", rows[1]["id"])
    postern.settle()
    assert used(postern) == ["a@far.example", "b@far.example"]
    assert [message.recipients for message in sink.messages] == [["rcpt@example.org"]]


def test_limits(make_postern, sink):
    """B-10 B-21 a level allows so many; after a downgrade the first is used and the rest is shown."""
    postern = gateway(make_postern, sink, {"level personal": {"bcc-mirror.most-copies": "1"}})
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=a@far.example", "bcc-mirror.bcc+=b@far.example")
    assert used(postern) == ["a@far.example", "b@far.example"]
    postern.ctl("customer", "set", "acme", "level=personal")
    rows = postern.ctl("bcc-mirror", "show", LOGIN, json=True)
    assert [(row["address"], row["used"], row["why-not"]) for row in rows[:2]] == [
        ("a@far.example", True, None), ("b@far.example", False, "level personal allows 1 BCC recipient and 1 mirror")]
    postern.send()
    assert sorted(message.recipients[0] for message in sink.wait(2)) == ["a@far.example", "rcpt@example.org"]
    told = postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc+=c@far.example", code=1)
    assert "level personal allows 1 BCC recipient and 1 mirror" in told
    told = postern.ctl("account", "set", LOGIN, "bcc-mirror.mirror=a@far.example", code=1)
    assert "far.example is not a domain of the same customer" in told
    explained = postern.ctl("explain", "--client", "192.0.2.1", "--login", LOGIN, "--from", LOGIN, "--to", "rcpt@example.org")
    assert "bcc-mirror" in explained and len(sink.messages) == 2


def test_write_fails(make_postern, sink):
    """B-13 B-15 a message that cannot be written is answered 451, and no copy of it is sent."""
    postern = gateway(make_postern, sink)
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=a@far.example b@far.example c@far.example")
    folder = postern.place / "spool" / "content"
    folder.rename(folder.with_name("away"))
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        dialog.expect("354", "DATA")
        dialog.send_raw(b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + b"line\r\n" * 100000 + b".\r\n")
        dialog.expect("451 4.3.0")
        assert postern.queue() == []
        folder.with_name("away").rename(folder)
        dialog.mail(content="Subject: small\n\nx\n")
    assert {message.header("Subject")[0] for message in sink.wait(4)} == {"small"}
    assert postern.settle() == 4


def test_crash(make_postern, sink):
    """B-12 B-13 a kill at any moment leaves a message with all of its three copies, or without any; none that was acknowledged
    is lost."""
    recipients = ["rcpt@example.org", "a@far.example", "b@far.example", "c@far.example"]
    sink.replies = {"MAIL": lambda argument: "450 4.3.2 later"}
    postern = gateway(make_postern, sink)
    postern.ctl("account", "set", LOGIN, "bcc-mirror.bcc=" + " ".join(recipients[1:]))
    acknowledged, sent = set(), 0
    for round in range(4):
        dialog = postern.session()
        for i in range(5):
            dialog.mail(content="Subject: %d\n\n%s\n" % (sent, "x" * (300000 if i == 3 else 10)))
            acknowledged.add(sent)
            sent += 1
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        dialog.expect("354", "DATA")
        dialog.send_raw(b"Subject: %d\r\n\r\nx\r\n.\r\n" % sent)
        sent += 1
        time.sleep(0.001 * round)  # the kill comes at another step of the commit
        postern.kill()
        dialog.close()
        postern.start()
    assert len(postern.queue()) % 4 == 0
    sink.replies = {}
    wait_until(lambda: " spool 0 messages" in postern.ctl("status"), "an empty spool")
    came = {(int(message.header("Subject")[0]), message.recipients[0]) for message in sink.messages}
    numbers = {number for number, _ in came}
    assert came == {(number, recipient) for number in numbers for recipient in recipients}
    assert acknowledged <= numbers and len(acknowledged) > 10
