"""Clients that blocking must leave alone: customers at work, mail servers, monitors, proxies; and what a blocked one sees.

Loopback addresses are the clients; they are monitors only where a test wants the default."""
import re
import socket
import time

import pytest

from postern import LOGIN, PASSWORD, ControlError, Dialog, free_port, wait_until
from test_blocking import greeting

CLIENT, OTHER, PROXY = "127.0.0.5", "127.0.0.6", "127.0.0.9"
PROXIED = "198.51.100.7"
HELLO = bytes.fromhex("160301000a0100000603030a0a0a0a")  # the beginning of a handshake, with octets that are line feeds
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"


@pytest.fixture
def gate(make_postern, sink):
    """Blocking as it comes, but for what a test changes."""
    def make(options=None, blocking=None):
        options = dict(options or {})
        server = {"plugins": "blocking auth sender-rules", **options.pop("server", {})}
        return make_postern({"server": server, "plugin blocking": blocking or {}, **options}, sink=sink)
    return make


def connect(port, source):
    return socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0))


def touch(port, source, first=b"", last=b"", reads=True):
    """Connects, says something before and after the greeting, and leaves."""
    with connect(port, source) as s:
        s.sendall(first)
        try:
            if reads:
                s.recv(500)
            if last:
                s.sendall(last)
                s.recv(500)
        except OSError:
            pass


def blocks(postern):
    """By now: observers count afterwards."""
    settled = [None]

    def is_settled():
        before, settled[0] = settled[0], (postern.ctl("blocking", "show", CLIENT), postern.ctl("blocking", "show", PROXY))
        return before == settled[0]
    wait_until(is_settled, "counters that rest")
    return {row["network"]: row["reason"] for row in postern.ctl("block", "list", json=True)}


def counted(postern, client):
    rows = postern.ctl("blocking", "show", client, json=True)
    return {row["what"]: row["value"] for row in rows if row["what"] not in ("counted as", "never blocked") and row["value"] != 0}


def test_a_customer_at_work(gate):
    """K-14 700 submissions, one connection each, are no offence with the limits as they come."""
    postern = gate()
    for i in range(700):
        with postern.smtp(source=CLIENT) as dialog:
            dialog.login(LOGIN, PASSWORD)
            dialog.mail()
            dialog.ask("QUIT")
    assert blocks(postern) == {} and counted(postern, CLIENT) == {}
    assert greeting(postern, CLIENT).startswith("220")


def hold_many(postern, source, login, n):
    """n parallel sessions, with or without a login; they are open."""
    held = []
    for _ in range(n):
        held.append(postern.smtp(source=source))
        if login:
            held[-1].login(LOGIN, PASSWORD)
    return held


def test_an_office_that_sends_at_the_same_moment(gate):
    """K-14 connections beyond [clients] connections are refused, and no offence of a client whose mail was accepted just now;
    those of another one are, logged in (K-10) or not."""
    postern = gate({"clients": {"connections": "20"}}, {"connections": "10/10m", "probes": "off"})
    office, stranger = hold_many(postern, CLIENT, True, 20), hold_many(postern, OTHER, False, 20)
    for dialog in office:
        dialog.mail()
        for _ in range(4):
            assert greeting(postern, CLIENT).startswith("421 4.7.0")
    for _ in range(60):
        assert greeting(postern, OTHER).startswith("421")
    wait_until(lambda: OTHER in blocks(postern), "the block of the stranger")
    assert CLIENT not in blocks(postern) and counted(postern, CLIENT) == {}
    for dialog in office + stranger:
        dialog.close()
    wait_until(lambda: greeting(postern, CLIENT).startswith("220"), "that the office is served")


def test_a_mail_server_at_work(gate):
    """K-14 mail that comes in without a login is no offence either; what brings no mail still counts."""
    port = free_port()
    postern = gate({"listener inbound": {"addresses": "127.0.0.1", "ports": port, "inbound": "yes", "auth": "no"}},
                   {"connections": "5/10m"})
    postern.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hold")
    for i in range(20):
        with Dialog(port, source=CLIENT) as dialog:
            dialog.hello()
            dialog.mail("somebody@example.org", "user@hosted.example")
    assert blocks(postern) == {}
    for _ in range(6):
        touch(port, CLIENT, last=b"EHLO client.example.net\r\n")
    wait_until(lambda: "too many connections" in postern.ctl("block", "list"), "the block")


