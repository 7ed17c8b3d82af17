"""Mail domains (letter M, I-13, I-14, I-36, V-16 of BEHAVIOURS.md): mail comes in, is held, redirected, forwarded, released."""
import re
import sqlite3
import threading
import time

import pytest

from postern import LOGIN, ControlError, free_port, wait_until

SOON = {"delivery": {"retry": "1s .. 1s"}}
BAD = "127.0.0.1:1"


@pytest.fixture
def make_gate(make_postern, sink):
    """A daemon with an inbound listener, and customer acme; what is for elsewhere goes to gate.sink."""
    def make(options):
        port = free_port()
        daemon = make_postern({**SOON, "server": {"postmaster": "postmaster@example.net"},
                               "listener mx": {"addresses": "127.0.0.1", "ports": port, "auth": "no", "inbound": "yes"}, **options},
                              sink=sink)
        daemon.ports["mx"], daemon.sink = port, sink
        return daemon
    return make


@pytest.fixture
def gate(make_gate):
    return make_gate({})


def domain(gate, name, *options):
    gate.ctl("domain", "add", name, "customer=acme", *options)


def inbound(gate):
    dialog = gate.smtp("mx")
    dialog.hello()
    return dialog


def deliver(gate, to, sender="stranger@elsewhere.example", content="Subject: in\n\nHello.\n"):
    with inbound(gate) as dialog:
        return dialog.mail(sender, to, content)


def rcpt(gate, to, sender="stranger@elsewhere.example"):
    with inbound(gate) as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % sender)
        return dialog.ask("RCPT TO:<%s>" % to)


def shown(gate, name, option):
    return gate.options("domain", name)[option][0]


# ---- modes ----

def test_modes(gate):
    """M-01 the modes, by the names that they are known by."""
    domain(gate, "boxes.example", "mode=hosted")
    for mode, more, title in [
            ("secondary", [], "Secondary MX"), ("redirect", ["destination=mx.example:2525"], "SMTP Redirection (Direct Delivery)"),
            ("hold", [], "Accept and Hold Messages"), ("hosted", [], "Hosted Mail Domain"),
            ("forward", ["forward-to=it@elsewhere.example"], "Forward All to Email Address"),
            ("forward-mailbox", ["forward-to=it@boxes.example"], "Forward All to Mail Box"), ("outbound-only", [], "Outbound only")]:
        domain(gate, mode + ".example", "mode=" + mode, *more)
        assert shown(gate, mode + ".example", "service") == title
    with pytest.raises(ControlError, match="did you mean"):
        domain(gate, "x.example", "mode=secondry")


def test_change_keeps_the_rest(gate):
    """M-03 another mode, and back: everything else is as it was."""
    settings = ["destination=mx.shop.example", "port=2525", "valid-recipients=yes", "on-missing-host=bounce",
                "forward-to=it@elsewhere.example"]
    domain(gate, "shop.example", "mode=redirect", *settings)
    for mode in ("hold", "secondary", "hosted", "forward", "outbound-only", "redirect"):
        gate.ctl("domain", "set", "shop.example", "mode=" + mode)
        assert shown(gate, "shop.example", "mode") == mode
        for setting in settings:
            name, value = setting.split("=")
            assert shown(gate, "shop.example", name) == {"port": 2525, "valid-recipients": True}.get(name, value)


def test_redirect(gate, make_sink):
    """M-02 M-05 to an address and a port other than 25: no MX is asked, and no name looked up."""
    shop = make_sink()
    domain(gate, "shop.example", "mode=redirect", "destination=127.0.0.1:%d" % shop.port)
    deliver(gate, "boss@shop.example")
    message = shop.wait(1)[0]
    assert (message.sender, message.recipients) == ("stranger@elsewhere.example", ["boss@shop.example"])
    gate.wait_log(r"delivered .*relay=\"?127.0.0.1\[127.0.0.1\]:%d" % shop.port)
    assert not gate.sink.messages


def test_redirect_before_smarthost(gate, make_sink):
    """A route for all mail is for what the directory does not know; one that names the domain goes first."""
    shop, named = make_sink(), make_sink()
    domain(gate, "shop.example", "mode=redirect", "destination=127.0.0.1:%d" % shop.port)
    gate.reload({"route named": {"to": "shop.example", "next-hop": "smtp:[127.0.0.1]:%d" % named.port}})
    deliver(gate, "boss@shop.example")
    assert named.wait(1) and not shop.messages


