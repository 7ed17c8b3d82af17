"""Fixtures of the system tests; see postern.py."""
import pytest

from postern import Postern, Sink


@pytest.fixture
def sink():
    """A next hop that takes everything."""
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def make_sink():
    """Makes any number of them."""
    made = []

    def make(*arguments, **more):
        made.append(Sink(*arguments, **more))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def make_postern(tmp_path):
    """Starts any number of daemons; all are stopped, which must be clean."""
    made = []

    def make(options=None, **more):
        made.append(Postern(tmp_path / ("postern%d" % len(made)), options, **more))
        return made[-1]
    yield make
    for each in reversed(made):
        each.stop()


@pytest.fixture
def postern(make_postern, sink):
    """A daemon that delivers to `sink`, with customer acme, domain example.net, account user@example.net."""
    return make_postern(sink=sink)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One daemon for all tests of a file that leave nothing behind; `shared.sink` is its next hop."""
    sink = Sink()
    daemon = Postern(tmp_path_factory.mktemp("shared"), sink=sink)
    yield daemon
    daemon.stop()
    sink.close()
