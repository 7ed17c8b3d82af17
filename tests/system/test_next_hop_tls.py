"""Whose certificate is taken, and what we show, with a CA of our own: by MX, and to clients that verify (the table of all cases
is tests/unit/io/test-tls-client.c)."""
import socket
import ssl
import subprocess

import pytest

from postern import Dialog

SOON = {"retry": "1s .. 1s"}
MX = "two.mx.example.org"   # of two.example.org, at 127.0.0.7


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Authority:
    """A root, an intermediate, and certificates by the latter."""

    def __init__(self, place):
        self.place = place
        self.root = self.issue("root", None, "basicConstraints=critical,CA:TRUE")
        self.intermediate = self.issue("intermediate", self.root, "basicConstraints=critical,CA:TRUE")

    def issue(self, name, issuer, *extensions):
        """Paths of a certificate and its key."""
        certificate, key, request = (self.place / (name + end) for end in (".pem", ".key", ".csr"))
        (self.place / "extensions").write_text("\n".join(extensions) + "\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-keyout", key,
                "-out", request)
        by = ("-CA", issuer[0], "-CAkey", issuer[1], "-CAcreateserial") if issuer else ("-signkey", key)
        openssl("x509", "-req", "-in", request, *by, "-days", "2", "-extfile", self.place / "extensions", "-out", certificate)
        return certificate, key

    def server(self, stem, name, with_chain=True):
        """The same for a server, with the intermediate behind it."""
        certificate, key = self.issue(stem, self.intermediate, "subjectAltName=" + name)
        if with_chain:
            certificate.write_text(certificate.read_text() + self.intermediate[0].read_text())
        return certificate, key


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.mark.parametrize("name, with_chain, reason", [
    ("DNS:" + MX, True, None), ("DNS:*.mx.example.org", True, None),
    ("DNS:two.example.org", True, "ostname mismatch"),     # of the domain, which anybody's DNS may lead elsewhere
    ("DNS:%s" % MX, False, "unable to get local issuer certificate"), ("IP:127.0.0.7", True, "ostname mismatch")])
def test_exchanger(make_postern, make_sink, sink, dns, authority, name, with_chain, reason):
    """Q-09 `verify` by MX wants the name of the exchanger, and its chain."""
    try:
        exchanger = make_sink(host="127.0.0.7", port=25, extensions=("STARTTLS",), certificate=authority.server("mx", name, with_chain))
    except OSError:
        pytest.skip("port 25 cannot be had")
    postern = make_postern({"route all": {"to": "example.net"}, **dns,
                            "delivery": {"tls": "verify", "trust": authority.root[0], **SOON}}, sink=sink)
    postern.send("a@two.example.org")
    if reason is None:
        assert exchanger.wait(1)[0].tls
        assert "delivery.certificate" not in " ".join(postern.alarms())
    else:
        postern.wait_log(r"deferred .*to=a@two.example.org .*" + reason)
        assert exchanger.messages == [] and "delivery.certificate.mx:two.example.org" in postern.alarms()


@pytest.mark.parametrize("listener", ["submission", "smtps"])
def test_what_clients_verify(make_postern, sink, authority, listener):
    """C-04 C-12 a client that trusts the root alone, and checks the name, is shown the chain: by each name that we have."""
    (default, key), (other, other_key) = authority.server("a", "DNS:mail.example.net"), authority.server("b", "DNS:mx.example.net")
    postern = make_postern({"tls": {"certificate": default, "key": key}, "tls mx.example.net": {"certificate": other, "key": other_key}},
                           sink=sink)
    context = ssl.create_default_context(cafile=str(authority.root[0]))
    for name, is_good in (("mail.example.net", True), ("mx.example.net", True), ("smtp.example.net", False)):
        with socket.create_connection(("127.0.0.1", postern.ports[listener]), timeout=20) as connection:
            if listener == "submission":
                with connection.makefile("rwb") as file:
                    for command in (None, b"EHLO x\r\n", b"STARTTLS\r\n"):
                        if command:
                            file.write(command)
                            file.flush()
                        while file.readline()[3:4] == b"-":
                            pass
            if is_good:
                with context.wrap_socket(connection, server_hostname=name) as secured:
                    assert secured.version()
            else:
                with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                    context.wrap_socket(connection, server_hostname=name)
    with Dialog(postern.ports["submission"]) as dialog:   # and who does not verify gets in as ever
        dialog.hello()