def test_outbound_only(gate):
    """M-06 its account sends, mail for it is refused as relay; so is that for domains which are not ours."""
    domain(gate, "sends.example", "mode=outbound-only")
    gate.add_account("@sends.example", "mypassword")
    with gate.session("@sends.example") as dialog:
        dialog.mail("any@sends.example")
    assert gate.sink.wait(1)[0].sender == "any@sends.example"
    for to in ("any@sends.example", "joe@unknown.example"):
        reply = rcpt(gate, to)
        assert reply.code == 554 and "5.7.1" in reply and "Relay access denied" in reply


def test_only_inbound_listeners(gate):
    """A domain is received for on listeners with inbound = yes only."""
    domain(gate, "shop.example", "mode=hold")
    with gate.smtp() as dialog:
        dialog.hello()
        assert dialog.ask("MAIL FROM:<stranger@elsewhere.example>").code == 530


# ---- recipients ----

def test_valid_recipients(gate):
    """Addresses of a table, whatever their case; postmaster and abuse always; without a table all."""
    domain(gate, "shop.example", "mode=hold", "valid-recipients=yes")
    domain(gate, "open.example", "mode=hold")
    gate.ctl("recipient", "add", "Boss@shop.example")
    for to, code in [("boss@shop.example", 250), ("BOSS@SHOP.example", 250), ("nobody@shop.example", 550), ("Postmaster@shop.example", 250),
                     ("ABUSE@shop.example", 250), ("anybody@open.example", 250), ("bos@shop.example", 550)]:
        reply = rcpt(gate, to)
        assert reply.code == code, to
        assert code == 250 or "5.1.1" in reply
    with gate.session() as dialog:  # whoever submits learns of it, too
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("550 5.1.1", "RCPT TO:<nobody@shop.example>")
        dialog.expect("250", "RCPT TO:<boss@shop.example>")
    assert "boss@shop.example" in gate.ctl("recipient", "list", "shop.example")
    gate.ctl("recipient", "remove", "boss@shop.example")
    assert rcpt(gate, "boss@shop.example").code == 550


def test_postmaster_without_domain(gate):
    """RFC 5321 4.5.1: <postmaster> is the postmaster of [server]."""
    with inbound(gate) as dialog:
        dialog.mail("", "Postmaster")
    assert gate.sink.wait(1)[0].recipients == ["postmaster@example.net"]


def test_rules_of_submission(gate):
    """Mail without an account passes the rules of submission: any sender, the null sender to several."""
    domain(gate, "shop.example", "mode=hold")
    with inbound(gate) as dialog:
        dialog.mail("", ["a@shop.example", "b@shop.example"])
        dialog.mail("no@address.nowhere.invalid", "a@shop.example")
    gate.wait_queue(2, "state=held")


ATTACHED = ("Subject: a\nMIME-Version: 1.0\nContent-Type: application/octet-stream; name=run.exe\n"
            "Content-Disposition: attachment; filename=run.exe\n\nhello\n")


@pytest.mark.parametrize("on", [None, "inbound", "both"])
def test_whose_mail_plugins_judge(make_gate, on):
    """on = submission (the preset), inbound, both: whose mail a plugin judges that looks into content."""
    gate = make_gate({"server": {"plugins": "auth sender-rules attachments"}, "plugin attachments": {"on": on} if on else {}})
    domain(gate, "shop.example", "mode=hold")
    with inbound(gate) as dialog:
        dialog.expect("250", "MAIL FROM:<stranger@elsewhere.example>")
        dialog.expect("250", "RCPT TO:<a@shop.example>")
        assert dialog.data(ATTACHED).code == (250 if on is None else 550)
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        assert dialog.data(ATTACHED).code == (250 if on == "inbound" else 550)


# ---- held ----

def test_hold_and_release(gate, make_sink):
    """M-04 I-13 I-14 accepted and queued, no attempt; the mode changes back and it is delivered, to the new port, with its age."""
    shop = make_sink()
    domain(gate, "shop.example", "mode=hold", "destination=127.0.0.1:%d" % shop.port)
    deliver(gate, ["a@shop.example", "b@shop.example"])
    deliver(gate, "c@shop.example")
    gate.wait_queue(2, "state=held")
    assert shown(gate, "shop.example", "held") == 2
    assert gate.ctl("domain", "list", json=True)[-1]["held"] == 2
    gate.restart()
    assert shown(gate, "shop.example", "held") == 2
    gate.ctl("queue", "release", "domain=shop.example", "--yes")  # holds them anew: there is nowhere to go
    wait_until(lambda: gate.log().count("released by the administrator") == 2)
    gate.wait_queue(2, "state=held")
    gate.ctl("domain", "set", "shop.example", "mode=redirect")
    messages = shop.wait(2)
    assert sorted(len(message.recipients) for message in messages) == [1, 2]
    gate.settle()
    assert shown(gate, "shop.example", "held") == 0


