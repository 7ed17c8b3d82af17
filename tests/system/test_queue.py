"""Queue, headers and delivery (letter Q of BEHAVIOURS.md) against the real daemon."""
import email
import re
import time

import pytest

from postern import LOGIN, Dialog, Postern, Sink, free_port, make_certificate, wait_until

SOON = {"delivery": {"retry": "1s .. 1s"}}
DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}( \(\w+\))?"


def only(text, reply):
    """A script for a sink: that reply if the argument has the text, else the ordinary."""
    return lambda argument: reply if text in argument else None


def report(message):
    """(human part, fields of the message, fields per recipient, what is returned) of a delivery status notification."""
    assert message.sender == ""
    whole = email.message_from_bytes(message.data)
    assert whole.get_content_type() == "multipart/report" and whole.get_param("report-type") == "delivery-status"
    assert whole["Auto-Submitted"] == "auto-replied" and whole["From"].endswith("<MAILER-DAEMON@mail.example.net>")
    text, status, returned = whole.get_payload()
    assert text.get_content_type() == "text/plain" and status.get_content_type() == "message/delivery-status"
    head, *recipients = status.get_payload()
    assert head["Reporting-MTA"] == "dns; mail.example.net" and re.fullmatch(DATE, head["Arrival-Date"])
    return text.get_payload(), head, recipients, returned


@pytest.fixture(scope="module")
def one_relay(tmp_path_factory):
    sink = Sink()
    daemon = Postern(tmp_path_factory.mktemp("relay"), {"delivery": {"retry": "1s .. 1s", "per-connection": "1"}}, sink=sink)
    yield daemon
    daemon.stop()
    sink.close()


@pytest.fixture
def relay(one_relay):
    """A daemon that tries again after a second, each message over a connection of its own; relay.sink as new."""
    one_relay.settle()
    sink = one_relay.sink
    sink.replies, sink.extensions = {}, ["PIPELINING", "8BITMIME", "SIZE 0", "ENHANCEDSTATUSCODES"]
    sink.messages.clear()
    sink.commands.clear()
    return one_relay


# ---- accepted ----

def test_queue_id(relay):
    """Q-01 the id of the reply is in the log and in Received."""
    postern, sink = relay, relay.sink
    queue_id = postern.send()
    assert re.fullmatch(r"[0-9A-Z]{10,16}", queue_id)
    assert " id %s " % queue_id in sink.wait(1)[0].header("Received")[0]
    postern.wait_log(r"message accepted .*queue=%s .*client=127.0.0.1 login=user@example.net" % queue_id)
    postern.wait_log(r"delivered queue=%s .*to=rcpt@example.org" % queue_id)


def test_crash_after_250(make_postern, make_sink):
    """Q-02 what was acknowledged before a kill -9 is delivered after it, once."""
    sink = make_sink({"MAIL": lambda argument: "450 4.3.2 later"})
    postern = make_postern(SOON, sink=sink)
    with postern.session() as dialog:
        ids = [dialog.mail(content="Subject: %d\n\n%s\n" % (i, "x" * (400000 if i == 3 else 10))) for i in range(8)]
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        dialog.expect("354", "DATA")
        dialog.send_raw(b"Subject: never acknowledged\r\n\r\nx\r\n")
        postern.kill()
    sink.replies.clear()
    postern.start()
    messages = sink.wait(8)
    assert sorted(message.header("Subject")[0] for message in messages) == sorted(map(str, range(8)))
    assert sorted(re.search(r" id (\w+)", m.header("Received")[0]).group(1) for m in messages) == sorted(ids)
    postern.settle()
    assert len(sink.messages) == 8


# ---- headers ----

