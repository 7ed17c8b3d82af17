"""Standing of accounts and complaints (R-12, R-17, V-17 of BEHAVIOURS.md) against the real daemon."""
import os

import pytest

from postern import LOGIN, Dialog, free_port, wait_until

OTHER = "other@example.net"
FBL = "fbl@example.net"
REPORT = """From: <fbl@far.example>
To: <fbl@example.net>
Subject: FW: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an email abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeLoop/1.0
Version: 1
Original-Rcpt-To: <angry@far.example>
Source-IP: 192.0.2.10

--b
Content-Type: message/rfc822

%s
--b--
"""


def gateway(make_postern, sink, plugins="auth standing", more=None, **standing):
    """With a listener for mail from outside, and customer acme, whose postmaster is told."""
    port = free_port()
    postern = make_postern({
        "server": {"plugins": plugins, "header-prefix": "X-Rollernet", "postmaster": "post@provider.example"},
        "plugin standing": {"address": FBL, "secret": "0123456789abcdef", "reporters": "127.0.0.0/8", **standing},
        "listener inbound": {"addresses": "127.0.0.1", "ports": port, "tls": "none", "auth": "no", "inbound": "yes"},
        "delivery": {"retry": "1s .. 1s"}, **(more or {})}, sink=sink)
    postern.inbound = port
    postern.ctl("customer", "set", "acme", "postmaster=postmaster@acme.example")
    postern.add_account(OTHER, "mypassword")
    return postern


def report(postern, message, recipient=FBL, person="angry"):
    with Dialog(postern.inbound) as dialog:
        dialog.hello("mx.far.example")
        dialog.mail("fbl@far.example", recipient, (REPORT % message.replace("\r\n", "\n")).replace("angry@", person + "@"))


def to(sink, recipient):
    return [message for message in sink.messages if message.recipients == [recipient]]


def enabled(postern, login=LOGIN):
    return postern.options("account", login)["enabled"][0]


def test_complaints(make_postern, sink):
    """R-17 A-09 reports from outside are matched by Submit ID; at the threshold a running session ends at its next MAIL, and the
    customer and the postmaster are told; a forged tag changes nothing, and goes to the postmaster."""
    postern = gateway(make_postern, sink, complaints="2/7d", **{"complaint-action": "disable", "complaint-reporters": "1"})
    first, second = [postern.send() for _ in range(2)] and sink.wait(2)
    tag, = first.header("X-Rollernet-Account")
    submit, = second.header("X-Rollernet-Submit")
    assert len(tag) == 36 and tag != second.header("X-Rollernet-Account")[0]
    for forged in (second.text.replace(second.header("X-Rollernet-Account")[0], tag), "Subject: x\n\nNothing of ours.\n"):
        report(postern, forged)
    wait_until(lambda: len(to(sink, "post@provider.example")) == 2, "what was sent on")
    sent_on = to(sink, "post@provider.example")
    assert [message.header("X-Rollernet-Standing") for message in sent_on] == [
        ["its tag is forged"], ["it is about no message of this service"]]
    assert all(message.sender == "" and "This is an email abuse report." in message.text for message in sent_on)
    with postern.session() as dialog:
        for message in (first, first, second):
            report(postern, message.text, person="angry" if message is first else "sad")
            if message is first:
                postern.wait_log("complaint about %s by angry@far.example" % LOGIN)
                assert enabled(postern)
        wait_until(lambda: not enabled(postern), "the account to be disabled")
        record = postern.ctl("audit", "account=" + LOGIN, "limit=1", json=True)[0]  # Y-20
        assert (record["who"], record["kind"], record["name"]) == ("plugin standing", "account", LOGIN), record
        assert "enabled=no" in record["after"] and record["command"], record
        dialog.expect("421 4.7.0", "MAIL FROM:<%s>" % LOGIN)
    with postern.smtp() as dialog:
        dialog.hello()
        assert dialog.auth().text.startswith("535 5.7.13")
    with postern.session(OTHER) as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % OTHER)
    notice, = wait_until(lambda: to(sink, "postmaster@acme.example"), "the notice")
    for part in ("excessive complaints: 2 about 2 recipients, by 1 reporters, within 168 hours", "sad@far.example", submit.split()[-1], LOGIN):
        assert part in notice.text
    wait_until(lambda: len(to(sink, "post@provider.example")) == 3, "the notice to the postmaster")
    assert "is disabled: excessive complaints" in postern.ctl("alarms")
    rows = postern.ctl("complaint", "list", LOGIN, json=True)
    assert [row["by"] for row in rows] == ["sad@far.example", "angry@far.example"] and rows[0]["submit-id"] == submit.split()[-1]
    postern.ctl("account", "enable", LOGIN)
    assert postern.ctl("complaint", "add", submit.split()[-1], second.header("X-Rollernet-Account")[0],
                       json=True)[0]["result"] == "counted before"
    postern.ctl("complaint", "add", LOGIN)
    assert enabled(postern)
    shown = {row["of"]: row for row in postern.ctl("standing", "show", LOGIN, json=True)}
    assert shown["complaints"]["count"] == "1 about 0 recipients, by 1 reporters, within 168 hours" and "excessive complaints" in shown["last time"]["count"]
    assert postern.settle() == len(sink.messages)


