"""What is away - resolvers, Redis, clamd, lists - is said as such: in replies, by an alarm, and by posternctl status."""
import shutil
import subprocess

import pytest

from postern import LOGIN, wait_until
from nsd import Nsd

ZONE = "@ IN MX 10 mx\nmx IN A 127.0.0.1\nmail IN A 127.0.0.1\n"
FAILED = "Domain lookup failed, try again later"


@pytest.mark.skipif(not shutil.which("nsd"), reason="needs nsd")
def test_dns(make_postern, sink, tmp_path):
    """R-02 R-06 R-18 A DNS server that stops is no domain that does not exist; its absence is an alarm after a minute, until it answers."""
    zones = {"example.net": ZONE, "example.org": ZONE}
    nsd = Nsd(tmp_path / "nsd", zones)
    postern = make_postern({"server": {"plugins": "auth restrictions"},
                            "dns": {"stub-zones": nsd.stub_zones(), "timeout": "1s", "keep-failed": "0"}}, sink=sink)
    with postern.session() as dialog:
        dialog.expect("450 4.1.8 <x@absent.example.org>: Sender address rejected: Domain not found", "MAIL FROM:<x@absent.example.org>")
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("450 4.1.2 <x@absent.example.org>: Recipient address rejected: Domain not found", "RCPT TO:<x@absent.example.org>")
    nsd.close()
    with postern.session() as dialog:
        for name in ("one", "two"):
            dialog.expect("450 4.1.8 <x@%s.example.org>: Sender address rejected: %s" % (name, FAILED),
                          "MAIL FROM:<x@%s.example.org>" % name)
        dialog.expect("250", "MAIL FROM:<>")
        for name in ("three", "four"):
            dialog.expect("450 4.1.2 <x@%s.example.org>: Recipient address rejected: %s" % (name, FAILED),
                          "RCPT TO:<x@%s.example.org>" % name)
    assert "cause=dns" in postern.log() and "dns.away" not in postern.ctl("alarms")
    wait_until(lambda: "dns.away" in postern.ctl("alarms"), "the alarm", 90)   # nothing was answered for a minute
    assert "dns.away" in postern.ctl("status")
    nsd = Nsd(tmp_path / "nsd", zones, port=nsd.port)
    wait_until(lambda: "dns.away" not in postern.ctl("alarms"), "the end of the alarm", 60)   # it is asked for every ten seconds
    assert "0 alarms" in postern.ctl("status")
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<x@example.org>")
    nsd.close()


def make_address_certificate(folder, name, alternative):
    """Self-signed."""
    files = folder / (name + ".pem"), folder / (name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=" + name, "-addext", "subjectAltName=" + alternative, "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True)
    return files


def test_certificate_of_next_hop(make_postern, make_sink, tmp_path):
    """Q-09 A next hop whose certificate is not accepted is an alarm with OpenSSL's reason, until it is or the route is another."""
    wrong, good = make_address_certificate(tmp_path, "wrong", "IP:127.0.0.9"), make_address_certificate(tmp_path, "good", "IP:127.0.0.1")
    (tmp_path / "trust.pem").write_text(wrong[0].read_text() + good[0].read_text())
    sink = make_sink(extensions=("STARTTLS",), certificate=wrong)
    postern = make_postern({"route all": {"tls": "verify"}, "delivery": {"trust": tmp_path / "trust.pem", "retry": "1s .. 1s"}}, sink=sink)
    name = "delivery.certificate.smtp:[127.0.0.1]:%d" % sink.port
    postern.send()
    text = wait_until(lambda: postern.alarms().get(name), "the alarm")
    assert "IP address mismatch" in text and name in postern.ctl("status") and sink.messages == []
    sink.tls.load_cert_chain(*good)
    sink.wait(1)
    wait_until(lambda: name not in postern.alarms(), "the end of the alarm")

    sink.tls.load_cert_chain(*wrong)
    postern.restart()
    postern.send("other@example.org")
    wait_until(lambda: name in postern.alarms(), "the alarm again")
    postern.reload({"route all": {"tls": "encrypt"}})
    wait_until(lambda: name not in postern.alarms() and len(sink.messages) == 2, "the mail over another route")
