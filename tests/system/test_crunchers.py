"""Work that computes for long: whoever causes much of it delays his own, and not that of others."""
import base64
import os
import select

import pytest

from abuse_contents import entities
from postern import LOGIN, wait_until

CLIENT = "127.0.0.5"
WRONG = base64.b64encode(("\0%s\0wrong" % LOGIN).encode())
PLAIN = b"Subject: test\r\n\r\nHello.\r\n"


def begin(dialog):
    dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
    dialog.expect("250", "RCPT TO:<rcpt@example.org>")
    dialog.expect("354", "DATA")


def threads_of(gate, name):
    tasks = "/proc/%d/task" % gate.process.pid
    return sum(open(os.path.join(tasks, task, "comm")).read().startswith(name) for task in os.listdir(tasks))


def answered(dialogs):
    """How many have something to read."""
    return len(select.select([dialog.socket for dialog in dialogs], [], [], 0)[0])


@pytest.fixture
def gate(make_postern, sink):
    return make_postern({"server": {"plugins": "auth uribl", "max-auth-failures": "1000", "chain-deadline": "10m"},
                         "plugin uribl": {"deadline": "1m"}, "plugin uribl/list": {"zone": "list.test"},
                         "log": {"level": "info"}}, sink=sink)


def test_passwords_do_not_hold_up_messages(gate):
    """Eighty guesses at once, from one address: a message of another is answered before half of them."""
    guessing = [gate.smtp(source=CLIENT) for _ in range(80)]
    for dialog in guessing:
        dialog.hello()
    with gate.session() as session:
        begin(session)
        for dialog in guessing:
            dialog.send_raw(b"AUTH PLAIN " + WRONG + b"\r\n")
        session.send_raw(PLAIN + b".\r\n")
        session.expect("250")
        assert answered(guessing) < len(guessing) / 2
    for dialog in guessing:
        dialog.expect("535")
        dialog.close()


def test_content_of_one_client_does_not_hold_up_others(gate):
    """150 messages of one address that end at once: one of another is answered before half of them."""
    content = entities(4000)   # as much as is kept in memory, so that nothing but the checks is waited for
    heavy = [gate.smtp(source=CLIENT) for _ in range(150)]
    for dialog in heavy:
        dialog.login()
        begin(dialog)
        dialog.send_raw(content)
    wait_until(lambda: int(gate.ctl("clients", CLIENT, json=True)[0]["unfinished-octets"]) >= 149 * len(content),
               "the contents")
    with gate.session() as session:
        begin(session)
        for dialog in heavy:
            dialog.send_raw(b".\r\n")
        session.send_raw(PLAIN + b".\r\n")
        session.expect("250")
        assert answered(heavy) < len(heavy) / 2
    for dialog in heavy:
        dialog.expect("250")
        dialog.close()


def guess_at_once(gate, sources):
    """The codes of one wrong password from each, all sent before one is answered."""
    guessing = [gate.smtp(source=source) for source in sources]
    for dialog in guessing:
        dialog.hello()
    for dialog in guessing:
        dialog.send_raw(b"AUTH PLAIN " + WRONG + b"\r\n")
    codes = [dialog.reply().code for dialog in guessing]
    for dialog in guessing:
        dialog.close()
    return codes


@pytest.mark.parametrize("own, all_clients, sources",
                         [(3, 1000, [CLIENT] * 60), (250, 3, ["127.0.1.%d" % n for n in range(1, 61)])])
def test_so_many_may_wait(make_postern, sink, own, all_clients, sources):
    """[clients] computing and [server] max-computing: what goes beyond is put off at once."""
    gate = make_postern({"server": {"plugins": "auth", "password-threads": "1", "max-computing": str(all_clients)},
                         "clients": {"computing": str(own)}}, sink=sink)
    codes = guess_at_once(gate, sources)
    assert set(codes) == {454, 535}
    assert codes.count(535) >= 3   # and a fourth if one of them is computed before it comes


@pytest.mark.parametrize("content, passwords", [(3, 5), (0, 0)])
def test_threads(make_postern, sink, content, passwords):
    """[server] content-threads and password-threads; 0 follows the processors."""
    processors = os.cpu_count()
    gate = make_postern({"server": {"plugins": "auth uribl", "content-threads": str(content), "password-threads": str(passwords)},
                         "plugin uribl/list": {"zone": "list.test"}}, sink=sink)
    guess_at_once(gate, [CLIENT] * 40)
    heavy = [gate.smtp(source="127.0.2.%d" % n) for n in range(1, 21)]
    for dialog in heavy:
        dialog.login()
        begin(dialog)
        dialog.send_raw(entities(2000))
    for dialog in heavy:
        dialog.send_raw(b".\r\n")
    for dialog in heavy:
        dialog.expect("250")
        dialog.close()
    assert threads_of(gate, "cruncher") == (content or 2 * processors)
    assert threads_of(gate, "hasher") == (passwords or processors)