def test_received(relay):
    """Q-03 the Received line, whole; `for` only for one recipient."""
    postern, sink = relay, relay.sink
    queue_id = postern.send()
    received = sink.wait(1)[0].header("Received")
    assert len(received) == 1
    assert re.fullmatch(r"from client\.example\.net \(unknown \[127\.0\.0\.1\]\) by mail\.example\.net \(Postern\) "
                        r"with ESMTPA id %s for <rcpt@example\.org>; %s" % (queue_id, DATE), received[0]), received
    postern.send(["a@example.org", "b@example.org"])
    assert " for <" not in sink.wait(2)[1].header("Received")[0]
    assert "a@example.org" not in sink.messages[1].text


def test_received_with_tls(relay):
    """Q-03 ESMTPSA, the version and the cipher behind TLS."""
    postern, sink = relay, relay.sink
    with postern.smtp("smtps") as dialog:
        dialog.login()
        dialog.mail()
        cipher = dialog.socket.cipher()
    received = sink.wait(1)[0].header("Received")[0]
    assert " with ESMTPSA id " in received and "(using %s with cipher %s)" % (cipher[1], cipher[0]) in received


def test_received_with_a_name(make_postern, sink, dns):
    """Q-03 the client's name in the DNS, if it leads back to the address."""
    port = free_port()
    postern = make_postern({**dns, "listener proxied": {"addresses": "127.0.0.1", "ports": port, "auth-without-tls": "yes",
                                                        "proxies": "127.0.0.1"}}, sink=sink)
    for client, name in (("198.18.0.9", "client.example.org"), ("198.18.0.10", "unknown"), ("198.18.0.11", "unknown")):
        before = len(sink.messages)
        with Dialog(port, first=b"PROXY TCP4 %s 192.0.2.1 4711 25\r\n" % client.encode()) as dialog:
            dialog.login()
            for _ in range(4):
                time.sleep(0.1)
                dialog.expect("250", "NOOP")
            dialog.mail()
        assert "(%s [%s])" % (name, client) in sink.wait(before + 1)[before].header("Received")[0]


def test_hostile_hello(relay):
    """Q-03 what the client calls itself cannot forge a header."""
    postern, sink = relay, relay.sink
    with postern.smtp() as dialog:
        dialog.expect("250", "EHLO [a(b)c;d<e>]")
        assert dialog.auth().code == 235
        dialog.mail()
    assert "from [a?b?c?d?e?] (" in sink.wait(1)[0].header("Received")[0]


def test_login_is_not_disclosed(make_postern, sink):
    """Q-04 by default nothing that goes out names the login; `show-login` does."""
    postern = make_postern(sink=sink)
    postern.add_account("secretlogin@example.net", "password", "sender-rules.identities=yes")
    send = lambda: postern.send(sender="public@example.net", login="secretlogin@example.net", password="password")
    send()
    assert "secretlogin" not in sink.wait(1)[0].text
    postern.reload({"server": {"show-login": "yes"}})
    send()
    assert "(authenticated as secretlogin@example.net)" in sink.wait(2)[1].header("Received")[0]
    postern.reload({"server": {"hide-client": "yes", "show-login": None}})
    send()
    assert "127.0.0.1" not in sink.wait(3)[2].text and "client.example.net" not in sink.messages[2].text


def test_service_headers(make_postern, sink):
    """Q-05 PREFIX-Abuse and PREFIX-Submit behind the client's header; Q-06 one log line ties all ids."""
    postern = make_postern({"server": {"header-prefix": "X-Rollernet", "abuse-text": "Please report abuse to abuse@example.net"}},
                           sink=sink)
    ids = [postern.send() for _ in range(3)]
    submits = set()
    for message in sink.wait(3):
        assert message.header("X-Rollernet-Abuse") == ["Please report abuse to abuse@example.net"]
        submit, = message.header("X-Rollernet-Submit")
        assert re.fullmatch(r"Submit ID [0-9a-f]+\.[0-9a-f]+\.[0-9a-f]+\.[0-9a-f]+", submit)
        submits.add(submit)
        assert message.text.index("Subject:") < message.text.index("X-Rollernet-Abuse") < message.text.index("\r\n\r\n")
        queue_id = re.search(r" id (\w+)", message.header("Received")[0]).group(1)
        assert queue_id in ids
        postern.wait_log(r"message accepted session=\w+ queue=%s submit=%s client=127\.0\.0\.1 login=user@example\.net "
                         r"from=user@example\.net to=rcpt@example\.org recipients=1 " % (queue_id, submit.split()[-1]))
    assert len(submits) == 3