def test_undeliverable(make_postern, sink):
    """R-12 a share of mail that next hops refuse disables the account; its notice says how much."""
    sink.replies = {"RCPT": lambda argument: "550 5.1.1 no such user" if "gone" in argument else None}
    postern = gateway(make_postern, sink, **{"least": "6", "most-undeliverable": "50"})
    postern.send()
    postern.send(["a@example.org", "b@example.org", "gone1@example.org", "gone2@example.org", "gone3@example.org"])
    wait_until(lambda: postern.log().count("no such user") >= 3, "three bounces")
    shown = {row["of"]: row for row in postern.ctl("standing", "show", LOGIN, json=True)}
    wait_until(lambda: postern.ctl("standing", "show", LOGIN, json=True)[2]["count"] == "3 of 6 recipients", "three counted")
    assert enabled(postern) and shown["undeliverable mail"]["most"] == 50
    postern.send(["gone4@example.org", "gone5@example.org"])
    wait_until(lambda: not enabled(postern), "the account to be disabled")
    assert postern.options("account", LOGIN)["reason"][0].startswith("excessive undeliverable mail: ")
    notice, = wait_until(lambda: to(sink, "postmaster@acme.example"), "the notice")
    assert "excessive undeliverable mail: " in notice.text and "may not send any more" in notice.text

    def alarms(login=LOGIN):
        return [row["text"] for row in postern.ctl("alarms", json=True) if row["alarm"] == "standing.account/" + login]
    before, = wait_until(alarms, "the alarm")
    assert before.startswith(LOGIN + " is disabled: excessive undeliverable mail: ")
    postern.restart()
    assert wait_until(alarms, "the alarm after a restart", 30) == [before]
    postern.ctl("account", "enable", LOGIN)
    wait_until(lambda: not alarms(), "the end of the alarm", 30)
    postern.add_account("held@example.net", "a password of its own")
    postern.ctl("account", "set", "held@example.net", "standing.hold=looks odd")
    postern.ctl("account", "set", LOGIN, "enabled=no", "reason=by request")   # what an operator does is no alarm
    postern.restart()
    wait_until(lambda: alarms("held@example.net") == ["held@example.net is held: looks odd"], "the alarm of the other", 30)
    assert not alarms()


