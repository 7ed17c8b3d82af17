"""Authentication (letter A of BEHAVIOURS.md) against the real daemon."""
import base64
import statistics
import time

import pytest

from postern import LOGIN, PASSWORD, Postern, Sink

SEED = "AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA=="  # NUL user@example.net NUL mypassword
WRONG = "535 5.7.8 Error: authentication failed: wrong login or password"


def base(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """Sessions that live through any number of failures."""
    sink = Sink()
    daemon = Postern(tmp_path_factory.mktemp("gate"), {"server": {"max-auth-failures": "1000", "hard-errors": "1000"}}, sink=sink)
    daemon.ctl("domain", "add", "mydomain.com", "customer=acme", "mode=outbound-only")
    daemon.add_account("@mydomain.com", "any-password")
    yield daemon
    daemon.stop()
    sink.close()


@pytest.fixture
def dialog(gate):
    with gate.smtp() as dialog:
        dialog.hello()
        yield dialog


def test_plain_of_the_seed(dialog):
    """A-01 AUTH PLAIN with the seed's base64."""
    assert dialog.ask("AUTH PLAIN " + SEED).raw == ["235 2.7.0 Authentication successful"]
    dialog.mail()


def test_plain_without_initial_response(dialog):
    """A-02 334 and nothing, then the same base64."""
    dialog.send("AUTH PLAIN")
    assert dialog.line() == "334 "
    assert dialog.ask(SEED).raw == ["235 2.7.0 Authentication successful"]


def test_login(dialog):
    """A-03 AUTH LOGIN with its two prompts."""
    assert dialog.ask("AUTH LOGIN").raw == ["334 VXNlcm5hbWU6"]
    assert dialog.ask(base(LOGIN)).raw == ["334 UGFzc3dvcmQ6"]
    assert dialog.ask(base(PASSWORD)).raw == ["235 2.7.0 Authentication successful"]
    dialog.mail()


def test_login_with_initial_response(dialog):
    """A-04 only the password is asked for."""
    assert dialog.ask("AUTH LOGIN " + base(LOGIN)).raw == ["334 UGFzc3dvcmQ6"]
    assert dialog.ask(base(PASSWORD)).raw == ["235 2.7.0 Authentication successful"]


def test_lower_case(dialog):
    dialog.expect("235 2.7.0", "auth plain " + SEED)


def test_wrong_password(dialog):
    """A-05 535 5.7.8, and the session is not authenticated."""
    for password in ("wrong", PASSWORD + "x", PASSWORD[:-1], ""):
        assert dialog.auth(password=password).raw == [WRONG]
    dialog.expect("334", "AUTH LOGIN " + base(LOGIN))
    assert dialog.ask(base("wrong")).raw == [WRONG]
    dialog.expect("530 5.7.0", "MAIL FROM:<%s>" % LOGIN)


def test_failures_cost_time_and_end_the_session(make_postern, sink):
    """A-05 a failure is delayed and counted: after some the session ends with 421."""
    postern = make_postern({"server": {"auth-delay": "400ms", "max-auth-failures": "3"}}, sink=sink)
    with postern.smtp() as dialog:
        dialog.hello()
        for _ in range(2):
            began = time.monotonic()
            assert dialog.auth(password="wrong").code == 535
            assert time.monotonic() - began > 0.4
        assert dialog.auth(password="wrong").code == 535
        dialog.expect("421 4.7.0")
        assert dialog.is_closed()
    metrics = {row["metric"]: row["value"] for row in postern.ctl("metrics", json=True)}
    assert metrics["event.auth-failure"] == 3


def test_a_success_forgets_failures(make_postern, sink):
    """A-05 what was mistyped before does not end a session that is authenticated."""
    postern = make_postern({"server": {"max-auth-failures": "3"}}, sink=sink)
    with postern.smtp() as dialog:
        dialog.hello()
        for _ in range(2):
            assert dialog.auth(password="wrong").code == 535
        assert dialog.auth().code == 235
        dialog.mail()


def test_unknown_login_is_like_a_wrong_password(gate):
    """A-06 the same words and the same time."""
    logins = {"known": LOGIN, "unknown": "nobody@example.net", "foreign": "user@elsewhere.example", "bare": "user"}
    times = {kind: [] for kind in logins}
    with gate.smtp() as dialog:
        dialog.hello()
        for i in range(12):
            for kind, login in logins.items():
                began = time.monotonic()
                assert dialog.auth(login, "wrong-%d" % i).raw == [WRONG]
                times[kind].append(time.monotonic() - began)
    known = statistics.median(times["known"])
    for kind in logins:
        assert known / 2.5 < statistics.median(times[kind]) < known * 2.5, times


def test_forms_of_logins(gate, dialog):
    """A-07 an any-address login needs its @; A-08 a single-address one is the whole address."""
    for login in ("mydomain.com", "user@mydomain.com"):
        assert dialog.auth(login, "any-password").raw == [WRONG]
    for login in ("user", "@example.net", "example.net"):
        assert dialog.auth(login).raw == [WRONG]
    assert dialog.auth("@mydomain.com", "any-password").code == 235


def test_case(gate):
    """A-12 logins in any case, passwords in their own."""
    for login in ("USER@example.net", "user@EXAMPLE.net", "User@Example.Net"):
        with gate.smtp() as dialog:
            dialog.hello()
            assert dialog.auth(login, PASSWORD.upper()).raw == [WRONG]
            assert dialog.auth(login).code == 235
            dialog.mail()
    with gate.smtp() as dialog:
        dialog.hello()
        assert dialog.auth("@MyDomain.COM", "any-password").code == 235


def test_disabled(make_postern, sink):
    """A-09 disabled: a wrong password as ever, the right one tells the reason with 5.7.13."""
    postern = make_postern(sink=sink)
    with postern.session() as open_session:
        open_session.mail()
        postern.ctl("account", "disable", LOGIN, "reason=stolen password, ticket 812")
        with postern.smtp() as dialog:
            dialog.hello()
            assert dialog.auth(password="wrong").raw == [WRONG]
            reply = dialog.auth()
            assert reply.text.startswith("535 5.7.13") and "ticket 812" in reply
            dialog.expect("530 5.7.0", "MAIL FROM:<%s>" % LOGIN)
        open_session.expect("421 4.7.0", "MAIL FROM:<%s>" % LOGIN)  # P-11 its open sessions end
    postern.ctl("account", "enable", LOGIN)
    postern.send()
    assert postern.accepted() == 2


def test_disabled_but_hidden(make_postern, sink):
    """A-09 with `hide-disabled` it looks like a wrong password."""
    postern = make_postern({"plugin auth": {"hide-disabled": "yes"}}, sink=sink)
    postern.ctl("account", "disable", LOGIN)
    with postern.smtp() as dialog:
        dialog.hello()
        assert dialog.auth().raw == [WRONG]


def test_customer_disabled(make_postern, sink):
    """P-11 a customer that may not send: 535 5.7.13 for its accounts."""
    postern = make_postern(sink=sink)
    postern.ctl("customer", "disable", "acme", "reason=listed on XBL")
    with postern.smtp() as dialog:
        dialog.hello()
        reply = dialog.auth()
        assert reply.text.startswith("535 5.7.13") and "listed on XBL" in reply


def test_changed_and_deleted(make_postern, sink):
    """A-10 a deleted account: 535; A-11 a changed password holds at once, though the old one was remembered."""
    postern = make_postern(sink=sink)
    postern.send()
    postern.set_password(LOGIN, "another-password")
    with postern.smtp() as dialog:
        dialog.hello()
        assert dialog.auth().raw == [WRONG]
        assert dialog.auth(password="another-password").code == 235
        postern.ctl("account", "remove", LOGIN)
        dialog.expect("421 4.7.0", "MAIL FROM:<%s>" % LOGIN)
    with postern.smtp() as dialog:
        dialog.hello()
        assert dialog.auth(password="another-password").raw == [WRONG]


@pytest.mark.parametrize("lines, start", [
    (["AUTH PLAIN", "*"], "501 5.7.0"), (["AUTH LOGIN", "*"], "501 5.7.0"), (["AUTH LOGIN", base(LOGIN), "*"], "501 5.7.0"),
    (["AUTH PLAIN ====", ], "535 5.7.8"), (["AUTH PLAIN !!!!"], "535 5.7.8"), (["AUTH PLAIN QUJ"], "535 5.7.8"),
    (["AUTH LOGIN", "nonsense!"], "535 5.7.8"), (["AUTH PLAIN " + base("no NUL at all")], "535 5.7.8"),
    (["AUTH PLAIN " + base("\0user@example.net")], "535 5.7.8"), (["AUTH PLAIN " + base("\0a\0b\0c")], "535 5.7.8"),
    (["AUTH PLAIN ="], "535 5.7.8"), (["AUTH PLAIN " + base(b"\0\xff\xfe\0x")], "535 5.7.8"),
    (["AUTH CRAM-MD5"], "504 5.5.4"), (["AUTH PLAINX x"], "504 5.5.4"), (["AUTH X"], "504 5.5.4"), (["AUTH"], "501 5.5.4")])
def test_bad_exchanges(dialog, lines, start):
    """A-13 given up, no base64, no such mechanism; the session goes on."""
    for line in lines[:-1]:
        dialog.expect("334", line)
    dialog.expect(start, lines[-1])
    dialog.expect("235", "AUTH PLAIN " + SEED)


def test_order(gate):
    """A-14 before EHLO, twice, in a transaction: 503 5.5.1."""
    with gate.smtp() as dialog:
        dialog.expect("503 5.5.1", "AUTH PLAIN " + SEED)
        dialog.hello()
        dialog.expect("235", "AUTH PLAIN " + SEED)
        dialog.expect("503 5.5.1 Error: already authenticated", "AUTH PLAIN " + SEED)
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        assert dialog.ask("AUTH LOGIN").text.startswith("503 5.5.1")
        dialog.expect("250", "RCPT TO:<a@example.org>")


def test_no_mail_without_auth(gate):
    """A-15 without AUTH nothing is taken: neither for strangers nor for domains of ours; nothing is queued."""
    before = gate.accepted()
    gate.ctl("domain", "add", "hosted.example", "customer=acme", "mode=redirect", "destination=127.0.0.1", "port=2")
    for recipient in ("a@example.org", "a@hosted.example", LOGIN, "postmaster@mail.example.net"):
        for sender in (LOGIN, "", "x@hosted.example"):
            with gate.smtp() as dialog:
                dialog.hello()
                if dialog.ask("MAIL FROM:<%s>" % sender).code == 250:
                    dialog.expect("554 5.7.1", "RCPT TO:<%s>" % recipient)
                    assert dialog.ask("DATA").code // 100 == 5
                dialog.send_raw(b"RCPT TO:<%s>\r\nDATA\r\n" % recipient.encode())
                assert dialog.reply().code // 100 == 5 and dialog.reply().code // 100 == 5
    assert gate.accepted() == before


def test_authzid(dialog):
    """A-17 an authorisation identity: the same is fine, another is not."""
    dialog.expect("535 5.7.8", "AUTH PLAIN " + base("boss@example.net\0%s\0%s" % (LOGIN, PASSWORD)))
    dialog.expect("235 2.7.0", "AUTH PLAIN " + base("%s\0%s\0%s" % (LOGIN, LOGIN, PASSWORD)))