def test_log_of_several_recipients(relay):
    """Q-06 each recipient has its line with queue id, login and sender."""
    postern, sink = relay, relay.sink
    queue_id = postern.send(["a@example.org", "b@example.org", "c@example.org"])
    for name in "abc":
        postern.wait_log(r"delivered queue=%s session=\w+ login=user@example\.net from=user@example\.net to=%s@example\.org "
                         r"relay=127\.0\.0\.1\[127\.0\.0\.1\]:%d " % (queue_id, name, sink.port))


def test_other_headers(relay):
    """Q-05 Date and Message-ID are added where missing, Bcc and Return-Path removed, the rest stays as it was."""
    postern, sink = relay, relay.sink
    queue_id = postern.send(content="Subject: x\nX-Odd:  two  blanks\nBcc: hidden@example.org,\n other@example.org\n"
                                    "Return-Path: <x@y.example>\nTo: a\n\nBcc: in the body\n")
    message = sink.wait(1)[0]
    head = message.text.partition("\r\n\r\n")[0]
    assert message.header("Bcc") == [] and message.header("Return-Path") == [] and "hidden" not in head
    assert "\r\nSubject: x\r\nX-Odd:  two  blanks\r\nTo: a\r\n" in head and message.body == "Bcc: in the body\r\n"
    assert re.fullmatch(DATE, message.header("Date")[0])
    assert message.header("Message-ID") == ["<%s@mail.example.net>" % queue_id]
    postern.send(content="Date: yesterday\nMessage-ID: <mine@x>\n\ny\n")
    assert (sink.wait(2)[1].header("Date"), sink.messages[1].header("Message-ID")) == (["yesterday"], ["<mine@x>"])


@pytest.mark.parametrize("content, body", [("\nno header at all\n", "no header at all\r\n"), ("Subject: only\n", ""),
                                           ("no colon here\n\nx\n", None), ("", "")])
def test_odd_messages(shared, content, body):
    """Q-03 the trace stands on top of whatever comes."""
    before = shared.settle()
    shared.send(content=content)
    message = shared.sink.wait(before + 1)[before]
    assert message.text.startswith("Received: from client.example.net ")
    if body is not None:
        assert message.body == body


# ---- again ----

def test_back_off(make_postern, make_sink):
    """Q-07 temporary failures are tried again, each time later, up to the most."""
    times = []
    sink = make_sink({"MAIL": lambda argument: times.append(time.monotonic()) or "450 4.3.2 later"})
    postern = make_postern({"delivery": {"retry": "1s .. 2s"}}, sink=sink)
    postern.send()
    wait_until(lambda: len(times) >= 4, "four attempts")
    waits = [b - a for a, b in zip(times, times[1:])]
    for wait, least in zip(waits, (0.9, 1.8, 1.8)):
        assert least <= wait < least + 1.5, waits
    postern.wait_log(r"deferred .*reply=\"450 4.3.2 later\"")


@pytest.mark.parametrize("verb, reply", [("CONNECT", "421 4.3.2 busy"), ("CONNECT", ""), ("EHLO", "421 4.3.2 no"), ("EHLO", ""),
                                         ("MAIL", "451 4.3.0 no"), ("RCPT", "450 4.2.1 no"), ("DATA", "451 4.3.0 no"),
                                         (".", "451 4.3.0 no"), (".", ""), ("CONNECT", "554 5.3.2 not now")])
def test_temporary_failures(relay, verb, reply):
    """Q-07 at whatever point it fails: it is tried again, and comes."""
    postern, sink = relay, relay.sink
    sink.replies = {verb: [reply]}
    postern.send()
    assert sink.wait(1)[0].recipients == ["rcpt@example.org"]
    assert postern.settle() == 1


