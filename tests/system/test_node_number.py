"""Two daemons with one node number, or on one file, are noticed."""
import shutil

import pytest

from postern import wait_until
from test_redis import redis  # noqa: F401, a fixture

needs_redis = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")


def alarm(postern, name):
    return postern.alarms().get(name)


@needs_redis
def test_a_number_in_use_refuses_the_start(make_postern, redis):
    """Q-19 the second one says who has the number; it starts once the first has stopped, or has a number of its own."""
    one = make_postern(redis.options(server={"node": "5"}), with_account=False)
    with pytest.raises(AssertionError, match=r"node number 5 is in use by another instance, [0-9a-f]{32} .*\[server\] node"):
        make_postern(redis.options(server={"node": "5"}), with_account=False)
    make_postern(redis.options(server={"node": "6"}), with_account=False)
    one.kill()
    one.start()  # the claim of the one that was killed is its own
    one.stop()
    make_postern(redis.options(server={"node": "5"}), with_account=False)


@needs_redis
def test_a_number_that_is_lost_raises_an_alarm(make_postern, redis):
    """Q-19 another instance got the number while this one could not see the Redis: it goes on, with an alarm, until the claim ends."""
    one = make_postern(redis.options(server={"node": "1"}), with_account=False)
    make_postern(redis.options(server={"node": "2"}), with_account=False)
    assert redis.ask("-n", "1", "COPY", "postern:i:node/2", "postern:i:node/1", "REPLACE") == "1"
    text = wait_until(lambda: alarm(one, "node.number"), "the alarm", seconds=40)
    assert "node number 1 is in use by another instance" in text
    assert redis.ask("-n", "1", "DEL", "postern:i:node/1") == "1"
    wait_until(lambda: alarm(one, "node.number") is None, "the end of the alarm", seconds=40)
    assert redis.ask("-n", "1", "EXISTS", "postern:i:node/1") == "1"


@needs_redis
def test_a_start_without_the_redis_checks_later(make_postern, redis):
    """Q-19 it must serve; the number is looked at once the Redis answers."""
    one = make_postern(redis.options(server={"node": "1"}), with_account=False)
    one.kill()
    redis.stop()
    other = make_postern(redis.options(server={"node": "1"}), with_account=False, makes_ready=False)
    redis.start()  # with what it had written: the claim of the first
    wait_until(lambda: alarm(other, "node.number"), "the alarm", seconds=40)


def test_one_file_is_opened_once(make_postern):
    """A SQLite directory, or store, that another daemon uses."""
    one = make_postern(with_account=False)
    for section in ("directory", "store"):
        with pytest.raises(AssertionError, match=r"%s\.db.*(in use|locked|used by)" % section):
            make_postern({section: {"at": "sqlite:%s" % (one.place / ("%s.db" % section))}}, with_account=False)
