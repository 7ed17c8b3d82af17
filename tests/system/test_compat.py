"""Troubles that users of other mail servers reported in public, tried here; doc/compat.md lists them with their sources."""
import base64
import datetime
import re

import pytest

from postern import LOGIN, PASSWORD, wait_until

RETRY = {"delivery": {"retry": "1s .. 2s", "private-networks": "127.0.0.0/8"}}


def b64(text):
    return base64.b64encode(text.encode()).decode()


def relayed(sink, gate, content):
    """The body of a message behind the gateway."""
    n = len(sink.messages)
    gate.send(content=content)
    return sink.wait(n + 1)[n].data


def pause_of(gate):
    """Seconds until the next attempt of the only message, which was deferred."""
    row = gate.wait_queue(1, "state=deferred")[0]
    return (datetime.datetime.fromisoformat(row["next"]) - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


# ---- clients ----

def test_auth_login_with_a_name(shared):
    """OpenSMTPD 422, aiosmtpd 219: AUTH LOGIN with the name on the line asks for the password."""
    with shared.smtp() as dialog:
        dialog.hello()
        assert dialog.ask("AUTH LOGIN " + b64(LOGIN)).text == "334 " + b64("Password:")
        assert dialog.ask(b64(PASSWORD)).code == 235


@pytest.mark.parametrize("name", ["localhost", "7kO2OrE", "viiv-podcast_1.viiv-podcast_internal", "_", "[127.0.0.1]", "[IPv6:::1]",
                                  "Johns-iPhone", "host.example.net."])
def test_names_in_ehlo(shared, name):
    """James 5258, ix-ai/smtp 6, Roundcube 6408, chatmail 1847: what clients call themselves keeps nobody from submitting."""
    with shared.smtp() as dialog:
        assert dialog.ask("EHLO " + name).code == 250
        assert dialog.auth().code == 235
        dialog.mail()


def test_helo_without_a_name(shared):
    """OpenSMTPD 1054: an appliance says HELO without a name; the reply says what is missing, and the session goes on."""
    with shared.smtp() as dialog:
        assert dialog.ask("HELO ").code == 501
        dialog.login()
        dialog.mail()


def test_commands_behind_helo_at_once(shared):
    """xsibackup 12: EHLO and AUTH LOGIN in one packet."""
    with shared.smtp() as dialog:
        dialog.send_raw(b"ehlo host.example.net\r\nAUTH LOGIN\r\n")
        assert dialog.reply().code == 250
        assert dialog.reply().code == 334
        assert dialog.ask(b64(LOGIN)).code == 334
        assert dialog.ask(b64(PASSWORD)).code == 235


def test_data_without_valid_recipients(shared):
    """Haraka 538, swiftmailer 1265: the reply to a pipelined DATA names the reason, and MAIL begins anew behind RSET."""
    with shared.session() as dialog:
        dialog.send_raw(("MAIL FROM:<%s>\r\nRCPT TO:<no address>\r\nDATA\r\n" % LOGIN).encode())
        assert [dialog.reply().code for _ in range(2)] == [250, 501]
        refused = dialog.reply()
        assert refused.code == 554 and "no valid recipients" in refused
        assert dialog.ask("RSET").code == 250
        dialog.mail()


def test_replies_to_unknown_commands_in_a_group(shared):
    """Indy 239: each command of a group is answered, in order, unknown ones, too."""
    with shared.session() as dialog:
        dialog.send_raw(b"NOOP\r\nXUNKNOWN\r\nRSET\r\nNOOP\r\n")
        assert [dialog.reply().code for _ in range(4)] == [250, 500, 250, 250]


# ---- content ----

@pytest.mark.parametrize("how", ["refuse", "normalise"])
def test_bare_line_feeds(make_postern, sink, how):
    """hMailServer 357, SmtpClient-for-Qt 185: refused by default with the reason, or made lines where the listener says so."""
    gate = make_postern({"listener submission": {"bare-newline": how}}, sink=sink)
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        dialog.expect("354", "DATA")
        dialog.send_raw(b"Subject: x\r\n\r\none\ntwo\r\n.\r\n")
        reply = dialog.reply()
    if how == "refuse":
        assert reply.code >= 500 and re.search("bare|line", reply.text), reply
    else:
        assert reply.code == 250
        assert b"one\r\ntwo\r\n" in sink.wait(1)[0].data


def test_dots(make_postern, sink):
    """greenmail 1004, MailKit 788: dots are doubled and taken away at the beginning of lines alone, wherever buffers end."""
    gate = make_postern(sink=sink)
    lines = [".", "..", ".leading", "x" * 100 + "."]
    assert relayed(sink, gate, "..first: y\n\n" + "\n".join(lines) + "\n").split(b"\r\n")[-5:-1] == [line.encode() for line in lines]
    for size in (4095, 4096, 4097, 8192, 16383, 16384, 65535, 65536):
        body = "".join("%s\n" % ("a" * 77) for _ in range(size // 78)) + "b" * (size % 78) + ".c\n.d\n"
        assert relayed(sink, gate, "\n" + body).endswith(body.replace("\n", "\r\n").encode()), size


def test_dots_by_bdat(make_postern, sink):
    """angus-mail 209, Ruby 616: BDAT doubles no dots, also of a last line without an end, and the next hop by DATA gets what was sent."""
    gate = make_postern(sink=sink)
    content = b"Subject: x\r\n\r\n.leading dot\r\n.\r\nlast\r\n."
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        dialog.send_raw(b"BDAT %d LAST\r\n%s" % (len(content), content))
        assert dialog.reply().code == 250
    assert sink.wait(1)[0].data.endswith(b"\r\n\r\n.leading dot\r\n.\r\nlast\r\n.\r\n")


def test_long_header_lines(make_postern, sink):
    """maddy 352, mu 859, James 5311: a References field of one long line is accepted, and nothing of it is lost."""
    gate = make_postern(sink=sink)
    references = " ".join("<%d.%s@example.org>" % (n, "r" * 60) for n in range(60))
    arrived = relayed(sink, gate, "Subject: x\nReferences: %s\n\nHello.\n" % references)
    assert re.sub(rb"\r\n[ \t]", b" ", arrived).count(b"@example.org>") >= 60


def test_lines_at_the_limit(make_postern, sink):
    """dma 18: a line of exactly 1,000 octets with its end is legal, and comes through as it is."""
    gate = make_postern(sink=sink)
    assert b"\r\n" + b"y" * 998 + b"\r\n" in relayed(sink, gate, "Subject: x\n\n%s\n" % ("y" * 998))


# ---- next hops ----

def test_handshake_that_ends(make_postern, make_sink):
    """Stalwart 61, 1345, 2059: with tls = may a next hop whose handshake ends at once gets its mail in clear."""
    hop = make_sink({"STARTTLS": "220 go ahead"}, extensions=("STARTTLS",))
    gate = make_postern({**RETRY, "route all": {"tls": "may"}}, sink=hop)
    gate.send()
    assert hop.wait(1)[0].tls is None


def test_no_answer_of_the_dns(make_postern, sink):
    """ZoneMTA 4, Mailu 1055: a lookup without an answer is no bounce; the message stays, with the reason."""
    gate = make_postern({**RETRY, "route all": None, "dns": {"timeout": "1s"}}, sink=sink)
    gate.send("rcpt@mute.example")
    wait_until(lambda: "deferred" in gate.log(), "a first attempt")
    reason = gate.queue()[0]["reason"]
    assert "bounced" not in gate.log() and re.search("(?i)dns|look", reason), reason


def test_next_hop_that_is_back(make_postern, make_sink):
    """ZoneMTA 182: mail for a host that was down flows as soon as it is back."""
    hop = make_sink()
    gate = make_postern(RETRY, sink=hop)
    port = hop.port
    hop.close()
    gate.send()
    wait_until(lambda: "deferred" in gate.log(), "a first attempt")
    gate.send()
    make_sink(port=port).wait(2)


def test_greeting_is_all_it_says(make_postern, make_sink):
    """Haraka 2296: a next hop that knows neither EHLO nor HELO is asked again later, not at once."""
    hop = make_sink({"EHLO": "500 5.5.2 unrecognized command", "HELO": "500 5.5.2 unrecognized command"})
    gate = make_postern({"delivery": {"retry": "300s .. 300s"}}, sink=hop)
    gate.send()
    assert pause_of(gate) > 200
    assert hop.connections <= 2 and "bounced" not in gate.log()


def test_some_recipients_are_refused(make_postern, make_sink):
    """Haraka 395: the others get the message, once, and one report names the refused ones."""
    hop = make_sink({"RCPT": lambda argument: "550 5.1.1 no such user" if "bogus" in argument else None})
    gate = make_postern(RETRY, sink=hop)
    gate.send(["one@example.org", "bogus@example.org", "two@example.org"])
    messages = hop.wait(2)
    gate.wait_queue(0)
    good = [message for message in messages if message.sender]
    report = next(message for message in messages if not message.sender)
    assert sorted(sum((message.recipients for message in good), [])) == ["one@example.org", "two@example.org"]
    assert "bogus@example.org" in report.text and "no such user" in report.text and "one@example.org" not in report.body.partition(
        "Content-Type: message/rfc822")[0]


def test_report_that_cannot_be_delivered(make_postern, make_sink):
    """Haraka 1907, 2819: reports have the null sender, and one that is refused makes no other."""
    hop = make_sink({"RCPT": "550 5.1.1 no such user"})
    gate = make_postern(RETRY, sink=hop)
    gate.send()
    gate.wait_queue(0)
    senders = [argument for verb, argument in hop.commands if verb == "MAIL"]
    assert len(senders) == 2 and senders[1].startswith("FROM:<>")


def test_report_names_the_reply(make_postern, make_sink):
    """cmail 56: the report has the words of the host that refused, not only that no host took it."""
    hop = make_sink({"MAIL": ["550 5.7.25 no PTR record for your address"]})
    gate = make_postern(RETRY, sink=hop)
    gate.send()
    report = hop.wait(1)[0]
    assert report.sender == "" and "no PTR record for your address" in report.text


def test_greylisting(make_postern, make_sink):
    """cmail 24: 451 at MAIL is tried again by the schedule, not at once."""
    hop = make_sink({"MAIL": "451 4.7.1 greylisted, try again later"})
    gate = make_postern({"delivery": {"retry": "300s .. 300s"}}, sink=hop)
    gate.send()
    assert pause_of(gate) > 200 and "greylisted" in gate.queue()[0]["reason"]
    assert [verb for verb, _ in hop.commands].count("MAIL") == 1
    hop.replies.clear()
    gate.ctl("queue", "retry", "state=deferred", "--yes")
    hop.wait(1)


# ---- exchangers ----

@pytest.fixture
def by_mx(make_postern, sink, dns):
    """Mail by the DNS of the tests."""
    return make_postern({**dns, **RETRY, "route all": None}, sink=sink)


def test_null_mx(by_mx):
    """sisimai/set-of-emails 4, vSMTP 323: a domain with a null MX takes no mail, and the sender learns of it at once."""
    queue_id = by_mx.send("rcpt@nullmx.example.org")
    by_mx.wait_log("%s.*bounced|bounced.*%s" % (queue_id, queue_id))
    assert "5.1.10" in by_mx.log()


def test_no_mx(by_mx, make_sink):
    """OpenSMTPD 68: without an MX record the domain's own address is its exchanger."""
    hop = make_sink(host="127.0.0.7", port=25)
    by_mx.send("rcpt@alone.example.org")
    assert hop.wait(1)[0].recipients == ["rcpt@alone.example.org"]