def test_only_the_deferred_again(relay):
    """Q-07 who has it gets it once."""
    tried = []
    relay.sink.replies = {"RCPT": lambda argument: "450 4.2.1 full" if "slow@" in argument and not tried.append(1) and
                          len(tried) == 1 else None}
    relay.send(["quick@example.org", "slow@example.org"])
    assert [message.recipients for message in relay.sink.wait(2)] == [["quick@example.org"], ["slow@example.org"]]
    assert relay.settle() == 2


def test_expiry(make_postern, make_sink):
    """Q-07 what cannot be delivered in time goes back to its sender, with the last answer."""
    sink = make_sink({"RCPT": only("rcpt@", "450 4.2.1 always later")})
    postern = make_postern({"delivery": {"retry": "1s .. 1s", "expire": "2s"}}, sink=sink)
    postern.send()
    text, _, recipients, _ = report(sink.wait(1)[0])
    assert sink.messages[0].recipients == [LOGIN]
    assert "always later" in text and recipients[0]["Action"] == "failed" and recipients[0]["Status"] == "4.4.7"
    assert postern.settle() == 1


def test_delay_warning(make_postern, make_sink):
    """Q-07 after `warn-after` the sender is told, once; the mail is still delivered."""
    sink = make_sink({"RCPT": only("rcpt@", "450 4.2.1 later")})
    postern = make_postern({"delivery": {"retry": "1s .. 1s", "warn-after": "1s"}}, sink=sink)
    postern.send(["rcpt@example.org"])
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<quiet-rcpt@example.org> NOTIFY=FAILURE")
        assert dialog.data("Subject: no warning\n\n.\n").code == 250
    text, _, recipients, returned = report(sink.wait(1)[0])
    assert "warning" in text and recipients[0]["Action"] == "delayed" and recipients[0]["Status"] == "4.2.1"
    assert re.fullmatch(DATE, recipients[0]["Will-Retry-Until"]) and recipients[0]["Final-Recipient"] == "rfc822;rcpt@example.org"
    wait_until(lambda: len([1 for verb, _ in sink.commands if verb == "RCPT"]) > 8, "more attempts")
    assert len(sink.messages) == 1
    sink.replies.clear()
    assert sorted(message.recipients[0] for message in sink.wait(3)) == ["quiet-rcpt@example.org", "rcpt@example.org", LOGIN]


# ---- failed ----

def test_bounce(relay):
    """Q-08 permanent failures: one report for all of them to the envelope sender, the others get their mail."""
    postern, sink = relay, relay.sink
    sink.replies = {"RCPT": lambda argument: "550 5.1.1 no such user" if "bad" in argument else
                    "554 5.7.1 go away" if "worse" in argument else None}
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s> ENVID=QQ+2B31" % LOGIN)
        dialog.expect("250", "RCPT TO:<bad@example.org> ORCPT=rfc822;Original+2Bx@example.com")
        dialog.expect("250", "RCPT TO:<good@example.org>")
        dialog.expect("250", "RCPT TO:<worse@example.org>")
        queue_id = dialog.data("Subject: returned\nX-Mark: here\n\nthe body\n").text.split()[-1]
    messages = sink.wait(2)
    bounce, = [message for message in messages if message.sender == ""]
    assert [message.recipients for message in messages if message.sender] == [["good@example.org"]]
    assert bounce.recipients == [LOGIN] and bounce.header("To") == [LOGIN]
    text, head, recipients, returned = report(bounce)
    assert "no such user" in text and "go away" in text and "good@" not in text
    assert head["Original-Envelope-Id"] == "QQ+31"
    assert [(r["Final-Recipient"], r["Action"], r["Status"]) for r in recipients] == [
        ("rfc822;bad@example.org", "failed", "5.1.1"), ("rfc822;worse@example.org", "failed", "5.7.1")]
    assert recipients[0]["Original-Recipient"].replace("; ", ";") == "rfc822;Original+x@example.com"
    assert recipients[0]["Diagnostic-Code"].replace("; ", ";") == "smtp;550 5.1.1 no such user"
    assert recipients[0]["Remote-MTA"].replace("; ", ";").startswith("dns;127.0.0.1")
    assert returned.get_content_type() == "message/rfc822" and "the body" in returned.as_string()
    assert "X-Mark: here" in returned.as_string()
    postern.wait_log("bounced queue=%s .*to=bad@example.org" % queue_id)
    assert postern.settle() == 2