def test_held_does_not_expire(gate, make_sink):
    """I-13 time held counts neither towards expiry nor towards the delay warning; time deferred does."""
    shop = make_sink({"RCPT": lambda argument: "450 4.2.1 later"})
    gate.reload({"delivery": {"retry": "1s .. 1s", "expire": "60s", "warn-after": "5s"}})
    domain(gate, "shop.example", "mode=hold", "destination=127.0.0.1:%d" % shop.port)
    before = len(gate.sink.messages)
    deliver(gate, "c@shop.example")
    gate.wait_queue(1, "state=held")
    time.sleep(6)  # longer than warn-after: the clock of the daemon is the machine's
    released = time.monotonic()
    gate.ctl("domain", "set", "shop.example", "mode=redirect")
    warning = gate.sink.wait(before + 1)[before]
    assert time.monotonic() - released > 4, "it was warned of the time that it was held"
    shop.wait_command("RCPT", 2)
    assert warning.sender == "" and "4.2.1 later" in warning.text
    shop.replies.clear()
    shop.wait(1)


def test_held_does_not_count_as_age(gate, make_sink):
    """I-13 what was held for longer than `expire` is tried when it is released, and not returned."""
    shop = make_sink({"RCPT": lambda argument: "450 4.2.1 later"})
    gate.reload({"delivery": {"retry": "1s .. 1s", "expire": "3s", "warn-after": "2s"}})
    domain(gate, "shop.example", "mode=hold", "destination=127.0.0.1:%d" % shop.port)
    before = len(gate.sink.messages)
    deliver(gate, "c@shop.example")
    gate.wait_queue(1, "state=held")
    time.sleep(4)
    gate.ctl("domain", "set", "shop.example", "mode=redirect")
    shop.wait_command("RCPT", 1)
    assert len(gate.sink.messages) == before, "it was returned or warned of, though it was held"
    shop.replies.clear()
    shop.wait(1)


def edit_directory(gate, old, new):
    """Of a daemon that is stopped: every such text in values of its directory."""
    with sqlite3.connect(gate.place / "directory.db") as db:
        for table, in db.execute("select name from sqlite_master where type = 'table'").fetchall():
            if "value" in [row[1] for row in db.execute("pragma table_info(%s)" % table)]:
                db.execute("update %s set value = replace(value, ?, ?)" % table, (old, new))


def test_release_while_down(gate, make_sink):
    """The mode changed while the daemon did not run: what was held goes on at start."""
    shop = make_sink()
    domain(gate, "shop.example", "mode=hold", "destination=127.0.0.1:%d" % shop.port)
    deliver(gate, "c@shop.example")
    gate.wait_queue(1, "state=held")
    gate.stop()
    edit_directory(gate, "mode=hold", "mode=redirect")
    gate.start()
    shop.wait(1)


def test_stop_beside_a_hold(make_gate, sink):
    """I-13 a stop before a recipient was tried does not hold it because another one of its message is held."""
    goes_on = threading.Event()
    sink.replies["RCPT"] = lambda argument: None if goes_on.wait(60) else "450 4.2.1 later"
    gate = make_gate({"delivery": {"retry": "1s .. 1s", "per-destination": 1}})
    domain(gate, "shop.example", "mode=hold")
    with gate.session() as dialog:
        dialog.mail(LOGIN, "first@example.org")
        sink.wait_command("RCPT", 1)
        dialog.mail(LOGIN, ["a@shop.example", "second@example.org"])
    wait_until(lambda: "2 under way" in gate.ctl("status"), "the second one to wait for the first")
    threading.Timer(1, goes_on.set).start()
    gate.stop()
    assert len(sink.messages) == 1, "the second one was not to be begun"
    gate.start()
    wait_until(lambda: ["second@example.org"] in [message.recipients for message in sink.messages], "the one that is not held")


