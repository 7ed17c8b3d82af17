"""Connection blocking (letter K of BEHAVIOURS.md) against the real daemon: loopback addresses are the clients."""
import re
import socket
import ssl
import time

import pytest

from postern import LOGIN, PASSWORD, ControlError, free_port, wait_until

CLIENT, OTHER = "127.0.0.5", "127.0.0.6"
OFF = {name: "off" for name in ("logins", "listed", "connections", "errors", "not-smtp", "probes", "relay-attempts", "rejects", "content")}


@pytest.fixture
def gate(make_postern):
    def make(**options):
        return make_postern({"server": {"plugins": "blocking auth sender-rules"},
                             "clients": {"connections": "4"},
                             "plugin blocking": {"never": "192.0.2.0/24", "auth-failures": "3/10m", **OFF, **options}})
    return make


def fail(postern, client=CLIENT, n=3, listener="submission"):
    for _ in range(n):
        with postern.smtp(listener, source=client) as dialog:
            dialog.hello()
            dialog.auth(LOGIN, "wrong")


def greeting(postern, client, listener="submission"):
    """What a client is told when it connects; "" is nothing at all."""
    with socket.create_connection(("127.0.0.1", postern.ports[listener]), timeout=5, source_address=(client, 0)) as s:
        try:
            return s.recv(200).decode()
        except ConnectionResetError:
            return ""


def wait_blocked(postern, client=CLIENT):
    wait_until(lambda: not greeting(postern, client).startswith("220"), "the block of " + client)


def test_block_covers_all(gate):
    """K-01 K-05 K-06 K-09 failures on one port block the address on all, others come in; the operator lifts it."""
    postern = gate()
    fail(postern)
    wait_blocked(postern)
    reply = greeting(postern, CLIENT)
    assert reply.startswith("421 4.7.0") and not re.search(r"\d+ ?(s|m|min|hour)", reply)
    assert greeting(postern, CLIENT, "smtps") == ""
    assert greeting(postern, OTHER).startswith("220")
    rows = postern.ctl("block", "list", json=True)
    assert [row["network"] for row in rows] == [CLIENT] and "failed authentications" in rows[0]["reason"]
    assert "failed authentications" in postern.ctl("block", "show", CLIENT)
    assert "is not blocked" in postern.ctl("block", "show", OTHER)
    postern.ctl("block", "lift", CLIENT)
    assert greeting(postern, CLIENT).startswith("220")
    with postern.smtp(source=CLIENT) as dialog:
        dialog.login(LOGIN, PASSWORD)
        dialog.mail()


def test_operator(gate):
    """K-04 K-09 an operator blocks a network for ever: 554; mistakes are named."""
    postern = gate()
    assert "is blocked" in postern.ctl("block", "add", "127.0.0.4/31", "for=forever", "reason=sold lists")
    for client in ("127.0.0.4", CLIENT):
        assert greeting(postern, client).startswith("554 5.7.1")
    assert greeting(postern, OTHER).startswith("220")
    assert "sold lists" in postern.ctl("block", "show", CLIENT)
    for words, what in [(("add", "127.0.0.5/31"), "host bits"), (("add", "192.0.2.7"), "never names"), (("add", "192.0.0.0/16"), "never names"),
                        (("add", "x"), "not an IP"), (("add", OTHER, "for=soon"), "for"), (("lift", OTHER), "not blocked as such"),
                        (("show", "x"), "which address"), (("nonsense",), "block knows")]:
        with pytest.raises(ControlError, match=what):
            postern.ctl("block", *words)
    postern.ctl("block", "add", OTHER, "for=1s")
    assert greeting(postern, OTHER).startswith("421")
    wait_until(lambda: greeting(postern, OTHER).startswith("220"), "the end of the block")


def test_history_survives(gate):
    """K-03 K-08 the history of offences survives a kill -9: the next block is a repeat."""
    postern = gate(first="1s .. 1s", repeat="1h .. 1h")
    fail(postern)
    wait_blocked(postern)
    wait_until(lambda: greeting(postern, CLIENT).startswith("220"), "the end of the first block")
    assert re.search(r"offences +1 ", postern.ctl("blocking", "show", CLIENT))
    time.sleep(1.2)  # histories are written behind, once a second
    postern.kill()
    postern.start()
    postern.ctl("block", "add", OTHER)
    assert re.search(r"offences +1 ", postern.ctl("blocking", "show", CLIENT))
    postern.reload({"plugin blocking": {"auth-failures": "1/10m"}})
    wait_until(lambda: fail(postern, n=1) or "offence 2" in postern.ctl("block", "list"), "the second offence", 60)


def test_block_survives_kill(gate):
    """K-08 a block is on disk when it holds."""
    postern = gate()
    fail(postern)
    wait_blocked(postern)
    postern.kill()
    postern.start()
    assert greeting(postern, CLIENT).startswith("421")


def test_surplus_only(gate):
    """K-12 too many connections at once: 421 for those beyond the limit, the others go on."""
    postern = gate()
    dialogs = [postern.smtp(source=CLIENT) for _ in range(4)]
    assert "too many connections" in greeting(postern, CLIENT)
    for dialog in dialogs:
        dialog.hello()
        dialog.close()
    wait_until(lambda: greeting(postern, CLIENT).startswith("220"), "room for another")


def test_surplus_counts(gate):
    """K-10 who goes on beyond the limit is blocked; the sessions it has end at their next MAIL."""
    postern = gate(connections="20/10m")
    with postern.smtp(source=CLIENT) as dialog:
        dialog.login(LOGIN, PASSWORD)
        held = [postern.smtp(source=CLIENT) for _ in range(3)]
        for _ in range(25):
            greeting(postern, CLIENT)
        wait_until(lambda: "too many connections" in postern.ctl("block", "list"), "the block")
        dialog.expect("421 4.7.0", "MAIL FROM:<%s>" % LOGIN)
        for other in held:
            other.close()


def test_before_tls_and_sessions(gate):
    """A blocked client makes no session: nothing of it is counted, and no handshake done."""
    postern = gate()
    postern.ctl("block", "add", CLIENT)
    accepted = postern.accepted()
    for _ in range(50):
        greeting(postern, CLIENT)
        greeting(postern, CLIENT, "smtps")
    metrics = {row["metric"]: int(row["value"]) for row in postern.ctl("metrics", json=True)}
    assert metrics["connections.blocked"] == 100 and postern.accepted() == accepted
    with pytest.raises((ssl.SSLError, OSError)):
        context = ssl.create_default_context()
        with socket.create_connection(("127.0.0.1", postern.ports["smtps"]), source_address=(CLIENT, 0)) as s:
            context.wrap_socket(s, server_hostname="mail.example.net")


def test_behind_a_proxy(make_postern):
    """The address that the PROXY header names is the one that is blocked."""
    port = free_port()
    postern = make_postern({"listener proxied": {"addresses": "127.0.0.1", "ports": port, "proxies": "127.0.0.1", "auth": "no",
                                                 "inbound": "yes"}})
    postern.ctl("block", "add", "198.51.100.7")
    for client, start in [("198.51.100.7", "421"), ("198.51.100.8", "220")]:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.sendall(b"PROXY TCP4 %s 127.0.0.1 4711 25\r\n" % client.encode())
            assert s.recv(200).decode().startswith(start if client.endswith("8") else "554")