@pytest.mark.parametrize("verb", ["MAIL", "DATA", "."])
def test_bounce_wherever(relay, verb):
    """Q-08 a refusal of MAIL, DATA or the content is everybody's."""
    refused = []
    postern, sink = relay, relay.sink
    sink.replies = {verb: lambda argument: None if refused else refused.append(1) or "554 5.6.0 not this one"}
    postern.send(["a@example.org", "b@example.org"])
    _, _, recipients, _ = report(sink.wait(1)[0])
    assert [(r["Final-Recipient"], r["Status"]) for r in recipients] == [("rfc822;a@example.org", "5.6.0"),
                                                                         ("rfc822;b@example.org", "5.6.0")]


@pytest.mark.parametrize("parameters, mail, expected", [
    ("", "", "message/rfc822"), ("NOTIFY=FAILURE", "RET=FULL", "message/rfc822"), ("NOTIFY=FAILURE,DELAY", "RET=HDRS",
                                                                                   "text/rfc822-headers"),
    ("NOTIFY=NEVER", "", None), ("NOTIFY=SUCCESS", "", None), ("NOTIFY=DELAY", "", None)])
def test_notify_and_ret(relay, parameters, mail, expected):
    """Q-08 E-08 NOTIFY and RET are honoured."""
    postern, sink = relay, relay.sink
    sink.replies = {"RCPT": only("bad@", "550 5.1.1 no such user")}
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s> %s" % (LOGIN, mail))
        dialog.expect("250", "RCPT TO:<bad@example.org> " + parameters)
        assert dialog.data("Subject: x\n\nthe body\n").code == 250
    assert postern.settle() == (1 if expected else 0)
    if expected:
        returned = report(sink.messages[0])[3]
        assert returned.get_content_type() == expected
        assert ("the body" in returned.as_string()) == (expected == "message/rfc822")


def test_notify_success(relay):
    """Q-08 E-08 NOTIFY=SUCCESS: "relayed" where the next hop cannot report, and left to it where it can."""
    for extensions, n in ((("PIPELINING",), 2), (("DSN",), 1)):
        postern, sink = relay, relay.sink
        sink.extensions = extensions
        sink.messages.clear()
        with postern.session() as dialog:
            dialog.expect("250", "MAIL FROM:<%s> RET=FULL" % LOGIN)
            dialog.expect("250", "RCPT TO:<rcpt@example.org> NOTIFY=SUCCESS")
            assert dialog.data("Subject: x\n\nthe body\n").code == 250
        sink.wait(n)
        assert postern.settle() == n
        if n == 2:
            _, _, recipients, returned = report(sink.messages[1])
            assert recipients[0]["Action"] == "relayed" and recipients[0]["Status"].startswith("2.")
            assert "the body" not in returned.as_string()


def test_no_report_for_the_null_sender(relay):
    """Q-08 mail of the null sender, and a report that bounces itself, are never answered."""
    postern, sink = relay, relay.sink
    sink.replies = {"RCPT": lambda argument: "550 5.1.1 no such user"}
    postern.send()  # its report cannot be delivered
    postern.wait_log("bounced .*from=\"?\"? *to=%s" % LOGIN)
    with postern.session() as dialog:
        if dialog.ask("MAIL FROM:<>").code == 250:
            dialog.expect("250", "RCPT TO:<rcpt@example.org>")
            assert dialog.data("Subject: null\n\n.\n").code == 250
    assert postern.settle() == 0