def test_refusals_are_no_errors(gate):
    """K-15 a mail server whose mail is refused by rules, by the number of recipients or for want of space, pipelined, over
    and over, is neither sent away nor blocked."""
    postern = gate({"server": {"max-recipients": "2"}}, {"rejects": "off"})  # which counts what rules refuse for good
    for session in range(5):
        with postern.smtp(source=CLIENT) as dialog:
            dialog.login(LOGIN, PASSWORD)
            for i in range(40):
                dialog.send_raw(b"MAIL FROM:<boss@acme.example>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n")
                assert [dialog.reply().code for _ in range(3)] == [553, 503, 503]
            dialog.send_raw(b"MAIL FROM:<%s>\r\n" % LOGIN.encode() + b"RCPT TO:<a@example.org>\r\n" * 60)
            assert [dialog.reply().code for _ in range(61)] == [250] * 3 + [452] * 58
            assert dialog.data("Subject: test\n\nHello.\n").code == 250
    assert blocks(postern) == {}
    assert "errors" not in counted(postern, CLIENT)


@pytest.mark.parametrize("most, sent", [("30", 50), ("30", 1030), (None, 1500)])
@pytest.mark.parametrize("login", [LOGIN, None], ids=["login", "inbound"])
def test_too_many_recipients(gate, most, sent, login):
    """K-15 recipients beyond the limit, pipelined with DATA, cost nothing: those that were accepted get the message
    (RFC 5321 4.5.3.1.10), and the session goes on."""
    port = free_port()
    postern = gate({"server": {"max-recipients": most},
                    "listener inbound": {"addresses": "127.0.0.1", "ports": port, "inbound": "yes",
                                         "auth-without-tls": "yes"}})
    postern.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hold")
    taken = min(sent, int(most or 1000))
    with Dialog(port, source=CLIENT) as dialog:
        dialog.login(login, PASSWORD) if login else dialog.hello()
        for _ in range(2):
            dialog.send_raw(b"MAIL FROM:<%s>\r\n" % (login or "somebody@example.org").encode() +
                            b"".join(b"RCPT TO:<r%d@hosted.example>\r\n" % i for i in range(sent)) + b"DATA\r\n")
            assert [dialog.reply().code for _ in range(sent + 2)] == \
                [250] * (taken + 1) + [452] * (sent - taken) + [354]
            dialog.send_raw(b"Subject: test\r\n\r\nHello.\r\n.\r\n")
            dialog.expect("250 2.0.0")
    assert blocks(postern) == {} and "errors" not in counted(postern, CLIENT)
    assert re.findall(r"message accepted .* recipients=(\d+)", postern.log()) == [str(taken)] * 2


def test_violations_count(gate):
    """K-15 sessions full of nonsense still block; the count begins anew behind a message."""
    postern = gate()
    with postern.smtp(source=CLIENT) as dialog:
        dialog.login(LOGIN, PASSWORD)
        for _ in range(3):
            for _ in range(15):
                dialog.expect("500", "NONSENSE")
            dialog.mail()
    assert blocks(postern) == {}
    for _ in range(3):
        with postern.smtp(source=CLIENT) as dialog:
            for _ in range(19):
                dialog.expect("500", "NONSENSE")
            dialog.expect("500", "NONSENSE")
            dialog.expect("421")
    wait_until(lambda: "protocol errors" in postern.ctl("block", "list"), "the block")


def test_addresses_cannot_be_guessed_fast(make_postern):
    """K-15 who is refused for good again and again, without a login, waits for each further reply; a login does not."""
    port = free_port()
    postern = make_postern({"server": {"error-delay": "300ms", "soft-errors": "3"},
                            "listener inbound": {"addresses": "127.0.0.1", "ports": port, "inbound": "yes",
                                                 "auth-without-tls": "yes"}})
    postern.ctl("domain", "add", "hosted.example", "customer=acme", "mode=hold", "valid-recipients=yes")
    took = []
    for login in (None, LOGIN):
        with Dialog(port, source=CLIENT) as dialog:
            dialog.login(login, PASSWORD) if login else dialog.hello()
            dialog.expect("250", "MAIL FROM:<%s>" % (login or "somebody@example.org"))
            begun = time.monotonic()
            for i in range(6):
                dialog.expect("550", "RCPT TO:<guess%d@hosted.example>" % i)
            took.append(time.monotonic() - begun)
    assert took[0] >= 0.9 and took[1] < 0.9