def test_change_beside_new_mail(gate):
    """Mail that comes at the moment of a change does not hide it from the mail that is held."""
    domain(gate, "shop.example", "mode=hold")
    deliver(gate, "old@shop.example")
    gate.wait_queue(1, "state=held")
    gate.ctl("domain", "set", "shop.example", "mode=redirect", "destination=" + BAD)
    deliver(gate, "new@shop.example")
    gate.wait_queue(0, "state=held")
    gate.wait_queue(2)


@pytest.mark.parametrize("restarts", [False, True])
def test_forward_to_a_domain_that_holds(gate, make_sink, restarts):
    """Held for the second of two domains, a message goes on when that one changes."""
    shop = make_sink()
    domain(gate, "shop.example", "mode=hold", "destination=127.0.0.1:%d" % shop.port)
    domain(gate, "old.example", "mode=forward", "forward-to=boss@shop.example")
    deliver(gate, "any@old.example")
    gate.wait_queue(1, "state=held")
    if restarts:
        gate.restart()
    assert shown(gate, "shop.example", "held") == 1
    gate.ctl("domain", "set", "shop.example", "mode=redirect")
    assert shop.wait(1)[0].recipients == ["boss@shop.example"]


def test_share_of_the_disk(gate):
    """I-13 a domain's held mail is bounded: 452 4.2.2 at RCPT, for it alone."""
    gate.reload({"spool": {**gate.sections["spool"], "held-per-domain": "20K"}})
    domain(gate, "full.example", "mode=hold")
    domain(gate, "other.example", "mode=hold")
    deliver(gate, "a@full.example", content="Subject: big\n\n" + "x" * 70 * 300 + "\n")
    gate.wait_queue(1, "state=held")
    reply = rcpt(gate, "a@full.example")
    assert reply.code == 452 and "4.2.2" in reply
    assert rcpt(gate, "a@other.example").code == 250
    gate.ctl("queue", "remove", "domain=full.example", "--yes")
    wait_until(lambda: rcpt(gate, "a@full.example").code == 250)


def test_share_through_forwards(gate):
    """I-13 mail that is forwarded counts where it is held, and its sender gets 452 where that is full."""
    gate.reload({"spool": {**gate.sections["spool"], "held-per-domain": "20K"}})
    domain(gate, "full.example", "mode=hold")
    domain(gate, "second.example", "mode=forward", "forward-to=x@full.example")
    domain(gate, "first.example", "mode=forward", "forward-to=x@second.example")
    deliver(gate, "a@first.example", content="Subject: big\n\n" + "x" * 70 * 300 + "\n")
    gate.wait_queue(1, "state=held")
    assert shown(gate, "full.example", "held") == 1 and shown(gate, "first.example", "held") == 0
    for name in ("first", "second", "full"):
        reply = rcpt(gate, "a@%s.example" % name)
        assert reply.code == 452 and "4.2.2" in reply
    gate.ctl("domain", "set", "first.example", "forward-to=x@elsewhere.example")
    assert gate.sink.wait(1)[0].recipients == ["x@elsewhere.example"]
    wait_until(lambda: rcpt(gate, "a@full.example").code == 250)


def test_held_beside_deferred(gate, make_sink, restarts_too):
    """Q-40 a message for a domain that holds and one that defers counts as held for the first; each goes on by itself."""
    shop = make_sink()
    gate.reload({"delivery": {"retry": "1h .. 2h"}})
    domain(gate, "shop.example", "mode=hold", "destination=127.0.0.1:%d" % shop.port)
    domain(gate, "other.example", "mode=redirect", "destination=" + BAD)
    deliver(gate, ["a@shop.example", "b@other.example"])
    gate.wait_queue(1, "state=deferred")
    if restarts_too:
        gate.restart()
    wait_until(lambda: shown(gate, "shop.example", "held") == 1)
    assert shown(gate, "other.example", "held") == 0
    summary = {row["destination"]: row["state"] for row in gate.ctl("queue", json=True)}
    assert summary == {"shop.example": "held", "other.example": "deferred"}
    row, = gate.queue("state=held")
    assert row["state"] == "deferred"
    assert re.search(r"a@shop\.example +held", gate.ctl("queue", "show", row["id"]))
    gate.ctl("domain", "set", "shop.example", "mode=redirect")
    assert shop.wait(1)[0].recipients == ["a@shop.example"]
    gate.wait_queue(1, "state=deferred")
    assert not gate.queue("state=held")


