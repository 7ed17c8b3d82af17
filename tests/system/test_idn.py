"""Internationalised domains: one form within (A-labels, in lower case), however they are written; U-labels for people."""
import base64

import pytest

from nsd import Nsd
from postern import LOGIN, PASSWORD, ControlError, free_port, wait_until

U, A = "b\u00fccher.example", "xn--bcher-kva.example"
FORMS = [U, A, "B\u00dcCHER.Example", "XN--BCHER-KVA.EXAMPLE", "bu\u0308cher.example"]


@pytest.fixture
def gate(make_postern, sink):
    port = free_port()
    postern = make_postern({"server": {"plugins": "auth sender-rules", "exempt-recipients": "abuse@%s" % U},
                            "listener mx": {"addresses": "127.0.0.1", "ports": port, "auth": "no", "inbound": "yes"}},
                           sink=sink)
    postern.ports["mx"] = port
    return postern


def rcpt(gate, to, sender="stranger@elsewhere.example"):
    with gate.smtp("mx") as dialog:
        dialog.hello()
        dialog.expect("250", "MAIL FROM:<%s> SMTPUTF8" % sender)
        return dialog.ask("RCPT TO:<%s>" % to).text


@pytest.mark.parametrize("added", [U, A, "B\u00dcCHER.example"])
def test_domain(gate, added):
    """E-27 a domain is one, in whatever form it was added, is named by clients, and is asked for."""
    gate.ctl("domain", "add", added, "customer=acme", "mode=hold", "valid-recipients=yes")
    with pytest.raises(ControlError, match="already"):
        gate.ctl("domain", "add", U if added != U else A, "customer=acme", "mode=hold")
    gate.ctl("recipient", "add", "u@" + U)
    for form in FORMS:
        assert rcpt(gate, "u@" + form).startswith("250"), form
        assert rcpt(gate, "nobody@" + form).startswith("550 5.1.1"), form
        assert gate.options("domain", form)["mode"][0] == "hold"
    assert rcpt(gate, "u@b\u00fccher.example.org").startswith("554")
    for bad in ("u@" + "\u00fc" * 60 + ".example", "u@b\u00fccher\u202e.example", "u@-\u00fc.example", "u@\u00fc..example"):
        assert rcpt(gate, bad).startswith("501"), bad
    assert rcpt(gate, "u@xn--zzzzzzzz99.example").startswith("554")   # a name like another, whatever it decodes to


