"""What a stranger may use: the limits of [clients], and what happens when they are reached."""
import socket

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
    assert rows[0]["connections"] == "2" and rows[0]["new-this-minute"] == "2"
    for dialog in held:
        dialog.hello()
        dialog.close()
    wait_until(lambda: usage(postern, CLIENT)["connections"] == "0", "the end of the connections")
    assert usage(postern, "127.0.0.9") is None
    with pytest.raises(ControlError, match="not an IP address"):
        postern.ctl("clients", "nobody")


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
    assert rows["203.0.113.9"]["connections"] == "2" and rows["203.0.113.9"]["refused"] == "1"
    assert "127.0.0.1" not in rows
    local = socket.create_connection(("127.0.0.1", postern.ports["submission"]))
    local.sendall(b"PROXY UNKNOWN\r\n")
    assert local.recv(100).startswith(b"220")
    assert "127.0.0.1" not in usage(postern)
    for each in held + others + [local]:
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
    assert usage(postern, CLIENT)["refused"] == "0"