def test_told_at_rcpt(make_postern, sink):
    """R-12 a sender's refusal that is told at each recipient is one error; what was accepted outlives a restart."""
    postern = gateway(make_postern, sink, "auth sender-rules standing")
    postern.reload({"server": {"refuse-at": "rcpt"}})
    postern.send()
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<boss@elsewhere.example>")
        for i in range(5):
            dialog.expect("5", "RCPT TO:<%d@example.org>" % i)

    def errors():
        return postern.ctl("standing", "show", LOGIN, json=True)[0]["count"]
    wait_until(lambda: errors() == "1 of 2 attempts", "one error of two")
    postern.restart()
    assert errors() == "1 of 2 attempts"


@pytest.mark.parametrize("ends", ["stop", "kill", "reload"])
def test_an_alarm_alone_outlives_a_restart(make_postern, sink, ends):
    """R-12 with action = alarm the event is told once in a window: its alarm holds so long, over a restart, a crash and a reload."""
    postern = gateway(make_postern, sink, "auth standing", least="2", action="alarm", window="1h", **{"complaint-action": "alarm",
                      "complaints": "1/1h", "complaint-reporters": "1", "complaint-share": "0"})
    postern.ctl("complaint", "add", LOGIN)

    def alarms():
        return [(row["alarm"], row["text"], row["since"]) for row in postern.ctl("alarms", json=True)
                if row["alarm"] == "standing.account/" + LOGIN]
    before = wait_until(alarms, "the alarm")
    assert "excessive complaints" in before[0][1] and enabled(postern)
    if ends == "stop":
        postern.restart()
    elif ends == "kill":
        postern.kill()
        postern.start()
    else:
        postern.reload({"plugin standing": {"least": "3"}})
    assert alarms() == before
    kept = (postern.place / "alarms").read_text()
    assert kept.count("\n") == 1 and LOGIN in kept
    postern.stop()
    since, until, *rest = kept.split("\t")
    (postern.place / "alarms").write_text("rubbish\n" + "\t".join([since, since, *rest]))   # its time was over meanwhile
    postern.start()
    assert alarms() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="exchangers listen on port 25")
def test_unverified(make_postern, make_sink, sink, dns):
    """V-17 senders that the real senderverify finds undeliverable are counted, and disable the account."""
    make_sink({"RCPT": "550 5.1.1 no such user"}, host="127.0.2.1", port=25)
    verify = {"probe-sender": "postmaster@example.net", "undeliverable-code": "450", "learn-domains": "no"}
    postern = gateway(make_postern, sink, "auth senderverify standing", {**dns, "plugin senderverify": verify},
                      **{"least": "3", "most-errors": "100"})
    for i in range(3):
        assert enabled(postern)
        with postern.session() as dialog:
            dialog.expect("450 4.1.7", "MAIL FROM:<x%d@one.senders.test>" % i)
        wait_until(lambda: ("%d of %d attempts" % (i + 1, i + 1) in postern.ctl("standing", "show", LOGIN)
                            or not enabled(postern)), "the failure to be counted")
    wait_until(lambda: not enabled(postern), "the account to be disabled")
    assert postern.options("account", LOGIN)["reason"][0] == "excessive failed sender verifications: 3 of 3 attempts"


def test_errors(make_postern, sink):
    """R-12 R-17 what is disabled outlives a restart; an account of its own threshold, and an exempt one."""
    postern = gateway(make_postern, sink, "auth limits standing", least="4")
    assert "messages" in postern.ctl("usage", LOGIN) and "no plugin of that name" not in postern.ctl("complaint", "list", LOGIN)
    postern.ctl("account", "set", OTHER, "standing.exempt=yes")
    postern.ctl("account", "set", LOGIN, "standing.complaints=1/1d", "standing.complaint-reporters=1",
                "standing.complaint-action=disable")
    for login in (LOGIN, OTHER):
        postern.ctl("complaint", "add", login)
    assert not enabled(postern) and enabled(postern, OTHER)
    postern.restart()
    assert not enabled(postern)
    assert postern.ctl("standing", "show", OTHER, json=True)[3]["count"] == "1 about 0 recipients, by 1 reporters, within 168 hours"
    assert "there is no account" in postern.ctl("complaint", "add", "nobody@example.net", code=1)