def test_lists(gate):
    """E-27 tables have U-labels, JSON has A-labels."""
    gate.ctl("domain", "add", U, "customer=acme", "mode=hold")
    gate.add_account("u@" + U, PASSWORD)
    assert U in gate.ctl("domain", "list") and A not in gate.ctl("domain", "list")
    assert [row["domain"] for row in gate.ctl("domain", "list", json=True) if row["domain"].startswith("xn--")] == [A]
    assert "u@" + U in gate.ctl("account", "list") and A not in gate.ctl("account", "list")
    assert "u@" + A in str(gate.ctl("account", "list", json=True))
    gate.ctl("domain", "remove", U)
    assert A not in str(gate.ctl("domain", "list", json=True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("by", ["plain", "login"])
def test_login_and_sender(gate, form, by):
    """E-27 AUTH and MAIL FROM: logins and senders in any form are those of the account; others are not."""
    gate.ctl("domain", "add", U, "customer=acme", "mode=outbound-only")
    gate.add_account("u@" + U, PASSWORD)
    with gate.smtp() as dialog:
        dialog.hello()
        if by == "plain":
            assert dialog.auth("u@" + form, PASSWORD).code == 235
        else:
            dialog.expect("334", "AUTH LOGIN")
            dialog.expect("334", base64.b64encode(("u@" + form).encode()).decode())
            dialog.expect("235", base64.b64encode(PASSWORD.encode()).decode())
        dialog.expect("553 5.7.1", "MAIL FROM:<other@%s> SMTPUTF8" % U)
        for sender in FORMS:
            dialog.expect("250", "MAIL FROM:<u@%s> SMTPUTF8" % sender)
            dialog.expect("250", "RSET")
        dialog.expect("553 5.6.7", "MAIL FROM:<u@%s>" % U)
        dialog.expect("250", "MAIL FROM:<u@%s> SMTPUTF8" % form)
        dialog.expect("250", "RCPT TO:<x@example.org>")
        assert dialog.data("Subject: x\n\nx\n").code == 250
    message, = gate.sink.wait(1)
    assert message.sender == "u@" + A and "SMTPUTF8" not in message.sender_parameters


@pytest.mark.parametrize("login, typed", [("@" + U, "@" + A), ("@" + A, "@" + U), (U, A), (A, U)])
def test_other_logins(gate, login, typed):
    """E-27 accounts for all addresses of a domain, and of mail servers."""
    gate.ctl("domain", "add", U, "customer=acme", "mode=outbound-only")
    gate.add_account(login, PASSWORD, *([] if login[0] == "@" else ["type=server"]))
    with gate.smtp() as dialog:
        dialog.hello()
        assert dialog.auth(typed, PASSWORD).code == 235
        if login[0] == "@":
            dialog.expect("250", "MAIL FROM:<any@%s> SMTPUTF8" % U)


@pytest.mark.parametrize("to", [U, A, "." + U, "B\u00dcCHER.example"])
def test_routes(gate, make_sink, to):
    """E-27 a [route] in any form is for recipients in any form; a selector of the queue, too."""
    other = make_sink()
    gate.reload({"route books": {"to": to, "next-hop": "smtp:[127.0.0.1]:%d" % other.port, "tls": "none"}})
    host = "mail." if to[0] == "." else ""
    with gate.session() as dialog:
        for form in FORMS:
            dialog.expect("250", "MAIL FROM:<%s> SMTPUTF8" % LOGIN)
            dialog.expect("250", "RCPT TO:<x@%s%s>" % (host, form))
            assert dialog.data("Subject: x\n\nx\n").code == 250
    assert [message.recipients for message in other.wait(len(FORMS))] == [["x@" + host + A]] * len(FORMS)


def test_queue_and_forward(gate):
    """E-27 what the queue is asked for, and where mail is forwarded to."""
    gate.ctl("domain", "add", U, "customer=acme", "mode=hold")
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s> SMTPUTF8" % LOGIN)
        dialog.expect("250", "RCPT TO:<x@%s>" % U)
        assert dialog.data("Subject: x\n\nx\n").code == 250
    wait_until(lambda: gate.queue("domain=" + U), "the message")
    assert len(gate.queue("recipient=x@" + U)) == len(gate.queue("domain=" + A)) == 1
    gate.ctl("domain", "set", U, "mode=forward", "forward-to=far@gr\u00fc\u00dfe.example")
    assert gate.sink.wait(1)[0].recipients == ["far@xn--gre-6ka8l.example"]


def test_lookups(make_postern, sink, tmp_path):
    """E-27 the DNS is asked for A-labels, by plugins, too."""
    mx = "@ IN MX 10 mail\nmail IN A 127.0.0.1\n"
    nsd = Nsd(tmp_path / "nsd", {"example.net": mx, A: mx})
    try:
        postern = make_postern({"server": {"plugins": "auth restrictions"}, "dns": {"servers": None, "stub-zones": nsd.stub_zones()}},
                               sink=sink)
        with postern.session() as dialog:
            dialog.expect("250", "MAIL FROM:<%s> SMTPUTF8" % LOGIN)
            dialog.expect("250", "RCPT TO:<x@%s>" % U)
    finally:
        nsd.close()


@pytest.mark.parametrize("form", FORMS)
def test_etrn(gate, sink, form):
    """E-27 ETRN asks for the mail of a domain in any form."""
    sink.replies["MAIL"] = "451 4.3.0 later"
    gate.reload({"delivery": {"retry": "300s .. 300s"}, "route mailboxes": {
        "for-mode": "hosted", "next-hop": "smtp:[127.0.0.1]:%d" % sink.port, "tls": "none"}})
    gate.ctl("domain", "add", U, "customer=acme", "mode=hosted")
    assert rcpt(gate, "u@" + U).startswith("250")
    gate.send("u@" + A)
    wait_until(lambda: gate.queue("state=deferred"), "a first attempt")
    sink.replies.clear()
    with gate.session() as dialog:
        dialog.expect("250", "ETRN " + form)
    sink.wait(1)
