"""A real Redis that answers and refuses to write, for each of its reasons, and one that comes back empty."""
import os
import shutil
import subprocess

import pytest

from postern import LOGIN, PASSWORD, wait_until
from test_redis import Redis, answers, let_look

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")

PLUGINS = "blocking auth sender-rules limits standing"


@pytest.fixture
def redis(tmp_path):
    redis = Redis(tmp_path / "redis")
    yield redis
    redis.stop()


def few_replicas(redis, is_on):
    redis.ask("CONFIG", "SET", "min-replicas-to-write", "1" if is_on else "0")


def full(redis, is_on):
    redis.ask("CONFIG", "SET", "maxmemory", "1" if is_on else "0")


def no_disk(redis, is_on):
    """A save that fails, as the file that it would rename is a directory."""
    target = redis.place / "dump.rdb"
    if is_on:
        redis.ask("CONFIG", "SET", "save", "3600 1")
        if target.is_file():
            target.unlink()
        (target / "x").mkdir(parents=True)
        redis.ask("BGSAVE")
        wait_until(lambda: "rdb_last_bgsave_status:err" in redis.ask("INFO", "persistence"), "a save that fails")
    else:
        shutil.rmtree(target)
        redis.ask("BGSAVE")
        wait_until(lambda: "rdb_last_bgsave_status:ok" in redis.ask("INFO", "persistence"), "a save that works")
        redis.ask("CONFIG", "SET", "save", "")


def no_permission(redis, is_on):
    redis.ask("ACL", "SETUSER", "default", *(("-@write", "+@read") if is_on else ("+@all",)))


REASONS = {"NOREPLICAS": few_replicas, "OOM": full, "MISCONF": no_disk, "NOPERM": no_permission}


@pytest.fixture
def options(redis):
    return redis.options(server={"plugins": PLUGINS}, **{"plugin limits": {"client-recipients": "1000/1h"}})


@pytest.mark.parametrize("reason", REASONS)
def test_writes_are_refused(make_postern, sink, redis, options, reason):
    """O-31 logins, mail, counters and caches go on, nothing can be changed, and all is as before afterwards."""
    postern = make_postern(options, sink=sink)
    postern.add_account("other@example.net", PASSWORD)
    let_look(postern)
    postern.send()
    REASONS[reason](redis, True)
    postern.send()   # the first one meets the refusal, and is taken, too
    assert answers(postern, "other@example.net", PASSWORD).code == 235   # not verified of late: read, and not remembered
    assert answers(postern, LOGIN, "wrong").code == 535
    for _ in range(5):
        postern.send()
    sink.wait(7)
    wait_until(lambda: "store.refused" in postern.alarms(), "the alarm")
    assert reason in postern.alarms()["store.refused"].replace("can't run this command", "NOPERM"), postern.alarms()
    assert "AWAY for writing" in postern.ctl("status")
    assert "4.3.0" not in postern.log()
    done = postern.ask("customer", "add", "late")
    assert done.returncode == 1
    assert "directory.refused" in postern.alarms()
    REASONS[reason](redis, False)
    wait_until(lambda: not postern.alarms().keys() & {"store.refused", "directory.refused"}, "the end of the alarms")
    postern.ctl("customer", "add", "late")
    postern.send()
    sink.wait(8)
    assert " ok (" in postern.ctl("status")


@pytest.mark.parametrize("when, code", [("share", "250"), ("full", "250"), ("defer", "451")])
def test_limits_as_when_away(make_postern, sink, redis, options, when, code):
    """O-31 `when-away` of the plugin limits decides, as it does when the Redis is gone."""
    options["plugin limits"]["when-away"] = when
    postern = make_postern(options, sink=sink)
    let_look(postern)
    few_replicas(redis, True)
    with postern.session() as dialog:
        for _ in range(2):   # the first one may be what finds out
            dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            dialog.expect("250", "RCPT TO:<rcpt@example.org>")
            reply = dialog.data("Subject: x\n\nx\n")
            wait_until(lambda: "store.refused" in postern.alarms(), "the alarm")
    assert reply.text.startswith(code)


def test_a_node_starts_while_writes_are_refused(make_postern, sink, redis, options):
    """O-31 at a start, too: logins are read, mail goes on."""
    postern = make_postern(options, sink=sink)
    few_replicas(redis, True)
    postern.restart()
    assert answers(postern, LOGIN, PASSWORD).code == 235
    postern.send()
    sink.wait(1)
    few_replicas(redis, False)
    wait_until(lambda: not postern.alarms().keys() & {"store.refused", "directory.refused"}, "the end of the alarms")


def is_put_off(postern, login):
    """Whether a login is answered with 454; what it may be answered with before is no refusal either."""
    reply = answers(postern, login, PASSWORD)
    assert reply.code != 535, reply
    return reply.text.startswith("454 4.7.0")


@pytest.mark.parametrize("is_restarted", [True, False])
def test_comes_back_empty(make_postern, sink, redis, is_restarted):
    """O-32 a directory that lost everything: 454 and an alarm, not 535; init makes it a new one."""
    postern = make_postern(redis.options(), sink=sink)
    postern.add_account("other@example.net", PASSWORD)
    let_look(postern)
    if is_restarted:
        redis.stop()
        for path in sorted(redis.place.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else os.unlink(path)
        redis.start()
    else:
        redis.ask("FLUSHALL")
    for login in ("other@example.net", "nobody@example.net"):
        wait_until(lambda: is_put_off(postern, login), "454")
    wait_until(lambda: "postern:schema" in postern.alarms().get("directory.away", ""), "the alarm")
    done = postern.ask("account", "list")
    assert done.returncode == 1
    assert "directory: the Redis is ready" in postern.ctl("store", "init")
    assert "store: the Redis is ready" in postern.ctl("store", "init")
    wait_until(lambda: answers(postern, "other@example.net", PASSWORD).code == 535, "a new directory")
    assert "directory.away" not in postern.alarms()


def test_a_new_installation(make_postern, sink, redis):
    """O-32 a Redis that nobody made ready serves nobody; `posternctl store init` says what it does, and to what."""
    postern = make_postern(sink=sink)
    assert "needs nothing" in postern.ctl("store", "init")
    postern.stop()
    postern.change(redis.options())
    postern.start()
    assert answers(postern, LOGIN, PASSWORD).text.startswith("454 4.7.0")
    assert "posternctl store init" in postern.alarms()["directory.away"]
    assert redis.ask("GET", "postern:schema") == ""
    postern.ctl("store", "init")
    wait_until(lambda: answers(postern, LOGIN, PASSWORD).code == 535, "an empty directory")
    assert "store init [directory|store]" in postern.ctl("store", "init", "redis://127.0.0.1/3", code=1)
    assert postern.ctl("store", "init", "store") == "store: the Redis is ready.\n"
    assert subprocess.run(["redis-cli", "-p", str(redis.port), "-n", "0", "GET", "postern:schema"], capture_output=True,
                          text=True).stdout.strip() == "1"