# ---- where to ----

def bounced(postern, sink, recipient, status, text):
    before = len(sink.messages)
    postern.send(recipient)
    _, _, recipients, _ = report(sink.wait(before + 1)[before])
    assert (recipients[0]["Status"], recipients[0]["Final-Recipient"]) == (status, "rfc822;" + recipient)
    assert text in recipients[0].as_string() or text in sink.messages[before].text
    assert recipients[0]["Remote-MTA"] is None


@pytest.fixture
def by_mx(make_postern, sink, dns):
    """Goes by MX, but for example.net, where reports go to the sink."""
    silent = free_port()
    return make_postern({"route all": {"to": "example.net"}, "dns": {**dns["dns"], "timeout": "1s", "stub-zones":
                         dns["dns"]["stub-zones"] + " silent.example=127.0.0.1@%d refused.example=%s"
                         % (silent, dns["dns"]["stub-zones"].split("=")[-1])}, **SOON}, sink=sink)


def test_dns_says_no(by_mx, sink):
    """Q-08 null MX, a domain that does not exist, and a best MX that is ourselves: bounced at once."""
    bounced(by_mx, sink, "a@nullmx.example.org", "5.1.10", "null MX")
    bounced(by_mx, sink, "a@absent.example.org", "5.1.2", "does not exist")
    bounced(by_mx, sink, "a@ours.example.org", "5.4.6", "loops back")


def test_dns_says_nothing(by_mx, sink):
    """Q-07 SERVFAIL and silence are no answer: deferred, never bounced."""
    by_mx.send(["a@refused.example", "a@silent.example", "a@nowhere.example.org"])
    for domain in ("refused.example", "silent.example", "nowhere.example.org"):
        by_mx.wait_log(r"deferred .*to=a@%s .*reply=\"4\.4\." % re.escape(domain))
    assert "bounced" not in by_mx.log() and sink.messages == []


def test_exchangers(by_mx, make_sink):
    """R-13 the best exchanger is down, the next one takes it; a domain without MX has its address as one."""
    try:
        exchanger = make_sink(host="127.0.0.7", port=25)
    except OSError:
        pytest.skip("port 25 cannot be had")
    by_mx.send("a@two.example.org")
    by_mx.send("a@alone.example.org")
    assert sorted(message.recipients[0] for message in exchanger.wait(2)) == ["a@alone.example.org", "a@two.example.org"]


# ---- how ----

@pytest.mark.parametrize("tls, has_tls", [("may", True), ("none", False), ("encrypt", True)])
def test_opportunistic_tls(make_postern, make_sink, tmp_path, tls, has_tls):
    """Q-09 TLS where the next hop offers it, certificate or not."""
    sink = make_sink(extensions=("PIPELINING", "STARTTLS"), certificate=make_certificate(tmp_path, "sink.example.org"))
    make_postern({"route all": {"tls": tls}}, sink=sink).send()
    assert bool(sink.wait(1)[0].tls) == has_tls
    assert sink.messages[0].helo == "mail.example.net"


@pytest.mark.parametrize("script", [{"STARTTLS": "454 4.7.0 not now"}, {"STARTTLS": "220 2.0.0 but I cannot"}])
def test_tls_that_fails(make_postern, make_sink, script):
    """Q-09 TLS that breaks does not stop what would have gone in clear."""
    sink = make_sink(script, extensions=("STARTTLS",))
    make_postern({"route all": {"tls": "may"}, **SOON}, sink=sink).send()
    assert sink.wait(1)[0].tls is None


