"""Fixtures of the system tests; see postern.py."""
import os
import shutil

import pytest

import booted
import netns
from booted_world import World
from kit import Installed
from nsd import Nsd
from postern import Postern, Sink


# Tests of the installed Postern run make in the build directory, and boot one machine: one after the other, in one process.
INSTALLING = {"world", "installed", "staged", "whole"}


def pytest_configure(config):
    """Each process of "make check-system" has a network of its own: no port is taken by another, or by this machine."""
    config.addinivalue_line("markers", "xdist_group(name): tests of a group run in one process, one after the other")
    runs_tests = hasattr(config, "workerinput") or not config.getoption("numprocesses", None)
    if runs_tests and os.geteuid() == 0:
        netns.enter_new()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """With xdist's "loadgroup": a file is one group, since its tests share daemons; the longest group begins."""
    installing = {item.path for item in items if INSTALLING & set(item.fixturenames)}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("installing" if item.path in installing else item.path.stem))
    items.sort(key=lambda item: item.path not in installing)


@pytest.fixture(autouse=True)
def room(tmp_path):
    """Spools are preallocated, some 200 MB each, and pytest keeps what a test leaves: hundreds of them fill a disk."""
    yield
    for spool in list(tmp_path.glob("**/spool")):
        shutil.rmtree(spool, ignore_errors=True)


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


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Postern as `make install` puts it, in a place of its own; see kit.py."""
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Postern under its unit on a booted Debian, as doc/install.md installs it; see booted_world.py."""
    try:
        booted.check_possible()
        made = World(tmp_path_factory.mktemp("booted"))
    except booted.Impossible as error:
        pytest.skip(str(error))
    yield made
    made.close()


@pytest.fixture
def unharmed(world):
    """Nothing was killed, and nothing restarted but by the test itself."""
    yield
    world.check_unharmed()


@pytest.fixture
def same_process(world):
    """The daemon that served before the test serves after it."""
    pid = world.machine.show("postern", "MainPID")
    assert pid != "0"
    yield
    assert world.machine.show("postern", "MainPID") == pid
    world.machine.run("posternctl status")


ZONES = {
    "example.net": """$ORIGIN example.net.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
@ IN MX 10 mail
mail IN A 192.0.2.1
sub IN A 192.0.2.1
a.b IN MX 10 mail
sendonly IN MX 0 .
text IN TXT "no address here"
""",
    "example.org": """$ORIGIN example.org.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
nullmx IN MX 0 .
ours IN MX 10 mail.example.net.
ours IN MX 20 two.mx
two IN MX 10 one.mx
two IN MX 20 two.mx
alone IN A 127.0.0.7
homes IN A 127.0.0.6
homes IN A 127.0.0.7
homes IN AAAA 2001:db8::a
nowhere IN MX 10 gone.mx
one.mx IN A 127.0.0.6
two.mx IN A 127.0.0.7
client IN A 198.18.0.9
liar IN A 198.18.0.1
spf IN TXT "v=spf1 ip4:198.18.0.9 -all"
""",
    "senders.test": """$ORIGIN senders.test.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
one IN MX 10 mx1
second IN MX 10 nobody
second IN MX 20 mx1
dead IN MX 10 nobody
pair IN MX 10 mx1
pair IN MX 10 mx2
two IN MX 10 mx2
three IN MX 10 mx3
hole IN MX 10 blackhole
hole IN MX 20 mx1
self IN MX 10 us
noaddress IN MX 10 absent
plain IN A 127.0.2.1
null IN MX 0 .
mx1 IN A 127.0.2.1
mx2 IN A 127.0.2.2
mx3 IN A 127.0.2.3
nobody IN A 127.0.2.9
us IN A 127.0.2.10
blackhole IN A 192.0.2.1
""",
    "0.18.198.in-addr.arpa": """$ORIGIN 0.18.198.in-addr.arpa.
$TTL 300
@ IN SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 60
@ IN NS ns.example.org.
9 IN PTR client.example.org.
10 IN PTR liar.example.org.
""",
}


@pytest.fixture(scope="session")
def dns(tmp_path_factory):
    """Options for a daemon that knows the two domains by an nsd of ours, and of others only that nobody answers."""
    if not shutil.which("nsd"):
        pytest.skip("needs nsd")
    nsd = Nsd(tmp_path_factory.mktemp("nsd"), ZONES)
    yield {"dns": {"stub-zones": nsd.stub_zones()}}
    nsd.close()
