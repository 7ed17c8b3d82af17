"""Listeners and TLS (letter C of BEHAVIOURS.md): the seven ports' roles, on free ports of 127.0.0.1 and ::1."""
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from postern import BUILD, LOGIN, PASSWORD, PATIENCE, Dialog, Postern, Sink, client_tls, free_port, make_certificate, wait_until

PROXIED = BUILD / "tests/plugins/.libs/proxied.so"
STARTTLS = ("25", "2525", "587")
AUTO = ("11923", "61235", "80")
CLEAR = STARTTLS + AUTO
ALL = STARTTLS + ("465",) + AUTO

# What the seed shows after "telnet smtpauth.rollernet.us 587"; the client's lines are those of COMMANDS.
TRANSCRIPT = """220 smtpauth.rollernet.us ESMTP Postfix
EHLO example.net
250-smtpauth.rollernet.us
250-PIPELINING
250-SIZE 209715200
250-VRFY
250-ETRN
250-STARTTLS
250-AUTH PLAIN LOGIN
250-AUTH=PLAIN LOGIN
250-ENHANCEDSTATUSCODES
250-8BITMIME
250 DSN
AUTH PLAIN AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA==
235 2.7.0 Authentication successful
MAIL FROM:<user@example.net>
250 2.1.0 Ok
RCPT TO:<user@example.net>
250 2.1.5 Ok
DATA
354 End data with <CR><LF>.<CR><LF>
Subject: test

test
.
250 2.0.0 Ok: queued as XXXXXXXXXXX
QUIT
221 2.0.0 Bye
"""
COMMANDS = ("EHLO ", "AUTH ", "MAIL ", "RCPT ", "DATA", "Subject: test", "", "test", ".", "QUIT")


def listener(tls, port, **more):
    return {"addresses": "127.0.0.1 ::1", "ports": port, "tls": tls, "auth-without-tls": "yes", **more}


def start(place, options, sink):
    """A daemon with one listener per port of the seed, named "25" … by what stands for it; ports in `ports`."""
    ports = {name: free_port() for name in ALL}
    sections = {"listener submission": None, "listener smtps": None}
    for name in ALL:
        tls = "implicit" if name == "465" else "auto" if name in AUTO else "starttls"
        sections["listener port-" + name] = listener(tls, ports[name])
    daemon = Postern(place, {**sections, **options}, sink=sink)
    daemon.ports = {**ports, "submission": ports["587"], "smtps": ports["465"]}
    return daemon


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    place, sink = tmp_path_factory.mktemp("gate"), Sink()
    (certificate, key), (other, other_key) = make_certificate(place, "mail.example.net"), make_certificate(place, "mx.example.net")
    trusting, hardened = free_port(), free_port()
    daemon = start(place, {
        "tls": {"certificate": certificate, "key": key, "ask-client-certificate": "yes"},
        "tls mx.example.net": {"certificate": other, "key": other_key},
        "listener proxied": listener("starttls", trusting, proxies="127.0.0.1/32"),
        "listener proxied-tls": listener("implicit", hardened, proxies="127.0.0.1/32"),
        "listener strict": {**listener("starttls", free_port()), "auth-without-tls": None},
        "listener clear": listener("none", free_port())}, sink)
    daemon.ports.update({"proxied": trusting, "proxied-tls": hardened,
                         "strict": daemon.sections["listener strict"]["ports"],
                         "clear": daemon.sections["listener clear"]["ports"]})
    yield daemon
    daemon.stop()
    sink.close()


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """Its ports with tls = auto wait for a ClientHello longer than any machine takes to send one."""
    place, sink = tmp_path_factory.mktemp("patient"), Sink()
    certificate, key = make_certificate(place, "mail.example.net")
    daemon = start(place, {"tls": {"certificate": certificate, "key": key}, "server": {"auto-tls-wait": "10s"}}, sink)
    yield daemon
    daemon.stop()
    sink.close()