@pytest.fixture(params=[False, True], ids=["running", "restarted"])
def restarts_too(request):
    return request.param


def test_others_holds_stay(gate, make_sink):
    """What the administrator holds is not released by a change of mode."""
    shop = make_sink()
    domain(gate, "shop.example", "mode=hold", "destination=127.0.0.1:%d" % shop.port)
    deliver(gate, "c@shop.example")
    gate.wait_queue(1, "state=held")
    gate.ctl("queue", "hold", "domain=shop.example", "reason=evidence", "--yes")
    gate.ctl("domain", "set", "shop.example", "mode=redirect")
    gate.wait_log("domain changed, its mail goes on")
    time.sleep(0.5)
    assert not shop.messages
    gate.wait_queue(1, "state=held")


def test_one_of_two_is_held(gate, make_sink):
    """A message for a domain that holds and one that does not: one goes, the other waits, each arrives once."""
    shop, other = make_sink(), make_sink()
    domain(gate, "shop.example", "mode=hold", "destination=127.0.0.1:%d" % shop.port)
    domain(gate, "other.example", "mode=redirect", "destination=127.0.0.1:%d" % other.port)
    deliver(gate, ["a@shop.example", "b@other.example"])
    assert other.wait(1)[0].recipients == ["b@other.example"]
    gate.wait_queue(1, "state=held")
    gate.ctl("domain", "set", "shop.example", "mode=redirect")
    assert shop.wait(1)[0].recipients == ["a@shop.example"]
    gate.settle()
    assert len(other.messages) == 1


def test_new_destination_over_restart(gate, make_sink):
    """I-40 the same when the domain changed while the daemon that had deferred the mail was stopped; other mail keeps its time."""
    shop, other = make_sink(), make_sink({"RCPT": "450 4.2.0 later"})
    gate.reload({"delivery": {"retry": "1h .. 2h"}})
    domain(gate, "shop.example", "mode=forward", "forward-to=x@old.example")
    domain(gate, "old.example", "mode=redirect", "destination=" + BAD)
    domain(gate, "new.example", "mode=redirect", "destination=127.0.0.1:%d" % shop.port)
    domain(gate, "other.example", "mode=redirect", "destination=127.0.0.1:%d" % other.port)
    deliver(gate, "c@shop.example")
    deliver(gate, "d@other.example")
    gate.wait_queue(2, "state=deferred")
    gate.stop()
    edit_directory(gate, "x@old.example", "x@new.example")
    gate.start()
    assert shop.wait(1)[0].recipients == ["x@new.example"]
    gate.wait_queue(1, "state=deferred")
    assert [verb for verb, _ in other.commands].count("RCPT") == 1


def test_new_destination(gate, make_sink):
    """I-15 mail that the old destination put off goes to the new one at once."""
    shop = make_sink()
    gate.reload({"delivery": {"retry": "1h .. 2h"}})
    domain(gate, "shop.example", "mode=redirect", "destination=" + BAD)
    deliver(gate, "c@shop.example")
    gate.wait_queue(1, "state=deferred")
    gate.ctl("domain", "set", "shop.example", "destination=127.0.0.1:%d" % shop.port)
    shop.wait(1)


@pytest.mark.parametrize("action", ["defer", "bounce", "hold"])
def test_missing_host(make_gate, make_sink, dns, action):
    """I-36 a redirect to a host that does not exist."""
    gate, shop = make_gate({**dns, "delivery": {"retry": "1h .. 2h"}}), make_sink()
    domain(gate, "shop.example", "mode=redirect", "destination=absent.senders.test:%d" % shop.port, "on-missing-host=" + action)
    deliver(gate, "c@shop.example")
    if action == "bounce":
        message = gate.sink.wait(1)[0]
        assert message.sender == "" and "absent.senders.test has no address" in message.text
        return
    gate.wait_queue(1, "state=" + {"defer": "deferred", "hold": "held"}[action])
    assert not gate.sink.messages
    if action == "hold":
        gate.restart()  # it is still known what the message waits for
    gate.ctl("domain", "set", "shop.example", "destination=ns.senders.test:%d" % shop.port)
    shop.wait(1)


# ---- forwarding ----