def test_tls_that_is_demanded(make_postern, make_sink, tmp_path):
    """Q-09 `encrypt` and `verify` never go in clear, and `verify` only to whom it knows."""
    plain = make_sink()
    postern = make_postern({"route all": {"tls": "encrypt"}, **SOON}, sink=plain)
    postern.send()
    postern.wait_log(r"deferred .*4\.7\.4")
    sink = make_sink(extensions=("STARTTLS",), certificate=make_certificate(tmp_path, "sink.example.org"))
    postern.reload({"route all": {"tls": "verify", "next-hop": "smtp:[127.0.0.1]:%d" % sink.port}})
    postern.send("second@example.org")
    postern.wait_log(r"deferred .*to=second@example.org .*ertificate")
    assert plain.messages == [] and sink.messages == []


@pytest.mark.parametrize("mechanisms", ["AUTH PLAIN LOGIN", "AUTH LOGIN"])
def test_smarthost(make_postern, make_sink, tmp_path, mechanisms):
    """Q-09 a smarthost with AUTH and TLS, its password from a file."""
    sink = make_sink(extensions=(mechanisms, "STARTTLS"), certificate=make_certificate(tmp_path, "relay.example.org"))
    (tmp_path / "password").write_text("relay password\n")
    postern = make_postern({"route all": {"tls": "may", "next-hop": "smtp://relay@[127.0.0.1]:%d" % sink.port,
                                          "password": "@%s" % (tmp_path / "password")}}, sink=sink)
    postern.send()
    assert (sink.wait(1)[0].login, bool(sink.messages[0].tls)) == ("relay", True)


def test_smarthost_refuses_us(make_postern, make_sink):
    """Q-07 a smarthost that refuses our login is ours to mend: deferred, never bounced."""
    sink = make_sink({"AUTH": ["535 5.7.8 no"]}, extensions=("AUTH PLAIN",))
    postern = make_postern({"route all": {"next-hop": "smtp://relay@[127.0.0.1]:%d" % sink.port, "password": "x"}, **SOON}, sink=sink)
    postern.send()
    postern.wait_log(r"deferred .*refused our login")
    assert sink.wait(1)[0].sender == LOGIN


def test_routes(make_postern, make_sink):
    """R-13 routes by domain, by what is below one, and for all; one message for two hops goes to both."""
    one, two, rest = make_sink(), make_sink(), make_sink()
    hop = lambda sink: {"next-hop": "smtp:[127.0.0.1]:%d" % sink.port, "tls": "none"}
    postern = make_postern({"route all": None, "route one": {"to": "one.example", **hop(one)},
                            "route two": {"to": ".two.example", **hop(two)}, "route rest": {"to": "*", **hop(rest)}}, sink=rest)
    postern.send(["a@one.example", "a@x.two.example", "a@two.example", "a@x.one.example", "a@ONE.example"])
    assert one.wait(1)[0].recipients == ["a@one.example"] * 2
    assert two.wait(1)[0].recipients == ["a@x.two.example"]
    assert rest.wait(1)[0].recipients == ["a@two.example", "a@x.one.example"]


def test_connection_reuse(make_postern, make_sink):
    """Q-09 messages for one hop take the same connection, as many as `per-connection` says."""
    sink = make_sink()
    postern = make_postern({"delivery": {"per-connection": "3"}}, sink=sink)
    with postern.session() as dialog:
        for n in range(6):
            dialog.mail()
            sink.wait(n + 1)
            postern.settle()
    assert sink.connections == 2
    assert [verb for verb, _ in sink.commands].count("EHLO") == 2


def test_a_kept_connection_that_ended(make_postern, make_sink):
    """Q-07 a kept connection that the server closed costs no attempt."""
    sink = make_sink()
    postern = make_postern(sink=sink)
    postern.send()
    sink.wait(1)
    for connection in list(sink.open):
        try:
            connection.shutdown(2)
        except OSError:
            pass
    time.sleep(0.3)
    postern.send()
    sink.wait(2)
    assert "deferred" not in postern.log()