@pytest.mark.parametrize("monitors, source", [(None, CLIENT), ("127.0.0.5", CLIENT)])
def test_monitors(gate, monitors, source):
    """K-16 health checks of every kind, from loopback by default, are served and never counted; no block keeps them out."""
    postern = gate({"server": {"monitors": monitors}}, {"never": "10.0.0.0/8"})
    port = postern.ports["submission"]
    for _ in range(10):
        for each in postern.ports.values():
            touch(each, source, HELLO, reads=False)          # a TLS probe, ended within the handshake
            touch(each, source, reads=False)                 # a connect
        touch(port, source)                                  # a connect that reads the greeting
        touch(port, source, last=b"QUIT\r\n")
        touch(port, source, b"GET / HTTP/1.0\r\n\r\n")
    assert blocks(postern) == {} and counted(postern, source) == {}
    assert postern.ctl("blocking", "show", source, json=True)[1]["value"] is True
    with pytest.raises(ControlError, match=r"\[server\] monitors names 127"):
        postern.ctl("block", "add", source)
    postern.reload({"server": {"monitors": ""}})
    postern.ctl("block", "add", source)
    assert greeting(postern, source).startswith("421") or greeting(postern, source).startswith("554")
    postern.reload({"server": {"monitors": monitors}})
    assert greeting(postern, source).startswith("220")
    with postern.smtp(source=source) as dialog:
        dialog.login(LOGIN, PASSWORD)
        dialog.mail()


def test_never_adds_to_loopback(gate):
    """K-13 K-16 [plugin blocking] never adds to the monitors: loopback stays unless [server] monitors says otherwise."""
    postern = gate({"server": {"monitors": None}}, {"never": "192.0.2.0/24", "auth-failures": "3/10m"})
    for _ in range(5):
        with postern.smtp(source=CLIENT) as dialog:
            dialog.hello()
            dialog.auth(LOGIN, "wrong")
    assert blocks(postern) == {}


def test_probes_of_strangers(gate):
    """K-16 from elsewhere QUIT is no offence, and a TLS probe is no violation of the protocol; it counts as a probe, once."""
    postern = gate(blocking={"connections": "off", "probes": "100/10m"})
    for _ in range(40):
        touch(postern.ports["submission"], CLIENT, last=b"QUIT\r\n")
    for _ in range(10):
        touch(postern.ports["submission"], CLIENT, HELLO)
        touch(postern.ports["smtps"], CLIENT, HELLO, reads=False)
    assert blocks(postern) == {}
    assert counted(postern, CLIENT) == {"probes": 20}


def test_behind_a_proxy(gate):
    """K-16 neither the proxy's own checks nor what its clients do are counted against the proxy; each client is."""
    port = free_port()
    postern = gate({"listener proxied": {"addresses": "127.0.0.1", "ports": port, "proxies": PROXY, "auth-without-tls": "yes"},
                    "clients": {"connections": "3"}}, {"probes": "5/10m", "connections": "off"})
    own = b"PROXY TCP4 %s 127.0.0.1 4711 587\r\n" % PROXY.encode()
    for _ in range(30):
        touch(port, PROXY, LOCAL)
        touch(port, PROXY, LOCAL + HELLO, reads=False)
        touch(port, PROXY, b"PROXY UNKNOWN\r\n")
        touch(port, PROXY, own)
        touch(port, PROXY, reads=False)
        touch(postern.ports["submission"], PROXY)   # its checks may go elsewhere
    assert blocks(postern) == {} and counted(postern, PROXY) == {}
    assert "no PROXY header" not in postern.log()
    with pytest.raises(ControlError, match=r"\[listener proxied\] proxies names"):
        postern.ctl("block", "add", PROXY)
    header = b"PROXY TCP4 %s 127.0.0.1 4711 587\r\n" % PROXIED.encode()
    held = []
    for _ in range(3):
        held.append(connect(port, PROXY))
        held[-1].sendall(header)
        assert held[-1].recv(200).startswith(b"220")
    with connect(port, PROXY) as s:
        s.sendall(header)
        assert b"too many connections from " + PROXIED.encode() in s.recv(200)
    for s in held:
        s.close()
    wait_until(lambda: touch(port, PROXY, header) or PROXIED in blocks(postern), "the block of the proxied client")
    with connect(port, PROXY) as s:
        s.sendall(header.replace(PROXIED.encode(), b"198.51.100.8"))
        assert s.recv(200).startswith(b"220")


