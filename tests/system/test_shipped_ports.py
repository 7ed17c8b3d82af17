"""The seven ports of the seed (C-01 to C-08), as the shipped sample of the outbound service opens them: in a network of the test's own,
so that the real numbers are free."""
import re
import socket

from netns import in_own_network
from postern import SOURCE, Dialog, Postern, Sink, make_certificate

STARTTLS, IMPLICIT, AUTO = (25, 2525, 587), (465,), (11923, 61235, 80)
GREETING = ["220 smtpauth.example.net ESMTP Postfix"]
HOSTS = ("127.0.0.1", "::1")


def sample():
    """Sections of the sample that say how clients come in, word by word."""
    sections, title = {}, None
    for line in (SOURCE / "etc/examples/outbound-service.conf").read_text().splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if found := re.fullmatch(r"\[(.*)\]", line):
            title = found.group(1)
            sections[title] = {}
        elif title is not None and (found := re.fullmatch(r"([\w-]+)\s*=\s*(.*)", line)):
            sections[title][found.group(1)] = found.group(2)
    return {title: values for title, values in sections.items() if title.startswith("listener ")}, sections["server"]


def check_clear(port, host):
    """C-01 C-02 C-03 C-06 C-07 C-08 the banner in clear, STARTTLS offered and working, AUTH before it, as the sample says."""
    with Dialog(port, host=host) as dialog:
        assert dialog.greeting.raw == GREETING
        offered = dialog.hello().lines
        assert "STARTTLS" in offered and "AUTH PLAIN LOGIN" in offered
        dialog.starttls()
        assert "STARTTLS" not in dialog.hello().lines
        assert dialog.auth().code == 235
        dialog.mail(content="Subject: %d %s\n\nx\n" % (port, host))


def check_implicit(port, host):
    """C-04 the handshake first, then 220, and no STARTTLS in EHLO."""
    with Dialog(port, implicit_tls=True, host=host) as dialog:
        assert dialog.greeting.raw == GREETING
        assert "STARTTLS" not in dialog.hello().lines
        assert dialog.auth().code == 235
        dialog.mail(content="Subject: %d %s tls\n\nx\n" % (port, host))


def check_plain_on_implicit(postern, port):
    """C-05 plain SMTP where TLS comes first: no banner, the end, counted."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"EHLO example.net\r\n")
        octets = b""
        try:
            while got := s.recv(1000):
                octets += got
        except ConnectionError:
            pass
    assert b"220" not in octets and b"250" not in octets
    assert {row["metric"]: int(row["value"]) for row in postern.ctl("metrics", json=True)}["event.tls-failure"] == 1


@in_own_network()
def test_ports(tmp_path):
    """C-01 C-02 C-03 C-04 C-05 C-06 C-07 C-08 each port of the shipped sample answers as it is said to, by IPv4 and IPv6."""
    listeners, server = sample()
    assert sorted(int(port) for each in listeners.values() for port in each["ports"].split()) == sorted(STARTTLS + IMPLICIT + AUTO)
    certificate, key = make_certificate(tmp_path, "smtpauth.example.net")
    sink = Sink()
    postern = Postern(tmp_path / "postern", {
        "listener submission": None, "listener smtps": None, "tls": {"certificate": certificate, "key": key},
        "server": {"hostname": server["hostname"], "banner-name": server["banner-name"], "auto-tls-wait": "1s"}}, sink=sink)
    try:
        postern.change({title: None for title in ("listener submission", "listener smtps")})
        postern.change(listeners)
        postern.restart()
        for host in HOSTS:
            for port in STARTTLS + AUTO:
                check_clear(port, host)
            for port in IMPLICIT + AUTO:
                check_implicit(port, host)
        check_plain_on_implicit(postern, IMPLICIT[0])
        with Dialog(80, greet=False, first=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as dialog:
            assert dialog.reply().code == 221 and dialog.is_closed()
        assert len(sink.wait(2 * 10)) == 20
    finally:
        postern.stop()
        sink.close()


def test_the_sample_names_no_other_port():
    """C-01 to C-08 are all ports that the sample opens; other ports are closed."""
    listeners, _ = sample()
    assert {title: values["ports"] for title, values in listeners.items()} == {
        "listener mx": "25", "listener submission": "2525 587", "listener smtps": "465", "listener odd-ports": "11923 61235 80"}
    assert {title: values["tls"] for title, values in listeners.items()} == {
        "listener mx": "starttls", "listener submission": "starttls", "listener smtps": "implicit", "listener odd-ports": "auto"}