def test_forward(gate):
    """Forwarded under a signed sender of the domain; the bounce comes back to the original sender, anything else does not."""
    domain(gate, "old.example", "mode=forward", "forward-to=Joe@new.example")
    deliver(gate, "any@old.example", sender="Stranger@elsewhere.example")
    message = gate.sink.wait(1)[0]
    assert message.recipients == ["Joe@new.example"]
    assert re.fullmatch(r"SRS0=\w{8}=\w\w=elsewhere.example=Stranger@old.example", message.sender)
    gate.wait_log(r"delivered .*to=any@old.example forwarded-to=Joe@new.example")
    assert rcpt(gate, message.sender, sender="spammer@elsewhere.example").code == 550
    deliver(gate, message.sender, sender="")
    back = gate.sink.wait(2)[1]
    assert (back.sender, back.recipients) == ("", ["Stranger@elsewhere.example"])
    hash_at = message.sender.index("=") + 1
    forged = message.sender[:hash_at] + "aaaaaaaa" + message.sender[hash_at + 8:]
    reply = rcpt(gate, forged, sender="")
    assert reply.code == 550 and "5.1.1" in reply


def test_forward_failure(gate):
    """The next hop refuses what is forwarded: the original sender gets the report, about the address that was written to."""
    gate.sink.replies["RCPT"] = lambda argument: "550 5.1.1 no such user" if "joe@new" in argument else None
    domain(gate, "old.example", "mode=forward", "forward-to=joe@new.example")
    deliver(gate, "any@old.example")
    report = gate.sink.wait(1)[0]
    assert (report.sender, report.recipients) == ("", ["stranger@elsewhere.example"])
    assert "Final-Recipient: rfc822;any@old.example" in report.text


def test_forward_long_sender(gate):
    """A sender that does not fit into a local part finds back, too; the null sender stays."""
    long = "bounces+12345-abcd-user=example.com-and-a-lot-more-of-it-" + "x" * 7
    domain(gate, "old.example", "mode=forward", "forward-to=joe@new.example")
    deliver(gate, "any@old.example", sender=long + "@mailer.elsewhere.example")
    sender = gate.sink.wait(1)[0].sender
    assert len(sender.split("@")[0]) <= 64
    deliver(gate, sender, sender="")
    assert gate.sink.wait(2)[1].recipients == [long + "@mailer.elsewhere.example"]
    deliver(gate, "any@old.example", sender="")
    assert gate.sink.wait(3)[2].sender == ""


def test_forward_loop(gate):
    """Two domains that forward to each other end in a report, not in a loop."""
    domain(gate, "a.example", "mode=forward", "forward-to=x@b.example")
    domain(gate, "b.example", "mode=forward", "forward-to=x@a.example")
    deliver(gate, "any@a.example")
    assert "5.4.6" in gate.sink.wait(1)[0].text


def test_forward_mailbox(gate, make_sink):
    """M-01 all of a domain into one hosted mailbox, by the route of hosted domains; the sender stays."""
    boxes = make_sink()
    domain(gate, "boxes.example", "mode=hosted")
    domain(gate, "all.example", "mode=forward-mailbox", "forward-to=it@boxes.example")
    deliver(gate, "early@all.example")
    gate.wait_log(r"deferred .*no \[route\] is for hosted domains")
    gate.reload({"route boxes": {"for-mode": "hosted", "next-hop": "smtp:[127.0.0.1]:%d" % boxes.port}})
    deliver(gate, "any@all.example")
    for message in boxes.wait(2):
        assert (message.sender, message.recipients) == ("stranger@elsewhere.example", ["it@boxes.example"])


# ---- the spool's own limits ----

def test_old_held_mail(make_gate, sink):
    """I-13 after hold-at-most the postmaster is told, once; nothing is thrown away."""
    gate = make_gate({"spool": {"hold-at-most": "1s"}})
    domain(gate, "shop.example", "mode=hold")
    deliver(gate, "c@shop.example")
    gate.wait_queue(1, "state=held")
    time.sleep(1.2)
    gate.restart()
    notice = sink.wait(1)[0]
    assert notice.recipients == ["postmaster@example.net"] and notice.sender == ""
    assert "shop.example" in notice.body and notice.header("Subject") == ["[postern] Held mail on mail.example.net"]
    wait_until(lambda: "held.old" in gate.ctl("alarms"), "the alarm")
    gate.restart()
    wait_until(lambda: "held.old" in gate.ctl("alarms"), "the alarm")
    assert len(sink.messages) == 1 and len(gate.queue()) == 1