def test_all_connections_are_nobodys_fault(gate):
    """K-14 a client that comes when all clients together have too many connections did nothing wrong."""
    postern = gate({"server": {"max-connections": "2"}}, {"connections": "3/10m", "probes": "off"})
    held = [postern.smtp(source=OTHER) for _ in range(2)]
    for _ in range(10):
        assert "too many connections" in greeting(postern, CLIENT)
    for dialog in held:
        dialog.close()
    assert blocks(postern) == {}


@pytest.mark.parametrize("how, code", [("for=1h", "421"), ("for=forever", "554")])
def test_a_blocked_client_leaves_a_trace(gate, how, code):
    """K-17 the reply has session id and support line; log and rejection log say once a minute why, and count the others."""
    postern = gate({"server": {"support": "see https://help.example.net/%{cause} or quote %{session}"}})
    postern.ctl("block", "add", CLIENT, how, "reason=sold lists")
    reply = greeting(postern, CLIENT).splitlines()
    assert len(reply) == 2 and reply[0].startswith(code + "-") and "Error: " in reply[0]
    session = re.search(r"\(session ([0-9A-Z]{13})\)", reply[0]).group(1)
    assert reply[1].endswith("see https://help.example.net/policy or quote " + session)
    for _ in range(30):
        assert greeting(postern, CLIENT).startswith(code)
        greeting(postern, CLIENT, "smtps")
    now, *rows = postern.ctl("why", CLIENT, json=True)
    assert now["plugin"] == "operator" and now["cause"] == "sold lists" and now["reply"].startswith("blocked until")
    told = [row for row in rows if row["session"] == session]
    assert len(told) == 1 and told[0]["stage"] == "connect" and told[0]["cause"] == "sold lists" and told[0]["plugin"] == "operator"
    assert told[0]["reply"].startswith(code) and postern.ctl("why", session, json=True) == told
    lines = [line for line in postern.log().splitlines() if "blocked client refused" in line]
    assert 1 <= len(lines) <= 2 and session in lines[0] and "sold lists" in lines[0]
    postern.stop()   # which reports what was left out
    left = [line for line in postern.log().splitlines() if "lines left out" in line and CLIENT in line]
    assert left and "refused at connect, blocked" in left[-1]
    postern.start()
    assert any("more in 60 s" in row["reply"] for row in postern.ctl("why", CLIENT, json=True))


def test_an_open_session_of_a_blocked_client(gate):
    """K-17 the support line is in the 421 that ends it, too."""
    postern = gate({"server": {"support": "quote %{session}"}})
    with postern.smtp(source=CLIENT) as dialog:
        dialog.login(LOGIN, PASSWORD)
        postern.ctl("block", "add", CLIENT)
        reply = dialog.ask("MAIL FROM:<%s>" % LOGIN)
        assert reply.code == 421 and re.search(r"quote [0-9A-Z]{13}$", reply.text)


def test_surplus_has_the_support_line(gate):
    """K-12 K-17 so does the refusal of one connection too many, and why knows of it."""
    postern = gate({"server": {"support": "quote %{session}"}, "clients": {"connections": "1"}})
    with postern.smtp(source=CLIENT):
        reply = greeting(postern, CLIENT).splitlines()
    assert "too many connections from " + CLIENT in reply[0]
    session = re.search(r"quote ([0-9A-Z]{13})$", reply[1]).group(1)
    assert postern.ctl("why", session, json=True)[0]["cause"] == "rate"
