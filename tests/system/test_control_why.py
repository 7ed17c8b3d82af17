"""posternctl why: each refusal, found by anything that is known of it."""
from postern import LOGIN

KEYS = ["time", "session", "client", "login", "sender", "recipient", "stage", "plugin", "cause", "reply"]


def refuse(postern, sender):
    with postern.session() as dialog:
        dialog.send("MAIL FROM:<%s>" % sender)
        if dialog.reply().code < 400:
            dialog.send("RCPT TO:<rcpt@example.org>")
            assert dialog.reply().code >= 400


def test_a_refusal_is_found_by_address_login_client_and_session(shared):
    refuse(shared, "boss@acme.example")
    row = shared.ctl("why", "boss@acme.example", json=True)[0]
    assert list(row) == KEYS
    assert (row["client"], row["login"], row["sender"], row["plugin"]) == (
        "127.0.0.1", LOGIN, "boss@acme.example", "sender-rules")
    assert row["reply"].startswith("553 5.7.1") and row["cause"] and row["stage"] in ("mail", "rcpt") and row["session"]
    for what in ("BOSS@acme.example", LOGIN, "127.0.0.1", "::ffff:127.0.0.1", row["session"]):
        assert row in shared.ctl("why", what, json=True), what
    assert shared.ctl("why", "somebody@else.example", json=True) == []
    assert shared.ctl("why", "boss@acme.example").splitlines()[0].split() == [key.upper() for key in KEYS]


def test_the_newest_comes_first_and_limit_cuts(shared):
    for i in range(3):
        refuse(shared, "boss%d@acme.example" % i)
    senders = [row["sender"] for row in shared.ctl("why", LOGIN, json=True)]
    assert senders[:3] == ["boss2@acme.example", "boss1@acme.example", "boss0@acme.example"]
    assert [row["sender"] for row in shared.ctl("why", LOGIN, "limit=2", json=True)] == senders[:2]


def test_a_failed_login_is_found_and_outlives_a_restart(make_postern, sink):
    postern = make_postern(sink=sink)
    with postern.smtp() as dialog:
        dialog.hello()
        assert dialog.auth("user@example.net", "wrong password").code == 535
    postern.restart()
    row = postern.ctl("why", LOGIN, json=True)[0]
    assert row["reply"].startswith("535 5.7.8") and "wrong password" not in str(row)


def test_what_makes_no_sense_is_said(shared):
    assert "why what" in shared.ctl("why", code=1)
    assert "one thing at a time" in shared.ctl("why", "a@b.example", "c@d.example", code=1)
    assert "limit is a number" in shared.ctl("why", "a@b.example", "limit=none", code=1)
    assert "no option --all" in shared.ctl("why", "a@b.example", "--all", code=1)
