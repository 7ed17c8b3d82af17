"""What a stranger may use: the limits of [clients], and what happens when they are reached."""
import os
import socket
import subprocess
import threading
import time

from clamd import Hanging
from postern import LOGIN, Dialog, ControlError, wait_until

import pytest

CLIENT, OTHER = "127.0.0.5", "127.0.0.6"


def usage(postern, client=None):
    """posternctl clients: {client: row}; with `client` its row."""
    rows = {row["client"]: row for row in postern.ctl("clients", *([client] if client else []), json=True)}
    return rows.get(client) if client else rows


def proxied(postern, client):
    return Dialog(postern.ports["submission"], greet=False, first=b"PROXY TCP4 %s 127.0.0.1 4711 25\r\n" % client.encode())


def test_clients(make_postern, sink):
    """posternctl clients shows who uses what, by network, most connections first."""
    postern = make_postern(sink=sink)
    held = [postern.smtp(source=CLIENT) for _ in range(2)] + [postern.smtp(source=OTHER)]
    rows = postern.ctl("clients", json=True)
    assert [row["client"] for row in rows][:2] == [CLIENT, OTHER]
    assert rows[0]["connections"] == 2 and rows[0]["new-this-minute"] == 2
    for dialog in held:
        dialog.hello()
        dialog.close()
    wait_until(lambda: usage(postern, CLIENT)["connections"] == 0, "the end of the connections")
    assert usage(postern, "127.0.0.9") is None
    with pytest.raises(ControlError, match="not an IP address"):
        postern.ctl("clients", "nobody")


def test_accounts(make_postern, make_sink):
    """posternctl clients shows what accounts use, too: while they have a session, or mail on its way out."""
    gate = threading.Event()

    def hold(message):
        assert gate.wait(30)
        return "250 2.0.0 Ok"
    postern = make_postern(sink=make_sink(replies={".": hold}))
    with postern.session() as dialog:
        rows = postern.ctl("clients", json=True)
        assert rows[-1]["client"] == LOGIN and rows[-1]["lookups"] == 0 and rows[-1]["connections"] is None
        dialog.mail()
        wait_until(lambda: usage(postern)[LOGIN]["deliveries"] == 1, "the delivery")
    assert postern.ctl("clients", LOGIN.upper(), json=True)[0]["deliveries"] == 1
    gate.set()
    wait_until(lambda: LOGIN not in usage(postern), "the end of the delivery")
    assert postern.ctl("clients", LOGIN, json=True) == []


def test_proxied_client_counts(make_postern, sink):
    """Behind PROXY the client is counted, never the proxy: one client at its limit leaves room for the others."""
    postern = make_postern({"clients": {"connections": "2"}, "listener submission": {"proxies": "127.0.0.1/32"}}, sink=sink)
    held = [proxied(postern, "203.0.113.9") for _ in range(2)]
    for dialog in held:
        dialog.expect("220")
    with proxied(postern, "203.0.113.9") as surplus:
        surplus.expect("421 4.7.0 mail.example.net Error: too many connections from 203.0.113.9")
        assert surplus.is_closed()
    others = [proxied(postern, "203.0.113.%d" % n) for n in range(20, 26)]
    for dialog in others:
        dialog.expect("220")
    rows = usage(postern)
    assert rows["203.0.113.9"]["connections"] == 2 and rows["203.0.113.9"]["refused"] == 1
    assert "127.0.0.1" not in rows
    local = socket.create_connection(("127.0.0.1", postern.ports["submission"]))
    local.sendall(b"PROXY UNKNOWN\r\n")
    assert local.recv(100).startswith(b"220")
    assert "127.0.0.1" not in usage(postern)
    for each in held + others + [local]:
        each.close()


