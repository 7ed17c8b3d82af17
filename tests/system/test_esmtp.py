"""EHLO and base SMTP (letter E of BEHAVIOURS.md) against the real daemon."""
import base64
import email
import re
import time

import pytest

from postern import LOGIN, PASSWORD, Postern, Sink, free_port

OFFERS = ["mail.example.net", "PIPELINING", "SIZE 209715200", "VRFY", "ETRN", "STARTTLS", "AUTH PLAIN LOGIN",
          "AUTH=PLAIN LOGIN", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"]
PLAIN = "AUTH PLAIN " + base64.b64encode(("\0%s\0%s" % (LOGIN, PASSWORD)).encode()).decode()
TO_ONE = "MAIL FROM:<%s>\r\nRCPT TO:<rcpt@example.org>\r\n" % LOGIN


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """Small limits, and a listener that normalises bare newlines."""
    sink, port = Sink(), free_port()
    daemon = Postern(tmp_path_factory.mktemp("strict"), {
        "server": {"max-message": "64K", "max-recipients": "3", "idle-timeout": "2s", "soft-errors": "2", "hard-errors": "5",
                   "error-delay": "300ms", "max-junk": "4", "max-received": "10"},
        "listener submission": {"compat": "strict"},
        "listener lenient": {"addresses": "127.0.0.1", "ports": port, "auth-without-tls": "yes",
                             "bare-newline": "normalise"}}, sink=sink)
    daemon.ports["lenient"] = port
    yield daemon
    daemon.stop()
    sink.close()


def logged_in(daemon, listener="submission"):
    dialog = daemon.smtp(listener)
    dialog.login()
    return dialog


def expect_all(dialog, *starts):
    """The replies to what was pipelined."""
    for start in starts:
        dialog.expect(start)


def nothing_more(daemon, before):
    """Nothing was queued since, and nothing went out: what comes next is a message sent now."""
    assert daemon.accepted() == before
    n = daemon.settle()
    daemon.send(content="Subject: marker\n\n.\n")
    assert [message.header("Subject") for message in daemon.sink.wait(n + 1)[n:]] == [["marker"]]


# ---- hello ----

def test_ehlo(shared):
    """E-01 the lines of EHLO in the seed's order, ours behind; E-02 AUTH= for old clients."""
    with shared.smtp() as dialog:
        assert dialog.hello("example.net").lines == OFFERS


def test_helo(shared):
    """E-03 HELO offers nothing, and AUTH then needs EHLO."""
    with shared.smtp() as dialog:
        assert dialog.ask("HELO example.net").raw == ["250 mail.example.net"]
        dialog.expect("503 5.5.1", PLAIN)
        dialog.login()
        dialog.mail()


@pytest.mark.parametrize("line", ["EHLO", "HELO", "EHLO a b", "EHLO x\x01y", "EHLO " + "a" * 300])
def test_bad_hello(strict, line):
    with strict.smtp() as dialog:
        dialog.expect("501 5.5.", line)
        dialog.hello()


# ---- order ----

def test_pipelining(shared):
    """E-04 MAIL, several RCPT, DATA in one packet: replies in order."""
    before = shared.settle()
    with logged_in(shared) as dialog:
        dialog.send_raw(b"MAIL FROM:<%s>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<bad>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
                        % LOGIN.encode())
        expect_all(dialog, "250 2.1.0", "250 2.1.5", "504 5.5.2", "250 2.1.5", "354")
        dialog.send_raw(b"Subject: one\r\n\r\nx\r\n.\r\n" + TO_ONE.encode() + b"DATA\r\n")
        expect_all(dialog, "250 2.0.0 Ok: queued as", "250 2.1.0", "250 2.1.5", "354")
        dialog.send_raw(b"Subject: two\r\n\r\ny\r\n.\r\nQUIT\r\n")
        expect_all(dialog, "250 2.0.0 Ok: queued as", "221 2.0.0 Bye")
        assert dialog.is_closed()
    came = {message.header("Subject")[0]: message for message in shared.sink.wait(before + 2)[before:]}
    assert came["one"].recipients == ["a@example.org", "b@example.org"] and came["one"].body == "x\r\n"
    assert came["two"].recipients == ["rcpt@example.org"] and came["two"].body == "y\r\n"


def test_order(shared):
    """E-16 order errors."""
    with shared.smtp() as dialog:
        for line in ("MAIL FROM:<%s>" % LOGIN, "RCPT TO:<a@example.org>", "DATA", "BDAT 0 LAST", PLAIN, "STARTTLS x"):
            dialog.expect("503 5.5.1" if line != "STARTTLS x" else "501 5.5.4", line)
        dialog.login()
        dialog.expect("503 5.5.1 Error: need MAIL command", "RCPT TO:<a@example.org>")
        dialog.expect("503 5.5.1 Error: need MAIL command", "DATA")
        dialog.expect("250 2.1.0", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("503 5.5.1 Error: nested MAIL command", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("503 5.5.1 Error: need RCPT command", "DATA")
        dialog.expect("504 5.5.2", "RCPT TO:<nobody>")
        dialog.expect("554 5.5.1 Error: no valid recipients", "DATA")
        dialog.expect("503 5.5.1 Error: MAIL transaction in progress", "STARTTLS")
        dialog.expect("250 2.1.5", "RCPT TO:<a@example.org>")
        dialog.expect("501 5.5.4", "DATA now")
        dialog.expect("250 2.0.0", "RSET")
        dialog.mail()


def test_rset(shared):
    """E-13 RSET clears the transaction and keeps the login; so does a second EHLO."""
    with logged_in(shared) as dialog:
        for line in ("RSET", "EHLO again.example.net"):
            dialog.expect("250 2.1.0", "MAIL FROM:<%s>" % LOGIN)
            dialog.expect("250 2.1.5", "RCPT TO:<a@example.org>")
            dialog.expect("250", line)
            dialog.expect("503 5.5.1 Error: need MAIL command", "DATA")
        dialog.expect("501 5.5.4", "RSET now")
        dialog.mail()


def test_quit(shared):
    """E-15 QUIT: 221 2.0.0 Bye, and the connection ends."""
    with shared.smtp() as dialog:
        assert dialog.ask("QUIT").raw == ["221 2.0.0 Bye"]
        assert dialog.is_closed()


def test_enhanced_codes(shared):
    """E-11 every 2xx, 4xx, 5xx has an enhanced code but the greeting, EHLO, HELO and ETRN."""
    with shared.smtp() as dialog:
        dialog.expect("250 mail.example.net", "HELO x")
        dialog.hello()
        replies = [dialog.ask(line) for line in (
            "NOOP", "RSET", "VRFY a@example.net", "HELP", "XXXX", "AUTH", "AUTH CRAM-MD5", "MAIL FROM:<%s>" % LOGIN, PLAIN,
            "MAIL FROM:<>x", "MAIL FROM:<%s> FOO=1" % LOGIN, "RCPT TO:<a@b.example>", "DATA", "MAIL FROM:<%s>" % LOGIN,
            "RCPT TO:<a@example.org>", "DATA x")]
        replies += [dialog.data("Subject: x\n\ny\n"), dialog.ask("QUIT")]
    for reply in replies:
        for line in reply.raw:
            assert re.match(r"([245])\d\d[ -]\1\.\d\.\d", line), line


# ---- sizes ----

def test_size(shared):
    """E-05 SIZE=209715200 is taken, one octet more is not."""
    with logged_in(shared) as dialog:
        dialog.expect("250 2.1.0", "MAIL FROM:<%s> SIZE=209715200" % LOGIN)
        dialog.expect("250", "RSET")
        dialog.expect("552 5.3.4", "MAIL FROM:<%s> SIZE=209715201" % LOGIN)
        dialog.expect("552 5.3.4", "MAIL FROM:<%s> SIZE=9000000000000000000" % LOGIN)
        for size in ("", "x", "-1", "99999999999999999999"):
            dialog.expect("501 5.5.4", "MAIL FROM:<%s> SIZE=%s" % (LOGIN, size))
        dialog.mail()


def test_too_big(strict):
    """E-06 a message over the limit without SIZE: 552 5.3.4 after the dot, nothing queued, the session goes on."""
    before = strict.accepted()
    with logged_in(strict) as dialog:
        dialog.send_raw(TO_ONE.encode())
        expect_all(dialog, "250", "250")
        assert dialog.data(b"Subject: big\r\n\r\n" + b"0123456789abcde\n" * 4096).text.startswith("552 5.3.4")
        dialog.expect("503 5.5.1", "DATA")
        dialog.send_raw(TO_ONE.encode() + b"BDAT 65000\r\n" + b"x" * 65000)
        expect_all(dialog, "250", "250", "250")
        dialog.send_raw(b"BDAT 1000 LAST\r\n" + b"x" * 1000)
        dialog.expect("552 5.3.4")
    nothing_more(strict, before)


def test_just_not_too_big(strict):
    """E-06 the limit itself is allowed, counted without the stuffed dots."""
    before = strict.settle()
    content = b"Subject: ful\r\n\r\n" + b".0123456789abc\r\n" * 4095
    assert len(content) == 65536
    with logged_in(strict) as dialog:
        dialog.mail(content=content)
    assert strict.sink.wait(before + 1)[before].data.endswith(b"\r\n" + b".0123456789abc\r\n" * 4095)


def test_too_many_fields(shared):
    """E-22 10,000 header fields are looked at, one more is refused: what is to be left out must not stay in."""
    content = "To: a@example.org\n" * 9998 + "Resent-Bcc: secret@example.org\nBcc: secret@example.org\n%s\nbody\n"
    before, accepted = shared.settle(), shared.accepted()
    with logged_in(shared) as dialog:
        for more in ("X: 1\n", "X: 1\n\tfolded\nBcc: secret@example.org\n", "bcc : secret@example.org\n"):
            dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            dialog.expect("250", "RCPT TO:<rcpt@example.org>")
            assert dialog.data(content % more).text.startswith("554 5.6.0")
        assert shared.accepted() == accepted
        dialog.mail(content=content % "")
    message = shared.sink.wait(before + 1)[before].data
    assert message.count(b"To: a@example.org") == 9998 and b"secret" not in message


def test_too_many_recipients(strict):
    """R-10 surplus recipients get 452 4.5.3, the others stay."""
    before = strict.settle()
    with logged_in(strict) as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        for name in "abc":
            dialog.expect("250 2.1.5", "RCPT TO:<%s@example.org>" % name)
        dialog.expect("452 4.5.3", "RCPT TO:<d@example.org>")
        assert dialog.data("Subject: x\n\ny\n").code == 250
    assert strict.sink.wait(before + 1)[before].recipients == ["a@example.org", "b@example.org", "c@example.org"]


def test_loop(strict):
    """A message that has passed too many hosts is a loop."""
    before = strict.accepted()
    received = "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\n"
    with logged_in(strict) as dialog:
        dialog.mail(content=received * 10 + "Subject: x\n\ny\n")
        dialog.send_raw(TO_ONE.encode())
        expect_all(dialog, "250", "250")
        assert dialog.data(received * 11 + "Subject: x\n\ny\n").text.startswith("554 5.4.6")
    assert strict.accepted() == before + 1


# ---- content ----

def test_8bit(shared):
    """E-07 8BITMIME and octets above 127 pass unchanged."""
    body = bytes(range(128, 256)) + "Grüße\r\n".encode() + b"\xff\xfe\x00\r\n"
    before = shared.settle()
    with logged_in(shared) as dialog:
        dialog.expect("250 2.1.0", "MAIL FROM:<%s> BODY=8BITMIME" % LOGIN)
        dialog.expect("250 2.1.5", "RCPT TO:<rcpt@example.org>")
        assert dialog.data(b"Subject: 8\r\n\r\n" + body).code == 250
        dialog.expect("501 5.5.4", "MAIL FROM:<%s> BODY=9BIT" % LOGIN)
        dialog.expect("501 5.5.4", "MAIL FROM:<%s> BODY=BINARYMIME" % LOGIN)
    message = shared.sink.wait(before + 1)[before]
    assert message.data.endswith(b"\r\n\r\n" + body)
    assert "BODY=8BITMIME" in message.sender_parameters


@pytest.mark.parametrize("body", [b".\r\n", b"..\r\n", b".a\r\n..b\r\n...\r\n", b"a.\r\n", b"\r\n.\r\n\r\n", b"a\r\n.b"])
def test_dots(shared, body):
    """E-12 dot-stuffing is undone here and done again for the next hop."""
    before = shared.settle()
    with logged_in(shared) as dialog:
        dialog.mail(content=b"Subject: dots\r\n\r\n" + body)
    came = shared.sink.wait(before + 1)[before].data
    assert came.endswith(b"\r\n\r\n" + body + (b"" if body.endswith(b"\n") else b"\r\n"))


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\n\x00.\r\n"])
def test_smuggling(shared, end):
    """E-12 nothing but CRLF.CRLF ends a message; a bare CR or LF: 550 5.5.2 and close, nothing queued."""
    before = shared.accepted()
    with logged_in(shared) as dialog:
        dialog.send_raw(TO_ONE.encode() + b"DATA\r\n")
        expect_all(dialog, "250", "250", "354")
        dialog.send_raw(b"Subject: smuggled\r\n\r\nx" + end + TO_ONE.encode() + b"DATA\r\nSubject: inside\r\n\r\ny\r\n.\r\n")
        reply = dialog.reply()
        if b"\x00" in end:
            assert reply.code == 250
            assert shared.accepted() == before + 1
            return
        assert reply.text.startswith("550 5.5.2"), reply
        assert dialog.is_closed()
    assert shared.accepted() == before
    assert not [m for m in shared.sink.messages if "inside" in m.header("Subject")]


@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"NO\nOP\r\n", b"MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\r\n"])
def test_bare_newline_in_a_command(shared, line):
    """E-12 a bare CR or LF ends no command."""
    with logged_in(shared) as dialog:
        dialog.send_raw(line)
        assert dialog.reply().text.startswith("521 5.5.2")
        assert dialog.is_closed()


def test_normalised(strict):
    """E-12 where a listener normalises LF ends a line, but never a message."""
    before = strict.settle()
    with logged_in(strict, "lenient") as dialog:
        dialog.send_raw(TO_ONE.replace("\r\n", "\n").encode() + b"DATA\n")
        expect_all(dialog, "250", "250", "354")
        dialog.send_raw(b"Subject: lf\n\na\n.\nb\n.\r\nc\r\n.\nd\r\n.\r\n")
        dialog.expect("250 2.0.0")
        dialog.mail(content="Subject: after\n\n.\n")
    came = {m.header("Subject")[0]: m for m in strict.sink.wait(before + 2)[before:]}
    assert b"\n" not in came["lf"].data.replace(b"\r\n", b"") and b"\r" not in came["lf"].data.replace(b"\r\n", b"")
    assert came["lf"].body.startswith("a\r\n") and "d\r\n" in came["lf"].body


def test_bdat(shared):
    """E-12 BDAT: chunks are taken as they are, dots and all; RFC 3030."""
    before = shared.settle()
    with logged_in(shared) as dialog:
        dialog.send_raw(TO_ONE.encode() + b"BDAT 22\r\nSubject: chunks\r\n\r\n.\r\nBDAT 3\r\n.\r\nBDAT 0 LAST\r\n")
        expect_all(dialog, "250", "250")
        dialog.expect("250 2.0.0")
        dialog.expect("250 2.0.0")
        dialog.expect("250 2.0.0 Ok: queued as")
        dialog.send_raw(TO_ONE.encode() + b"BDAT 22 LAST\r\nSubject: whole\r\n\r\n..\r\n")
        expect_all(dialog, "250", "250", "250 2.0.0 Ok: queued as")
    came = {m.header("Subject")[0]: m for m in shared.sink.wait(before + 2)[before:]}
    assert came["chunks"].body.startswith(".") and came["whole"].body == "..\r\n"


def test_bdat_refused(shared):
    """E-16 octets of a chunk refused are skipped; DATA does not mix with BDAT; a bad size closes."""
    before = shared.accepted()
    with logged_in(shared) as dialog:
        dialog.send_raw(b"BDAT 9 LAST\r\nNOOP\r\nXX\nNOOP\r\n")
        dialog.expect("503 5.5.1")
        dialog.expect("250 2.0.0")
        dialog.send_raw(TO_ONE.encode() + b"BDAT 4\r\nabcd")
        expect_all(dialog, "250", "250", "250")
        dialog.expect("503 5.5.1", "DATA")
        dialog.expect("503 5.5.1", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250 2.0.0", "RSET")
        dialog.send_raw(TO_ONE.encode() + b"BDAT x\r\n")
        expect_all(dialog, "250", "250")
        assert dialog.reply().code in (501, 521)
        assert dialog.is_closed()
    assert shared.accepted() == before


# ---- parameters ----

def test_dsn_parameters(shared):
    """E-08 RET, ENVID, NOTIFY and ORCPT are taken; bad values get 501 and change nothing."""
    with logged_in(shared) as dialog:
        for bad in ("RET=ALL", "RET", "RET=FULL RET=HDRS", "ENVID=", "ENVID=a+2", "ENVID=" + "x" * 101, "ENVID=a ENVID=b"):
            dialog.expect("501 5.5.4", "MAIL FROM:<%s> %s" % (LOGIN, bad))
        dialog.expect("555 5.5.4", "MAIL FROM:<%s> NOTIFY=NEVER" % LOGIN)
        dialog.expect("250 2.1.0", "MAIL FROM:<%s> RET=HDRS ENVID=QQ+2B314159" % LOGIN)
        for bad in ("NOTIFY=", "NOTIFY=ALWAYS", "NOTIFY=NEVER,FAILURE", "NOTIFY=NEVER NOTIFY=NEVER", "ORCPT=a@b.example",
                    "ORCPT=rfc822;", "ORCPT=rfc822;a+", "ORCPT=rfc822;a ORCPT=rfc822;b"):
            dialog.expect("501 5.5.4", "RCPT TO:<a@example.org> %s" % bad)
        dialog.expect("555 5.5.4", "RCPT TO:<a@example.org> RET=FULL")
        dialog.expect("250 2.1.5", "RCPT TO:<a@example.org> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;Bob+40b.example")


def test_dsn_relayed(make_postern, make_sink):
    """E-08 the parameters go on to a next hop that knows DSN."""
    sink = make_sink(extensions=("DSN", "PIPELINING"))
    with make_postern(sink=sink).session() as dialog:
        dialog.expect("250 2.1.0", "MAIL FROM:<%s> RET=HDRS ENVID=QQ+2B314159" % LOGIN)
        dialog.expect("250 2.1.5", "RCPT TO:<a@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@b.example")
        dialog.expect("250 2.1.5", "RCPT TO:<b@example.org> NOTIFY=NEVER")
        assert dialog.data("Subject: x\n\ny\n").code == 250
    message = sink.wait(1)[0]
    assert message.sender_parameters == "RET=HDRS ENVID=QQ+2B314159"
    assert message.recipient_parameters == ["NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@b.example", "NOTIFY=NEVER"]


@pytest.mark.parametrize("argument, start", [
    ("FROM:%s", "501 5.5.4"), ("FROM: %s x", "501"), ("FROM:<%s", "501"), ("%s", "501 5.5.4"), ("", "501 5.5.4"),
    ("TO:<%s>", "501 5.5.4"), ("FROM:<%s>>", "501"), ("FROM:<a b@example.net>", "501 5.1.7"), ("FROM:<@example.net>", "501 5.1.7"),
    ("FROM:<a@>", "501"), ("FROM:<a..b@example.net>", "501 5.1.7"), ("FROM:<a@-example.net>", "501 5.1.7"),
    ("FROM:<user>", "504 5.5.2"), ("FROM:<user@host>", "504 5.5.2"), ("FROM:<%s> FOO", "555 5.5.4"),
    ("FROM:<%s> SMTPUTF8=1", "501 5.5.4"), ("FROM:<\u00fc@example.net>", "553 5.6.7")])
def test_bad_sender(strict, argument, start):
    """E-17 MAIL FROM without brackets or of bad syntax: 501."""
    with logged_in(strict) as dialog:
        dialog.expect(start, "MAIL " + (argument % LOGIN if "%s" in argument else argument))
        dialog.mail()


@pytest.mark.parametrize("argument, start", [
    ("TO:a@example.org", "501 5.5.4"), ("TO:<a@example.org", "501"), ("", "501 5.5.4"), ("TO:<>", "501 5.1.3"),
    ("TO:<a b@example.org>", "501 5.1.3"), ("TO:<@example.org>", "501 5.1.3"), ("TO:<bob>", "504 5.5.2"),
    ("TO:<bob@host>", "504 5.5.2"), ("TO:<a@example.org> FOO=1", "555 5.5.4"), ("TO:<\u00fc@example.org>", "553 5.6.7"),
    ("TO:<a@example.org\x00>", "50"), ("TO:<a@example.org> ORCPT=rfc822;a\x01", "501")])
def test_bad_recipient(strict, argument, start):
    """E-17 E-28 the same of RCPT, with compat = strict."""
    with logged_in(strict) as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect(start, "RCPT " + argument)
        dialog.expect("250 2.1.5", "RCPT TO:<a@example.org>")


@pytest.mark.parametrize("literal", ["user@[1.2.3.4]", "user@[IPv6:::1]", "user@1.2.3.4"])
def test_literals(shared, literal):
    """E-18 a domain literal as sender or recipient is refused for good."""
    with logged_in(shared) as dialog:
        assert dialog.ask("MAIL FROM:<%s>" % literal).code // 100 == 5
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        assert dialog.ask("RCPT TO:<%s>" % literal).code // 100 == 5


# ---- small commands ----

def test_vrfy(shared):
    """E-09 VRFY says the same of those who are and those who are not."""
    with logged_in(shared) as dialog:
        for address in (LOGIN, "nobody@example.net", "x@nowhere.example"):
            assert dialog.ask("VRFY " + address).raw == ["252 2.0.0 " + address]
        dialog.expect("501 5.5.4", "VRFY")


def test_etrn(shared):
    """E-10 ETRN: who authenticated gets the same answer for all domains, who did not another, again for all."""
    with logged_in(shared) as dialog:
        assert dialog.ask("ETRN example.net").raw == ["250 Queuing started"]
        assert dialog.ask("ETRN elsewhere.example").raw == ["250 Queuing started"]
        dialog.expect("501 Error: invalid parameter syntax", "ETRN not_a_domain!")
        dialog.expect("501 Error: invalid parameter syntax", "ETRN")
    with shared.smtp() as dialog:
        dialog.hello()
        dialog.expect("459 <example.net>: service unavailable", "ETRN example.net")
        dialog.expect("459 <elsewhere.example>: service unavailable", "ETRN elsewhere.example")


def test_etrn_retries(make_postern, make_sink):
    """E-10 what waits for the domain is tried at once."""
    sink = make_sink({"MAIL": ["450 4.3.2 later"]})
    postern = make_postern(sink=sink)
    with postern.session() as dialog:
        dialog.mail(recipients="back@example.net")
        postern.wait_log("deferred .*to=back@example.net")
        dialog.expect("250 Queuing started", "ETRN example.net")
        assert sink.wait(1)[0].recipients == ["back@example.net"]


# ---- limits ----

def test_idle(strict):
    """E-14 an idle client: 421 4.4.2 after the timeout, in a command and in DATA."""
    for lines in ((), (TO_ONE + "DATA\r\nSubject: never",)):
        with logged_in(strict) as dialog:
            for line in lines:
                dialog.send_raw(line.encode())
                expect_all(dialog, "250", "250", "354")
            began = time.monotonic()
            dialog.expect("421 4.4.2 mail.example.net Error: timeout exceeded")
            assert 1.9 < time.monotonic() - began < 30
            assert dialog.is_closed()


def test_slow_but_not_idle(strict):
    """E-14 who says something from time to time is not idle."""
    with logged_in(strict) as dialog:
        for _ in range(4):
            time.sleep(0.8)
            dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            dialog.expect("250", "RSET")


def test_endless_lines(shared):
    """A line without end is refused, and its rest is not taken for commands."""
    with logged_in(shared) as dialog:
        dialog.send_raw(b"NOOP " + b"x" * 300000 + b"\r\nNOOP\r\n")
        dialog.expect("500 5.5.2 Error: line too long")
        dialog.expect("250 2.0.0")
        before = shared.accepted()
        dialog.send_raw(TO_ONE.encode() + b"DATA\r\n")
        expect_all(dialog, "250", "250", "354")
        dialog.send_raw(b"Subject: " + b"x" * 2000000 + b"\r\n\r\n" + b"y" * 2000000 + b"\r\n.\r\n")
        assert dialog.reply().text.startswith("250 2.0.0 Ok: queued as ")
        dialog.mail()
        assert shared.accepted() == before + 2
    arrived = next(message for message in shared.sink.wait(2) if "Subject: x" in message.text)
    assert "Subject: " + "x" * 2000000 + "\r\n" in arrived.text
    assert email.message_from_bytes(arrived.data).get_payload(decode=True) == b"y" * 2000000 + b"\r\n"


def test_sasl_line_limit(shared):
    """E-11 a SASL response of more than 12288 octets: 500 5.5.6."""
    with shared.smtp() as dialog:
        dialog.hello()
        dialog.expect("334", "AUTH PLAIN")
        dialog.send_raw(b"A" * 20000 + b"\r\n")
        dialog.expect("500 5.5.6")
        dialog.login()


def test_error_limits(strict):
    """Part 2: behind the soft limit each reply is delayed, at the hard limit 421 4.7.0 and close."""
    with logged_in(strict) as dialog:
        times = []
        for _ in range(4):
            began = time.monotonic()
            dialog.expect("500 5.5.2 Error: command not recognized", "NONSENSE")
            times.append(time.monotonic() - began)
        assert times[2] > 0.29 and times[3] > 0.29 and min(times[:2]) < 0.29, times
        dialog.expect("500 5.5.2", "NONSENSE")
        dialog.expect("421 4.7.0")
        assert dialog.is_closed()


def test_junk_limit(strict):
    """Part 2: commands that do nothing count as errors beyond a number; a transaction makes them good."""
    with logged_in(strict) as dialog:
        for _ in range(3):
            for line in ("NOOP", "RSET", "VRFY x"):
                assert dialog.ask(line).code // 100 == 2
            dialog.mail()
        replies = []
        while not replies or replies[-1].code != 421:
            replies.append(dialog.ask("NOOP"))
        assert 4 < len(replies) <= 10 and replies[-1].text.startswith("421 4.7.0")
        assert dialog.is_closed()