@pytest.fixture(scope="module", autouse=True)
def looked_at(tmp_path_factory):
    """Two daemons whose certificate files changed: one for the better, one not; see the last test."""
    daemons = []
    for name in ("renewed", "broken"):
        place, sink = tmp_path_factory.mktemp(name), Sink()
        files = make_certificate(place, "old.example.net", "server")
        daemons.append(Postern(place, {"tls": {"certificate": files[0], "key": files[1]}}, sink=sink))
    time.sleep(0.1)
    make_certificate(daemons[0].place, "new.example.net", "server")
    (daemons[1].place / "server.pem").write_text("no certificate\n")
    yield daemons
    for daemon in daemons:
        daemon.stop()


def metric(daemon, name):
    return {row["metric"]: int(row["value"]) for row in daemon.ctl("metrics", json=True)}.get(name, 0)


# ---- the ports ----

@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("port", CLEAR)
def test_clear_ports(gate, port, host):
    """C-01 C-02 C-03 C-06 C-07 C-08 the banner in clear, STARTTLS offered; C-15 on IPv4 and IPv6; C-11 A-16 AUTH in clear
    where the listener says so."""
    with Dialog(gate.ports[port], host=host) as dialog:
        assert dialog.greeting.raw == ["220 mail.example.net ESMTP Postern"]  # C-16
        assert "STARTTLS" in dialog.hello().lines
        assert dialog.auth().text == "235 2.7.0 Authentication successful"
        dialog.mail()