def test_many_recipients(relay):
    """Q-09 250 recipients in one transaction, pipelined; those refused are told of, all of them."""
    postern, sink = relay, relay.sink
    sink.replies = {"RCPT": lambda argument: "550 5.1.1 no" if "7@" in argument else None}
    names = ["r%d@example.org" % i for i in range(250)]
    postern.send(names)
    mail, bounce = sorted(sink.wait(2), key=lambda message: message.sender == "")
    assert mail.recipients == [name for name in names if "7@" not in name]
    assert [r["Final-Recipient"][7:] for r in report(bounce)[2]] == [name for name in names if "7@" in name]


@pytest.mark.parametrize("extensions", [("PIPELINING", "8BITMIME", "SIZE 0"), ("PIPELINING",), ()])
def test_8bit_goes_out(relay, extensions):
    """Q-09 E-07 E-23 8-bit content goes out unchanged, and BODY=8BITMIME is said, where it is understood; else it is encoded."""
    sink = relay.sink
    sink.extensions = extensions
    with relay.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s> BODY=8BITMIME" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        assert dialog.data("Subject: x\n\nGrüße\n").code == 250
    message = sink.wait(1)[0]
    assert message.body == ("Grüße\r\n" if "8BITMIME" in extensions else "Gr=C3=BC=C3=9Fe\r\n")
    assert ("BODY=8BITMIME" in message.sender_parameters) == ("8BITMIME" in extensions)
    assert ("SIZE=%d" % len(message.data) in message.sender_parameters) == ("SIZE 0" in extensions)


def test_smtputf8(relay):
    """Q-08 internationalised mail: said to a next hop that takes it; bounced with 5.6.7 by one that does not."""
    for extensions in (("SMTPUTF8", "8BITMIME"), ("8BITMIME",)):
        postern, sink = relay, relay.sink
        sink.extensions = extensions
        with postern.session() as dialog:
            dialog.expect("250", "MAIL FROM:<%s> BODY=8BITMIME SMTPUTF8" % LOGIN)
            dialog.expect("250", "RCPT TO:<grüße@example.org>")
            assert dialog.data("Subject: Grüße\n\n.\n").code == 250
        if "SMTPUTF8" in extensions:
            assert sink.wait(1)[0].recipients == ["grüße@example.org"] and "SMTPUTF8" in sink.messages[0].sender_parameters
            assert " with UTF8SMTPA id " in sink.messages[0].header("Received")[0]
        else:
            postern.wait_log(r"bounced .*5\.6\.7")


def test_too_big_for_the_next_hop(make_postern, make_sink):
    """Q-08 a message over the next hop's SIZE is not even tried: 5.3.4."""
    sink = make_sink(extensions=("SIZE 2000",))
    postern = make_postern(sink=sink)
    postern.send(content="Subject: x\n\n" + "y" * 3000 + "\n")
    postern.wait_log(r"bounced .*to=rcpt@example.org .*5\.3\.4")
    assert not [argument for verb, argument in sink.commands if verb == "RCPT" and "rcpt@" in argument]


def test_old_servers(relay):
    """Q-09 a next hop that knows HELO only."""
    relay.sink.replies = {"EHLO": "502 5.5.1 no such thing", "HELO": "250 sink"}
    relay.send()
    assert relay.sink.wait(1)[0].helo == "mail.example.net"


def test_stop_with_mail_waiting(make_postern, make_sink, sink):
    """Q-02 a stop while one next hop is slow: what the other next hop has is not sent to it again."""
    def slowly(argument):
        time.sleep(0.5)
    slow = make_sink({"DATA": slowly})
    postern = make_postern({"delivery": {"per-destination": "1"},
                            "route slow": {"to": "slow.example", "next-hop": "smtp:[127.0.0.1]:%d" % slow.port}}, sink=sink)
    for i in range(6):
        postern.send(["a@example.org", "b@slow.example"], content="Subject: %d\n\nx\n" % i)
    sink.wait(6)
    postern.restart()
    slow.wait(6)
    postern.settle()
    assert len(sink.messages) == 6 and len(slow.messages) == 6