def header_v2(client):
    """A PROXY header of version 2."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    size = 36 if ":" in client else 12
    local = "::1" if ":" in client else "127.0.0.1"
    return b"\r\n\r\n\0\r\nQUIT\n\x21" + (b"\x21" if ":" in client else b"\x11") + size.to_bytes(2, "big") \
        + socket.inet_pton(family, client) + socket.inet_pton(family, local) + b"\x12\x34\0\x19"


def test_proxied_clients_beyond_their_budget(make_postern, sink):
    """What is beyond a budget is answered to the proxied client by its address, in both forms of the header; an IPv6 client is its
    /64, a mapped IPv4 address is the IPv4 client; with implicit TLS nothing is said in clear."""
    postern = make_postern({"clients": {"connections": "2", "commands": "20", "log-lines": "5"},
                            "listener submission": {"proxies": "127.0.0.1/32"},
                            "listener smtps": {"proxies": "127.0.0.1/32"}}, sink=sink)

    def connect(client, **more):
        return Dialog(postern.ports["submission"], greet=False, first=header_v2(client), **more)

    held = []
    for client in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "::ffff:203.0.113.9", "203.0.113.9"):
        held.append(connect(client))
        held[-1].expect("220")
    for client, named in (("2001:db8:1:2::77", "2001:db8:1:2::77"), ("::ffff:203.0.113.9", "203.0.113.9"), ("203.0.113.9", "203.0.113.9")):
        with connect(client) as surplus:
            assert surplus.reply().text.endswith("421 4.7.0 mail.example.net Error: too many connections from " + named)
            assert surplus.is_closed()
    with Dialog(postern.ports["smtps"], greet=False, first=header_v2("203.0.113.9")) as surplus:
        assert surplus.is_closed()
    rows = usage(postern)
    assert rows["2001:db8:1:2::/64"]["connections"] == 2 and rows["2001:db8:1:2::/64"]["refused"] == 1
    assert rows["2001:db8:1:3::/64"]["connections"] == 1 and rows["203.0.113.9"]["refused"] == 3
    assert "127.0.0.1" not in rows
    # commands, and lines of the log
    for _ in range(2):
        held[2].send_raw(b"FROBNICATE\r\n" * 15)
        codes = [line[:3] for line in held[2].rest()]
        if "421" in codes:
            break
        held[2] = connect("2001:db8:1:3::1")
        held[2].expect("220")
    assert "421" in codes
    postern.stop()
    lines = [line for line in postern.log().splitlines() if "2001:db8:1:3::1" in line]
    assert len(lines) <= 12   # a minute may begin in between
    assert any("lines left out" in line and "2001:db8:1:3::/64" in line for line in postern.log().splitlines())
    for each in held:
        each.close()


def test_connection_rate(make_postern, sink):
    """More new connections a minute than allowed get 421; another client is served."""
    postern = make_postern({"clients": {"connection-rate": "5"}}, sink=sink)
    replies = []
    for _ in range(12):
        with Dialog(postern.ports["submission"], source=CLIENT, greet=False) as dialog:
            replies.append(dialog.reply().code)
    assert 421 in replies and replies.count(220) <= 10   # a minute may begin in between
    with postern.smtp(source=OTHER) as dialog:
        dialog.hello()


def test_commands_before_authentication(make_postern, sink):
    """Commands a minute of one client, over all its connections, until it has authenticated."""
    postern = make_postern({"clients": {"commands": "50"}}, sink=sink)
    with postern.session() as dialog:
        for _ in range(60):
            dialog.expect("250", "NOOP")
        codes = []
        for _ in range(12):
            with postern.smtp(source=CLIENT) as other:
                other.send_raw(b"EHLO client.example.net\r\n" + b"HELP\r\n" * 9)
                codes += [int(line[:3]) for line in other.rest()]
        assert 421 in codes
        dialog.mail()
    sink.wait(1)


def test_office_and_application_are_not_limited(make_postern, sink):
    """Fifty people behind one address with four connections each, and an application with 467 submissions in a row."""
    postern = make_postern({"log": {"level": "info"}}, sink=sink)
    held = [postern.smtp(source=CLIENT) for _ in range(200)]
    for dialog in held:
        dialog.hello()
    for _ in range(467):
        with postern.smtp(source=CLIENT) as dialog:
            dialog.login()
            dialog.mail(LOGIN)
    for dialog in held:
        dialog.expect("221", "QUIT")
        dialog.close()
    assert postern.accepted() == 467
    assert usage(postern, CLIENT)["refused"] == 0


# ---- slow clients ----

QUICK = {"idle-timeout": "1s", "min-data-rate": "256", "max-junk": "100000"}


def drip(dialog, octets, seconds=0.2, most=100):
    """Sends `octets` again and again, in pieces, until the server says something; how often."""
    dialog.socket.settimeout(seconds)
    for n in range(most):
        try:
            dialog.send_raw(octets)
            got = dialog.socket.recv(65536)
            assert got, "closed without a word"
            dialog.pending += got
            break
        except (TimeoutError, socket.timeout):
            continue
    dialog.socket.settimeout(10)
    return n


def test_slow_command(make_postern, sink):
    """A command that comes octet by octet has the time of a command, and no more."""
    postern = make_postern({"server": QUICK}, sink=sink)
    with postern.smtp() as dialog:
        assert drip(dialog, b"N") < 20
        dialog.expect("421 4.4.2")
        assert dialog.is_closed()


def test_slow_message(make_postern, sink):
    """DATA and BDAT below the rate are cut; a message that keeps the rate is not, however old the session."""
    postern = make_postern({"server": {**QUICK, "session-max-time": "2s"}}, sink=sink)
    with postern.session() as slow:
        slow.expect("250", "MAIL FROM:<%s>" % LOGIN)
        slow.expect("250", "RCPT TO:<rcpt@example.org>")
        slow.expect("354", "DATA")
        assert drip(slow, b"x") < 20
        slow.expect("421 4.4.2 mail.example.net Error: the message comes too slowly")
        assert slow.is_closed()
    with postern.session() as slow:
        slow.expect("250", "MAIL FROM:<%s>" % LOGIN)
        slow.expect("250", "RCPT TO:<rcpt@example.org>")
        began = time.monotonic()
        with pytest.raises((AssertionError, OSError)):
            while time.monotonic() - began < 10:
                slow.expect("250", "BDAT 1\r\nx")
                time.sleep(0.2)
        assert time.monotonic() - began < 5
    with postern.session() as steady:
        steady.expect("250", "MAIL FROM:<%s>" % LOGIN)
        steady.expect("250", "RCPT TO:<rcpt@example.org>")
        steady.expect("354", "DATA")
        for _ in range(16):
            steady.send_raw(b"x" * 198 + b"\r\n")
            time.sleep(0.25)
        steady.expect("250 2.0.0", ".")
    sink.wait(1)


def test_session_age_in_every_state(make_postern, sink):
    """A session without mail ends at session-max-time, though it is never idle; one with an envelope an idle-timeout later."""
    postern = make_postern({"server": {"max-junk": "100000", "session-max-time": "1s", "idle-timeout": "2s"}}, sink=sink)
    for begins in (False, True):
        with postern.session() as dialog:
            began = time.monotonic()
            if begins:
                dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            replies = []
            while time.monotonic() - began < 8 and (not replies or replies[-1].code == 250):
                replies.append(dialog.ask("NOOP"))
                time.sleep(0.1)
            assert str(replies[-1]).startswith("421 4.3.0") or "lasted too long" in replies[-1].text
            assert (time.monotonic() - began > 2.5) == begins


def test_unread_replies(make_postern, sink):
    """A client that asks and does not read is dropped."""
    postern = make_postern({"server": {**QUICK, "max-junk": "100000", "max-commands": "1000000000", "hard-errors": "10000"},
                            "clients": {"commands": "1000000000"}}, sink=sink)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", postern.ports["submission"]))
    assert client.recv(200).startswith(b"220")
    client.setblocking(False)
    try:
        for _ in range(2000):   # more replies than buffers take
            client.sendall(b"EHLO client.example.net\r\n" * 50)
    except BlockingIOError:
        pass
    postern.wait_log("connection dropped .*does not read its replies")
    wait_until(lambda: usage(postern).get("127.0.0.1", {"connections": 0})["connections"] == 0, "the end of the connection")
    client.close()


COMMANDS = 40000   # their replies are several MiB, more than the system keeps for a connection
FLOODED = {"max-commands": str(COMMANDS - 1), "max-junk": "100000", "hard-errors": "10000"}


def limited(postern, name):
    return [row for row in postern.ctl("metrics", json=True) if row["metric"] == "limit.%s" % name]


def send_all(client, octets):
    try:
        client.sendall(octets)
    except OSError:
        pass   # it was dropped


def flood(postern):
    """A client that asks and does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", postern.ports["submission"]))
    assert client.recv(200).startswith(b"220")
    threading.Thread(target=send_all, args=(client, b"EHLO client.example.net\r\n" * COMMANDS), daemon=True).start()
    return client