@pytest.mark.parametrize("port", CLEAR)
def test_starttls(gate, port):
    """C-12 STARTTLS: handshake, all forgotten, no STARTTLS offered any more; C-13 a second one: 554 5.5.1."""
    with Dialog(gate.ports[port]) as dialog:
        dialog.login()
        assert dialog.ask("STARTTLS x").text.startswith("501")
        dialog.starttls()
        dialog.expect("503 5.5.1", "MAIL FROM:<%s>" % LOGIN)
        assert "STARTTLS" not in dialog.hello().lines
        dialog.expect("530 5.7.0", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("554 5.5.1 Error: TLS already active", "STARTTLS")
        assert dialog.auth().code == 235
        dialog.mail()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("port", ("465",) + AUTO)
def test_implicit(patient, port, host):
    """C-04 the handshake first, then 220, and no STARTTLS in EHLO; C-09 the same where TLS is detected."""
    with Dialog(patient.ports[port], implicit_tls=True, host=host) as dialog:
        assert dialog.greeting.raw == ["220 mail.example.net ESMTP Postern"]
        assert "STARTTLS" not in dialog.hello().lines
        dialog.expect("554 5.5.1", "STARTTLS")
        assert dialog.auth().code == 235
        dialog.mail()


def test_the_same_service_everywhere(gate):
    """C-10 all seven ports: the same rules, refusals and delivery."""
    before = gate.settle()
    for port in ALL:
        with Dialog(gate.ports[port], implicit_tls=port == "465") as dialog:
            offered = dialog.hello().lines
            assert [line for line in offered if line != "STARTTLS"] == [
                "mail.example.net", "PIPELINING", "SIZE 209715200", "VRFY", "ETRN", "AUTH PLAIN LOGIN", "AUTH=PLAIN LOGIN",
                "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"]
            assert dialog.auth(password="wrong").code == 535
            assert dialog.auth().code == 235
            dialog.expect("553 5.7.1", "MAIL FROM:<other@example.net>")
            dialog.mail(content="Subject: %s\n\n.\n" % port)
    assert sorted(m.header("Subject")[0] for m in gate.sink.wait(before + 7)[before:]) == sorted(ALL)


def test_plain_on_implicit(gate):
    """C-05 plain SMTP on 465: no banner, close, counted."""
    failures = metric(gate, "event.tls-failure")
    with socket.create_connection(("127.0.0.1", gate.ports["465"]), timeout=PATIENCE) as s:
        s.sendall(b"EHLO example.net\r\n")
        octets = b""
        try:
            while got := s.recv(1000):
                octets += got
        except ConnectionError:
            pass
    assert b"220" not in octets and b"250" not in octets  # a TLS alert at most
    assert metric(gate, "event.tls-failure") == failures + 1


def test_no_auth_in_clear(gate):
    """C-11 by default AUTH is neither offered nor taken before TLS: 538 5.7.11; A-16."""
    with Dialog(gate.ports["strict"]) as dialog:
        assert not [line for line in dialog.hello().lines if line.startswith("AUTH")]
        assert dialog.auth().text.startswith("538 5.7.11")
        dialog.expect("530 5.7.0", "MAIL FROM:<%s>" % LOGIN)
        dialog.starttls()
        dialog.login()
        dialog.mail()


def test_no_tls(gate):
    with Dialog(gate.ports["clear"]) as dialog:
        assert "STARTTLS" not in dialog.hello().lines
        dialog.expect("502 5.5.1", "STARTTLS")


def test_banner(make_postern, sink):
    """C-16 220 HOSTNAME ESMTP NAME, both of them settings."""
    postern = make_postern({"server": {"hostname": "out.example.net", "banner-name": "Some Mailer"}}, sink=sink)
    with postern.smtp() as dialog:
        assert dialog.greeting.raw == ["220 out.example.net ESMTP Some Mailer"]


# ---- who breaks the rules ----

@pytest.mark.parametrize("behind", [b"NOOP\r\n", b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n", b"x" * 10])
def test_injection(gate, behind):
    """C-14 what comes in clear behind STARTTLS is never said inside TLS."""
    with Dialog(gate.ports["587"]) as dialog:
        dialog.hello()
        dialog.send_raw(b"STARTTLS\r\n" + behind)
        assert dialog.reply().text.startswith("554 5.5.0")
        assert dialog.is_closed()


@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.0\n\n", b"CONNECT a:25 HTTP/1.1\r\n\r\n",
                                          b"Subject: hello\r\n"])
@pytest.mark.parametrize("port", ALL)
def test_http(gate, port, request_line):
    """C-17 HTTP on any port: 221 2.7.0, the end, counted; on port 80 before the greeting, too."""
    counted = metric(gate, "event.not-smtp")
    with Dialog(gate.ports[port], implicit_tls=port == "465") as dialog:
        dialog.send_raw(request_line)
        assert dialog.reply().raw == ["221 2.7.0 Error: I can break rules, too. Goodbye."]
        assert dialog.is_closed()
    assert metric(gate, "event.not-smtp") == counted + 1


def test_http_first(gate):
    """C-08 C-17 a browser on port 80 gets no HTTP, and no banner."""
    with Dialog(gate.ports["80"], greet=False, first=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as dialog:
        assert dialog.reply().code == 221
        assert dialog.is_closed()


@pytest.mark.parametrize("port", ["587", "80"])
def test_early_talker(gate, port):
    """Who talks before the greeting: 554 5.5.0 and close, counted."""
    counted = metric(gate, "event.early-talker")
    gate.process.send_signal(signal.SIGSTOP)  # so that the octets are there when it looks
    try:
        dialog = Dialog(gate.ports[port], greet=False, first=b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
    finally:
        gate.process.send_signal(signal.SIGCONT)
    with dialog:
        assert dialog.reply().raw == ["554 5.5.0 Error: SMTP protocol synchronization"]
        assert dialog.is_closed()
    assert metric(gate, "event.early-talker") == counted + 1


def test_silent_handshake(gate):
    """A client that connects to 465 and says nothing is served no banner in clear."""
    with socket.create_connection(("127.0.0.1", gate.ports["465"]), timeout=0.5) as s:
        with pytest.raises(socket.timeout):
            s.recv(1)


# ---- TLS ----

@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("port", ["587", "465"])
def test_versions(gate, port, version):
    """C-12 TLS 1.2 and 1.3; Received names the version."""
    before = gate.settle()
    context = client_tls()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    if port == "587":
        dialog = Dialog(gate.ports[port])
        dialog.hello()
        dialog.starttls(context)
    else:
        dialog = Dialog(gate.ports[port], greet=False)
        dialog.socket = context.wrap_socket(dialog.socket)
        dialog.reply()
    with dialog:
        dialog.login()
        dialog.mail()
    assert version.replace("_", ".") in gate.sink.wait(before + 1)[before].header("Received")[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions(gate):
    """C-04 TLS 1.1 is refused."""
    context = client_tls()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    dialog = Dialog(gate.ports["465"], greet=False)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(dialog.socket)


def test_minimum(make_postern, sink, tmp_path):
    """C-04 `minimum = TLSv1.3` refuses 1.2."""
    certificate, key = make_certificate(tmp_path, "mail.example.net")
    postern = make_postern({"tls": {"certificate": certificate, "key": key, "minimum": "TLSv1.3"}}, sink=sink)
    context = client_tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(Dialog(postern.ports["smtps"], greet=False).socket)
    postern.smtp("smtps").login()


@pytest.mark.parametrize("name, shown", [(None, "mail.example.net"), ("mail.example.net", "mail.example.net"),
                                         ("mx.example.net", "mx.example.net"), ("MX.example.net", "mx.example.net"),
                                         ("other.example.net", "mail.example.net")])
def test_server_names(gate, name, shown):
    """C-04 C-12 the certificate follows the name that the client asks for."""
    with Dialog(gate.ports["465"], implicit_tls=True, name=name) as dialog:
        assert dialog.certificate() == shown
    with Dialog(gate.ports["587"]) as dialog:
        dialog.hello()
        dialog.starttls(name=name)
        assert dialog.certificate() == shown


def test_client_certificate(gate, tmp_path):
    """C-18 a client certificate is asked for here, never required; any will do."""
    context = client_tls()
    context.load_cert_chain(*make_certificate(tmp_path, "client.example.net"))
    for each in (context, client_tls()):
        with Dialog(gate.ports["587"]) as dialog:
            dialog.hello()
            dialog.starttls(each)
            dialog.login()
            dialog.mail()


def test_own_certificate(make_postern, sink):
    """Without [tls] the daemon makes a certificate of its own, and keeps it."""
    postern = make_postern(sink=sink)
    shown = []
    for _ in range(2):
        with postern.smtp("smtps") as dialog:
            shown.append(dialog.socket.getpeercert(binary_form=True))
            assert dialog.certificate() == "mail.example.net"
        postern.restart()
    assert shown[0] == shown[1]


def test_renewed_on_sighup(make_postern, sink, tmp_path):
    """C-12 SIGHUP takes a new certificate, a broken one changes nothing, and no session drops."""
    certificate, key = make_certificate(tmp_path, "old.example.net", "server")
    postern = make_postern({"tls": {"certificate": certificate, "key": key}}, sink=sink)
    with postern.smtp("smtps") as old:
        old.login()
        assert old.certificate() == "old.example.net"
        make_certificate(tmp_path, "new.example.net", "server")
        postern.process.send_signal(signal.SIGHUP)
        postern.wait_log("info: reloaded")
        with postern.smtp("smtps") as new:
            assert new.certificate() == "new.example.net"
        (tmp_path / "server.key").write_text("-----BEGIN broken\n")
        postern.process.send_signal(signal.SIGHUP)
        postern.wait_log("error: not reloaded.*server.key")
        with postern.smtp("smtps") as new:
            assert new.certificate() == "new.example.net"
        old.mail()


# ---- PROXY ----

def proxy2(command, family, addresses):
    return b"\r\n\r\n\x00\r\nQUIT\n" + bytes([0x20 | command, family]) + struct.pack("!H", len(addresses)) + addresses


def header_name(value):
    return value if isinstance(value, str) else "%s-%d" % (value[12:16].hex(), len(value))


V2_FOUR = proxy2(1, 0x11, socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4711, 25))
V2_SIX = proxy2(1, 0x21, socket.inet_pton(socket.AF_INET6, "2001:db8::9") + bytes(16) + struct.pack("!HH", 4711, 25))
V2_MORE = proxy2(1, 0x11, socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4711, 25) +
                 b"\x04\x00\x03abc")


@pytest.mark.parametrize("port", ["proxied", "proxied-tls"])
@pytest.mark.parametrize("header, client", [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 25\r\n", "203.0.113.9"),
    (b"PROXY TCP6 2001:db8::9 ::1 4711 25\r\n", "2001:db8::9"), (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (V2_FOUR, "203.0.113.9"), (V2_SIX, "2001:db8::9"), (V2_MORE, "203.0.113.9"), (proxy2(0, 0, b""), "127.0.0.1"),
    (proxy2(1, 0x12, V2_FOUR[16:]), "127.0.0.1"), (proxy2(1, 0x22, V2_SIX[16:]), "127.0.0.1"),
    (proxy2(1, 0x32, bytes(216)), "127.0.0.1"), (proxy2(1, 0x31, bytes(216)), "127.0.0.1"),
    (proxy2(1, 0x11, V2_FOUR[16:] + b"\x04\x0f\xe1" + bytes(4065)), "203.0.113.9"),
    (proxy2(0, 0, b"\x04\x0f\xed" + bytes(4077)), "127.0.0.1")], ids=header_name)
def test_proxy(gate, port, header, client):
    """C-10 E-26 behind a trusted proxy the client is the one that the header names; v1 and v2, in clear and before TLS."""
    before = gate.settle()
    with Dialog(gate.ports[port], implicit_tls=port == "proxied-tls", first=header) as dialog:
        dialog.login()
        queue_id = dialog.mail()
    gate.wait_log("message accepted .*queue=%s .*client=%s " % (queue_id, client))
    assert "[%s%s]" % ("IPv6:" if ":" in client else "", client) in gate.sink.wait(before + 1)[before].header("Received")[0]


@pytest.mark.parametrize("header", [b"EHLO x\r\n", b"PROXY TCP4 203.0.113.9 192.0.2.1 99999 25\r\n", b"PROXY TCP4 x\r\n",
                                    b"\r\n\r\n\x00\r\nQUIT\n\x55\x11\x00\x00", b"PROXY " + b"x" * 200,
                                    proxy2(1, 0x41, b""), proxy2(1, 0x13, V2_FOUR[16:]),
                                    proxy2(1, 0x11, V2_FOUR[16:] + b"\x03\x00\x04abcd"),
                                    proxy2(1, 0x11, V2_FOUR[16:] + b"\x04\x0f\xe2" + bytes(4066))], ids=header_name)
def test_bad_proxy_header(gate, header):
    """A trusted proxy that sends no good header is not served."""
    with Dialog(gate.ports["proxied"], greet=False, first=header) as dialog:
        assert dialog.is_closed()


def crc32c(octets):
    crc = 0xffffffff
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


@pytest.mark.skipif(not PROXIED.exists(), reason="tests/plugins/proxied.la is not built")
def test_what_a_proxy_knows(make_postern, sink, tmp_path):
    """E-26 TLS and the name that the client asked for are known to plugins, with a checksum that fits; in pieces, too."""
    port, folder = free_port(), tmp_path / "plugins"
    folder.mkdir()
    for plugin in [*BUILD.glob("plugins/*/.libs/*.so"), PROXIED]:
        (folder / plugin.name).symlink_to(plugin)
    postern = make_postern({"server": {"plugins": "auth proxied", "plugin-directory": folder},
                            "listener proxied": listener("none", port, proxies="127.0.0.1/32")}, sink=sink)
    tls = tlv(0x20, b"\x07\0\0\0\0" + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"camera 7") + tlv(0x23, b"TLS_AES_128_GCM_SHA256"))
    tlvs = tlv(1, b"smtp") + tlv(2, b"mx.example.net") + tls + tlv(0xea, b"\1vpce") + tlv(4, bytes(3000))
    header = proxy2(1, 0x11, V2_FOUR[16:] + tlvs + tlv(3, bytes(4)))
    header = header[:-4] + struct.pack("!I", crc32c(header))
    with Dialog(port, greet=False) as dialog:
        for at in range(0, len(header), 997):
            dialog.send_raw(header[at:at + 997])
            time.sleep(0.02)
        dialog.greeting = dialog.reply()
        dialog.login()
        dialog.mail()
    message = sink.wait(1)[0]
    assert sorted(message.header("X-Fact")) == [
        "proxy.alpn=smtp", "proxy.authority=mx.example.net", "proxy.tls.cipher=TLS_AES_128_GCM_SHA256",
        "proxy.tls.client-name=camera 7", "proxy.tls.verified=yes", "proxy.tls.version=TLSv1.3", "proxy.tls=yes"]
    with Dialog(port, first=V2_FOUR) as dialog:
        dialog.login()
        dialog.mail()
    assert sink.wait(2)[1].header("X-Fact") == []


@pytest.mark.parametrize("header", [b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 25\r\n", V2_FOUR])
def test_untrusted_proxy(gate, header):
    """Whoever else says PROXY is a client that talks nonsense: the address it names counts for nothing."""
    log = gate.log()
    with Dialog(gate.ports["proxied"], greet=False, first=header, source="127.0.0.2") as dialog:
        replies = dialog.rest()
    assert replies and all(line[:3] in ("220", "500", "521", "554", "421") for line in replies), replies
    assert "203.0.113.9" not in gate.log()[len(log):]
    with Dialog(gate.ports["proxied"], source="127.0.0.2") as dialog:
        dialog.login()
        gate.wait_log("message accepted .*queue=%s .*client=127.0.0.2 " % dialog.mail())


# ---- by hand ----

def test_openssl_s_client(gate):
    """C-19 openssl s_client -quiet -starttls smtp -crlf, typed line by line."""
    before = gate.settle()
    client = subprocess.Popen(["openssl", "s_client", "-quiet", "-starttls", "smtp", "-crlf", "-connect",
                               "127.0.0.1:%d" % gate.ports["587"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)

    def ask(line, start):
        client.stdin.write(line.encode() + b"\n")
        client.stdin.flush()
        said = []
        while not said or not said[-1].startswith(start):
            said.append(client.stdout.readline().decode())
            assert said[-1][:1] in ("2", "3"), "%s answered with %s" % (line, said)
    try:
        ask("EHLO example.net", "250 CHUNKING")
        ask("AUTH PLAIN AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA==", "235 2.7.0")
        ask("MAIL FROM:<user@example.net>", "250 2.1.0")
        ask("RCPT TO:<user@example.net>", "250 2.1.5")
        ask("DATA", "354")
        for line in ("Subject: by hand", "", "test"):
            client.stdin.write(line.encode() + b"\n")
        ask(".", "250 2.0.0 Ok: queued as ")
        ask("QUIT", "221 2.0.0 Bye")
        assert client.wait(PATIENCE) == 0
    finally:
        client.kill()
        client.wait()
    message = gate.sink.wait(before + 1)[before]
    assert (message.header("Subject"), message.body) == (["by hand"], "test\r\n")


def test_transcript(make_postern, sink):
    """C-20 the seed's transcript, octet for octet but for the queue id."""
    postern = make_postern({"server": {"hostname": "smtpauth.rollernet.us", "banner-name": "Postfix",
                                       "header-prefix": "X-Rollernet", "ehlo-without": "SMTPUTF8 CHUNKING"}}, sink=sink)
    with postern.smtp(greet=False) as dialog:
        dialog.socket.settimeout(PATIENCE)
        for line in TRANSCRIPT.splitlines():
            if line.startswith(COMMANDS[:4]) or line in COMMANDS:
                dialog.send_raw(line.encode() + b"\r\n")
                continue
            said = dialog.line()
            if line.startswith("250 2.0.0 Ok: queued as "):
                assert said.startswith("250 2.0.0 Ok: queued as ") and said.split()[-1].isalnum()
            else:
                assert said == line
        assert dialog.is_closed() and dialog.pending == b""
    assert sink.wait(1)[0].body == "test\r\n"


# ---- last, because it waits for the minute ----

def test_certificates_are_looked_at_each_minute(looked_at):
    """C-12 a renewed certificate is found within a minute; a broken one leaves the old in use, and raises an alarm."""
    renewed, broken = looked_at

    def shown(daemon):
        with daemon.smtp("smtps") as dialog:
            return dialog.certificate()
    wait_until(lambda: shown(renewed) == "new.example.net", "the new certificate", 100)
    alarms = wait_until(lambda: broken.ctl("alarms", json=True), "the alarm", 100)
    assert [row["alarm"] for row in alarms] == ["tls.certificate"] and "server.pem" in alarms[0]["text"]
    assert shown(broken) == "old.example.net"
    assert "1 alarm" in broken.ctl("status")
    assert renewed.ctl("alarms", json=True) == []
