"""Mistakes of clients that are tolerated, by default, and are not with [listener] compat = strict."""
import base64

import pytest

from postern import LOGIN, PASSWORD, Dialog, free_port


@pytest.fixture
def gate(make_postern, sink):
    """A listener for our own mail beside the others; sender-rules say who may send as whom."""
    port = free_port()
    postern = make_postern({"server": {"plugins": "auth sender-rules"},
                            "listener mx": {"addresses": "127.0.0.1", "ports": port, "auth": "no", "inbound": "yes"}}, sink=sink)
    postern.ports["mx"] = port
    postern.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hold", "valid-recipients=yes")
    postern.ctl("recipient", "add", "u@hosted.example")
    return postern


def camera(port):
    """EHLO, HELO, AUTH, no padding, no brackets."""
    dialog = Dialog(port)
    dialog.expect("250", "EHLO Camera 7")
    dialog.expect("250", "HELO camera7 ")
    plain = base64.b64encode(("%s\0%s\0%s" % (LOGIN.upper(), LOGIN, PASSWORD)).encode()).decode()
    assert plain.endswith("=")
    dialog.expect("334", "AUTH PLAIN")
    dialog.expect("235", plain.rstrip("=") + " ")
    return dialog


def test_camera(gate):
    """E-28 a message of a client that does most of it wrong goes out, to recipients whose addresses stay as they are."""
    recipients = ["a..b@example.org", "a.@example.org", "l" * 100 + "@example.org"]
    with camera(gate.ports["submission"]) as dialog:
        dialog.expect("250", "MAIL FROM:%s." % LOGIN)
        for recipient in recipients:
            dialog.expect("250", "RCPT TO: " + recipient + ".")
        assert dialog.data("Subject: motion\n\n.\n").code == 250
        dialog.expect("553 5.7.1", "MAIL FROM:other@example.net")
    message = gate.sink.wait(1)[0]
    assert (message.sender, message.recipients) == (LOGIN, recipients)


def test_no_relay(gate):
    """E-28 what is tolerated makes nobody's mail ours."""
    with gate.smtp("mx") as dialog:
        dialog.hello()
        dialog.expect("250", "MAIL FROM:stranger@elsewhere.example.")
        for ours in ("u@hosted.example", "U@Hosted.Example."):
            dialog.expect("250", "RCPT TO:" + ours)
        for foreign in ("x@example.org", "a..b@example.org.", "u%hosted.example@example.org", "<a.@example.org>",
                        "u@hosted.example.org", "<\"u@hosted.example\"@example.org>"):
            dialog.expect("554 5.7.1", "RCPT TO:" + foreign)
        for nobody in ("<.u@hosted.example>", "<u.@hosted.example.>", "<u..@hosted.example>"):
            dialog.expect("550 5.1.1", "RCPT TO:" + nobody)


def test_strict(gate):
    """E-28 E-17 with compat = strict the same client is refused, step by step."""
    gate.reload({"listener submission": {"compat": "strict"}})
    with gate.smtp() as dialog:
        dialog.expect("501 5.5.4", "EHLO Camera 7")
        dialog.expect("250", "EHLO camera7 ")
        dialog.expect("250", "HELO camera7")
        dialog.expect("503 5.5.1", "AUTH PLAIN")
        dialog.hello()
        plain = base64.b64encode(("%s\0%s\0%s" % (LOGIN.upper(), LOGIN, PASSWORD)).encode()).decode()
        dialog.expect("535", "AUTH PLAIN " + plain)
        dialog.expect("535", "AUTH PLAIN " + base64.b64encode(("\0%s\0%s" % (LOGIN, PASSWORD)).encode()).decode().rstrip("="))
        dialog.login()
        for line in ("MAIL FROM:" + LOGIN, "MAIL FROM:<%s.>" % LOGIN, "MAIL FROM:<%s@example.net>" % ("l" * 65)):
            dialog.expect("501", line)
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        for address in ("x@example.org", "<x@example.org.>", "<a..b@example.org>", "<a.@example.org>", "<%s@example.org>" % ("l" * 65)):
            dialog.expect("501", "RCPT TO:" + address)
