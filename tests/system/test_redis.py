"""Daemons that share a real Redis: an account's change, a Redis that is gone, what it costs."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from postern import LOGIN, PASSWORD, Dialog, free_port, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")


class Redis:
    def __init__(self, place):
        self.place, self.port = place, free_port()
        self.place.mkdir()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.place, "--appendonly", "yes",
             "--appendfsync", "always"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.ask("PING") == "PONG", "redis-server")

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True).stdout.strip()

    def url(self, database=0):
        return "redis://127.0.0.1:%d/%d" % (self.port, database)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def options(self, **more):
        return {"directory": {"at": self.url(0), "deadline": "300ms"}, "store": {"at": self.url(1), "deadline": "300ms"},
                **more}


@pytest.fixture
def redis(tmp_path):
    redis = Redis(tmp_path / "redis")
    yield redis
    redis.signal(signal.SIGCONT)
    redis.stop()


def answers(postern, login, password):
    """The reply to AUTH, in a session of its own."""
    with postern.smtp() as dialog:
        dialog.ask("EHLO client.example.net")
        return dialog.auth(login, password)


def metric(postern, name):
    rows = {row["metric"]: int(row["value"]) for row in postern.ctl("metrics", json=True)}
    return rows.get(name, 0)


def let_look(postern):
    """Waits until the daemon has looked for changes twice: what was changed before is not forgotten any more."""
    before = metric(postern, "directory.round-trips")
    wait_until(lambda: metric(postern, "directory.round-trips") >= before + 3, "two looks")


def test_two_nodes_share_accounts(make_postern, sink, redis):
    """DESIGN 6: what one node changes, the other goes by within a second: password, disabling, an open session."""
    one = make_postern(redis.options(server={"node": "1"}), sink=sink)
    other = make_postern(redis.options(server={"node": "2"}), sink=sink, with_account=False)
    assert " directory redis 127.0.0.1:%d ok (" % redis.port in other.ctl("status")
    doctor = [line.split() for line in one.ask("doctor").stdout.decode().splitlines()]
    assert [words[0] for words in doctor if words[1] in ("directory", "store")] == ["ok", "ok"]
    assert answers(other, LOGIN, PASSWORD).code == 235
    one.set_password(LOGIN, "another one")
    changed = time.monotonic()
    wait_until(lambda: answers(other, LOGIN, "another one").code == 235, "the new password", 1)
    assert time.monotonic() - changed < 1.5
    assert answers(other, LOGIN, PASSWORD).code == 535
    with other.session(LOGIN, "another one") as dialog:
        dialog.mail(LOGIN, "x@example.org")
        one.ctl("account", "disable", LOGIN, "reason=ticket 812")
        disabled = time.monotonic()
        while True:
            reply = dialog.ask("MAIL FROM:<%s>" % LOGIN)
            if reply.code == 421:
                break
            assert reply.code == 250 and time.monotonic() - disabled < 1.5
            dialog.ask("RSET")
            time.sleep(0.05)  # a session that does nothing else is ended for junk
        assert "ticket 812" in reply
    sink.wait(1)


def test_redis_is_gone(make_postern, sink, redis):
    """Issue 5.2: mail taken before is delivered, a login verified of late is served, all else 454; it comes back."""
    postern = make_postern(redis.options(), sink=sink)
    postern.add_account("other@example.net", PASSWORD)
    let_look(postern)
    with postern.session() as dialog:
        sink.replies["MAIL"] = ["450 4.2.0 later"]
        queued = dialog.mail(LOGIN, "rcpt@example.org")
        sink.wait_command("MAIL", 1)
        redis.signal(signal.SIGSTOP)
        wait_until(lambda: postern.alarms().keys() >= {"directory.away", "store.away"}, "the alarms")
        assert re.search(r"AWAY.* alarms: .*directory\.away.*store\.away", postern.ctl("status"))
        postern.ctl("queue", "retry", queued)
        sink.wait(1)
        dialog.mail(LOGIN, "rcpt@example.org")  # the open session goes on, and its mail is delivered
        sink.wait(2)
    begun = time.monotonic()
    assert answers(postern, LOGIN, PASSWORD).code == 235
    assert time.monotonic() - begun < 1  # a slow Redis is no slow gateway
    postern.send()
    sink.wait(3)
    for login, password in ((LOGIN, "wrong"), ("other@example.net", PASSWORD), ("nobody@example.net", PASSWORD)):
        assert answers(postern, login, password).text.startswith("454 4.7.0"), login
    redis.signal(signal.SIGCONT)
    wait_until(lambda: answers(postern, "other@example.net", PASSWORD).code == 235, "the other login")
    assert answers(postern, LOGIN, "wrong").code == 535
    wait_until(lambda: "0 alarms" in postern.ctl("status"), "no alarm")


COMMANDS = [("account", "show", LOGIN), ("account", "set", LOGIN, "identities=a@example.net"), ("account", "disable", LOGIN),
            ("account", "enable", LOGIN), ("account", "passwd", LOGIN, "--password-file", "-"), ("account", "remove", LOGIN),
            ("account", "add", "new@example.net", "--password-file", "-"), ("account", "list"), ("customer", "show", "acme"),
            ("customer", "set", "acme", "primary=a@example.net"), ("customer", "disable", "acme"), ("customer", "remove", "acme"),
            ("customer", "add", "new"), ("customer", "list"), ("domain", "show", "example.net"), ("domain", "remove", "example.net"),
            ("domain", "set", "example.net", "mode=hold"), ("domain", "add", "new.example", "customer=acme"), ("domain", "list"),
            ("recipient", "show", "r@example.net"), ("recipient", "add", "r@example.net"), ("recipient", "list", "example.net"),
            ("usage", LOGIN), ("usage", "acme"), ("complaint", "list", LOGIN), ("complaint", "add", LOGIN), ("block", "list"),
            ("block", "show", "192.0.2.1"), ("block", "lift", "192.0.2.1"),
            ("iphelper", "list"), ("iphelper", "show", "example.net"), ("export",), ("import", "-")]


def test_absent_is_not_unknown(make_postern, sink, redis):
    """While the directory cannot be read no command says that something is not there, or that nothing is."""
    postern = make_postern(redis.options(server={"plugins": "auth sender-rules limits standing iphelper bcc-mirror"},
                                         **{"plugin bcc-mirror": {"secret": "sixteen characters or more", "bounce-domain": "b.example.net"}}), sink=sink)
    redis.signal(signal.SIGSTOP)
    wait_until(lambda: postern.ctl("status").count("AWAY") == 2, "directory and store to be away")
    wrong = []
    for command in COMMANDS:
        done = postern.ask(*command, input="[customer other]\n" if command[0] == "import" else "password\n")
        said = (done.stdout + done.stderr).decode()
        if done.returncode != 1 or re.search(r"there is no (?!option)|[Nn]ot found|does not exist|is not blocked", said):
            wrong.append((command, done.returncode, said))
    assert not wrong, "\n".join(map(str, wrong))


def test_loops_do_not_wait(make_postern, sink, redis):
    """While some sessions wait for a Redis that hangs, all others are answered at once."""
    postern = make_postern(redis.options(), sink=sink)
    let_look(postern)
    waiting = [postern.session() for _ in range(4)]
    others = [postern.smtp() for _ in range(16)]
    redis.signal(signal.SIGSTOP)
    for i, dialog in enumerate(waiting):  # a domain that nobody asked for yet
        dialog.send("MAIL FROM:<%s>" % LOGIN)
        dialog.send("RCPT TO:<x@cold%d.example.org>" % i)
    begun = time.monotonic()
    for dialog in others:
        assert dialog.ask("EHLO client.example.net").code == 250
        assert dialog.ask("NOOP").code == 250
    assert time.monotonic() - begun < 0.25
    for dialog in waiting:
        assert dialog.reply().code == 250 and dialog.reply().code == 250  # a submitter is not told: it is taken, and waits
    assert time.monotonic() - begun > 0.25, "nobody waited: the test shows nothing"
    for dialog in waiting + others:
        dialog.close()


def test_redis_is_killed(make_postern, sink, redis):
    """What the directory acknowledged is there after a crash of the Redis; a daemon starts without it; mail that had to wait
    for it goes on by itself."""
    postern = make_postern(redis.options(), sink=sink)
    postern.add_account("other@example.net", PASSWORD)
    sink.replies["MAIL"] = ["450 4.2.0 later"]
    postern.send()
    sink.wait_command("MAIL", 1)
    redis.stop()
    postern.restart()
    assert answers(postern, LOGIN, PASSWORD).text.startswith("454 4.7.0")
    postern.ctl("queue", "retry", postern.queue()[0]["id"])  # to a domain of which nothing is known now
    postern.wait_log("the directory cannot be reached")
    redis.start()
    wait_until(lambda: answers(postern, "other@example.net", PASSWORD).code == 235, "the login")
    sink.wait(1)  # by itself


def test_round_trips_when_warm(make_postern, sink, redis, dns):
    """Issue 5: none for the directory when it is warm, at most 3 a message for the store with the plugins that use it."""
    plugins = "blocking auth sender-rules ipfilter restrictions limits"
    postern = make_postern({**dns, **redis.options(server={"plugins": plugins})}, sink=sink)
    let_look(postern)
    for _ in range(2):
        postern.send("rcpt@ours.example.org")
    sink.wait(2)

    def quiet():
        """Round trips of half a second without mail: the looks for changes."""
        before = metric(postern, "directory.round-trips")
        time.sleep(0.5)
        return metric(postern, "directory.round-trips") - before
    begun, before = time.monotonic(), metric(postern, "directory.round-trips")
    stored = metric(postern, "store.round-trips")
    for _ in range(20):
        postern.send("rcpt@ours.example.org")
    sink.wait(22)
    took, after = time.monotonic() - begun, metric(postern, "directory.round-trips")
    others = 4  # three for the claim of its number, one for the levels of accounts
    looks = took / 0.5 + 1 + others
    assert after - before <= looks, "%d round trips in %.1f s" % (after - before, took)
    stored = metric(postern, "store.round-trips") - stored
    print("round trips of 20 messages: store %d, directory %d" % (stored, after - before))
    assert 0 < stored <= 3 * 20 + took + 2  # blocks are looked for each second
    assert quiet() <= 2 + others


def test_start_is_refused(make_postern, redis):
    """A directory on a Redis that may evict, or with a wrong password: a sentence, and no start."""
    redis.ask("CONFIG", "SET", "maxmemory", "100mb")
    redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(AssertionError, match="may throw accounts away"):
        make_postern(redis.options())
    redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis.ask("CONFIG", "SET", "requirepass", "secret")
    with pytest.raises(AssertionError, match="it wants a password"):
        make_postern(redis.options())


def test_store_copy(make_postern, tmp_path, sink, redis):
    """A node becomes a cluster and goes back: directory and store are copied, compared, and used on the other side."""
    postern = make_postern(sink=sink)
    postern.add_account("other@example.net", PASSWORD, "enabled=no", "reason=a=b\\c")
    before = postern.ctl("export")
    at = postern.sections["directory"]["at"]
    assert "in use already" in postern.ctl("store", "copy", at, redis.url(0), code=1)
    postern.stop()
    assert postern.ctl("store", "copy", "directory", redis.url(0)).startswith("copied 8 items, all compared")   # 4 of them audit
    assert "not empty" in postern.ctl("store", "copy", "directory", redis.url(0), code=1)
    assert "all compared" in postern.ctl("store", "copy", "store", redis.url(1))
    assert "nothing to copy" in postern.ctl("store", "copy", "memory:", redis.url(1), code=1)
    postern.change(redis.options())
    postern.start()
    assert postern.ctl("export") == before
    assert answers(postern, LOGIN, PASSWORD).code == 235
    postern.set_password(LOGIN, "another one")
    postern.stop()
    back = "sqlite:%s" % (tmp_path / "back.db")
    assert postern.ctl("store", "copy", "directory", back).startswith("copied 9 items, all compared")   # the new password is one
    assert "all compared" in postern.ctl("store", "copy", back, redis.url(0), "--yes")
    postern.change({"directory": {"at": back}, "store": {"at": "memory:"}})
    postern.start()
    assert answers(postern, LOGIN, "another one").code == 235
    assert postern.ctl("account", "show", "other@example.net") != ""