@pytest.mark.parametrize("most, is_all", [("4K", False), ("64M", True)])
def test_unread_replies_stop_reading(make_postern, sink, most, is_all):
    """[server] max-unread: with so many octets unread no further command is read."""
    postern = make_postern({"server": {"max-unread": most, **FLOODED}, "clients": {"commands": "10000000"}}, sink=sink)
    with flood(postern):
        if is_all:
            wait_until(lambda: limited(postern, "max-commands"), "the last command")
        else:
            time.sleep(3)
            assert not limited(postern, "max-commands")


def test_last_reply_has_a_time(make_postern, sink):
    """[server] last-reply-timeout: a session that ended waits no longer for a client that does not read."""
    postern = make_postern({"server": {"last-reply-timeout": "1s", "max-unread": "64M", **FLOODED},
                            "clients": {"commands": "10000000"}, "log": {"level": "info"}}, sink=sink)
    with flood(postern):
        wait_until(lambda: limited(postern, "max-commands"), "the last command")
        wait_until(lambda: usage(postern)["127.0.0.1"]["connections"] == 0, "the end of the connection", 20)


def octets_in_kernel(client, port):
    """Those that `client` sent and the server did not read."""
    own = client.getsockname()[1]
    total = 0
    with open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            words = line.split()
            ends = [int(end.split(":")[1], 16) for end in words[1:3]]
            sent, received = (int(size, 16) for size in words[4].split(":"))
            total += sent if ends == [own, port] else received if ends == [port, own] else 0
    return total


@pytest.mark.parametrize("ahead", [4096, 100000])
def test_octets_ahead(make_postern, sink, ahead):
    """[server] max-ahead: while a hook waits for its server, so much is read of what the client sends meanwhile."""
    hanging, size = Hanging(), 300000
    postern = make_postern({"server": {"plugins": "auth clamav", "max-ahead": str(ahead), "chain-deadline": "10m"},
                            "plugin clamav": {"server": "127.0.0.1:%d" % hanging.port, "deadline": "1m"}}, sink=sink)
    try:
        with postern.session() as dialog:
            for command in ("MAIL FROM:<%s>" % LOGIN, "RCPT TO:<rcpt@example.org>"):
                dialog.expect("250", command)
            dialog.expect("354", "DATA")
            dialog.send_raw(b"Subject: test\r\n\r\nHello.\r\n.\r\n")
            wait_until(lambda: hanging.connections > 0, "the question to the scanner")
            dialog.send_raw(b"NOOP\r\n" * (size // 6))
            wait_until(lambda: octets_in_kernel(dialog.socket, postern.ports["submission"]) < size - ahead + 1, "octets to be read")
            time.sleep(0.5)
            assert size - ahead - 65536 <= octets_in_kernel(dialog.socket, postern.ports["submission"]) <= size - ahead
    finally:
        hanging.close()


def test_slow_handshake(make_postern, sink):
    """A TLS handshake, and a PROXY header, have their time."""
    postern = make_postern({"server": {"handshake-timeout": "1s"}, "listener submission": {"proxies": "127.0.0.1/32"}}, sink=sink)
    for listener, octets in (("smtps", b"\x16\x03\x01\x02\x00\x01"), ("submission", b"PROXY TCP4 192.0.2.1")):
        with socket.create_connection(("127.0.0.1", postern.ports[listener])) as client:
            client.settimeout(10)
            client.sendall(octets)
            began = time.monotonic()
            try:
                assert client.recv(100) in (b"",)
            except ConnectionResetError:
                pass
            assert time.monotonic() - began < 5


# ---- unfinished messages ----

MIB = 1 << 20


def begin_message(postern, source=None):
    dialog = postern.smtp(source=source)
    dialog.login()
    dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
    dialog.expect("250", "RCPT TO:<rcpt@example.org>")
    dialog.expect("354", "DATA")
    return dialog


def send_lines(dialog, octets):
    line = b"x" * 998 + b"\r\n"
    for _ in range(octets // (1000 * 50)):
        dialog.send_raw(line * 50)


def test_unfinished_octets_of_a_client(make_postern, sink):
    """One client's unfinished messages have a limit; what is beyond gets 452, others are not concerned."""
    postern = make_postern({"clients": {"unfinished": "3M"}}, sink=sink)
    with begin_message(postern, CLIENT) as first, begin_message(postern, CLIENT) as second, begin_message(postern, OTHER) as other:
        send_lines(first, 2 * MIB)
        wait_until(lambda: int(usage(postern, CLIENT)["unfinished-octets"]) > 1900000, "the octets")
        send_lines(second, 2 * MIB)
        second.expect("452 4.3.1 Error: too much unfinished mail from your network", ".")
        send_lines(other, 2 * MIB)
        other.expect("250", ".")
        first.expect("250", ".")
    wait_until(lambda: usage(postern, CLIENT)["unfinished-octets"] == 0, "room again")
    with begin_message(postern, CLIENT) as again:
        send_lines(again, 2 * MIB)
        again.expect("250", ".")
    sink.wait(3)


@pytest.fixture
def small_volume(tmp_path):
    """A volume of 700 MB for a spool."""
    place = tmp_path / "volume"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_messages_leave_keep_free(make_postern, small_volume):
    """Six connections that fill the volume by DATA are refused before it is full; then there is room again."""
    postern = make_postern({"spool": {"directory": small_volume / "spool", "keep-free": "200M"},
                            "listener submission": {"auth-without-tls": "yes"}})
    least, dialogs = [1 << 40], [begin_message(postern) for _ in range(6)]

    def fill(dialog):
        send_lines(dialog, 150 * MIB)

    threads = [threading.Thread(target=fill, args=(dialog,)) for dialog in dialogs]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        status = os.statvfs(small_volume)
        least[0] = min(least[0], status.f_bavail * status.f_frsize)
        time.sleep(0.01)
    replies = [dialog.ask(".") for dialog in dialogs]
    assert {reply.code for reply in replies} <= {250, 452} and 452 in {reply.code for reply in replies}
    assert least[0] > 190 * MIB, "only %d MB were left" % (least[0] // MIB)
    for dialog in dialogs:
        dialog.close()
    for row in postern.queue():
        postern.ctl("queue", "remove", row["id"])
    wait_until(lambda: usage(postern, "127.0.0.1")["unfinished-octets"] == 0, "the end of the messages")
    postern.send()


# ---- the log ----

def test_lines_of_refused_connections(make_postern, sink):
    """Where nobody more may connect at all, refused connections count as the client's, and their lines do, too."""
    postern = make_postern({"server": {"max-connections": "1"},
                            "clients": {"log-lines": "5", "connection-rate": "40"}}, sink=sink)
    with Dialog(postern.ports["submission"], source=OTHER):
        for _ in range(30):
            with Dialog(postern.ports["submission"], source=CLIENT, greet=False) as dialog:
                assert dialog.reply().code == 421
        row = usage(postern, CLIENT)
        assert row["connections"] == 0 and 1 <= int(row["new-this-minute"]) <= 30
        for _ in range(100):   # beyond the rate, in whichever minute
            with Dialog(postern.ports["submission"], source=CLIENT, greet=False) as dialog:
                assert dialog.reply().code == 421
    postern.stop()   # tells what is not told yet
    lines = [line for line in postern.log().splitlines() if CLIENT in line and "connection refused" in line]
    assert any("limit=all-connections" in line for line in lines)
    told = [line for line in lines if "lines left out" in line]
    assert told and len(lines) - len(told) <= 10   # a minute may begin in between


def test_log_lines(make_postern, sink):
    """A client gets so many lines a minute, in log and rejection log; the rest is counted, and told of once."""
    postern = make_postern({"clients": {"log-lines": "20"}, "server": {"hard-errors": "10000", "soft-errors": "10000"}}, sink=sink)
    with postern.smtp(source=CLIENT) as dialog:
        for _ in range(10):
            dialog.send_raw(b"FROBNICATE\r\n" * 100)
            for _ in range(100):
                dialog.expect("500")
    postern.stop()   # tells what is not told yet
    lines = [line for line in postern.log().splitlines() if CLIENT in line]
    assert len(lines) <= 45   # a minute may begin in between
    told = [line for line in lines if "lines left out" in line]
    assert told and sum(int(line.split('text="')[1].split(" more")[0]) for line in told) >= 955
    postern.start()
    rows = postern.ctl("why", CLIENT, json=True)
    assert len(rows) <= 45 and any("more in 60 s" in row["reply"] for row in rows)
