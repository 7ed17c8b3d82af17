"""Postern as it is shipped: installed by doc/install.md on a Debian that boots with its own systemd, under the unit."""
import re
import subprocess

import pytest

import booted
from booted_page import Build, Page
from nsd import Nsd
from postern import PASSWORD, Dialog, Sink, certificate_name, client_tls, make_certificate, wait_until

ZONES = {
    "example.org": "@ IN MX 10 mx\nmx IN A 9.9.9.25\n",
    "mail.example.net": "@ IN A 127.0.0.1\n",
    "acme.example": "@ IN MX 10 mail.example.net.\n",
}
HARM = re.compile(r"Scheduled restart job|code=(?:killed|dumped)|status=31/SYS|SIGSYS|core dump|Failed with result.*", re.I)


class World:
    """The machine, what its network has in place of the Internet, and the page that installed it."""

    def __init__(self, place):
        self.machine = booted.Machine(place / "machine")
        self.nsd, self.neighbour, self.sinks = None, None, {}
        try:
            build = Build()
            self.machine.put("/etc/resolv.conf", "nameserver 127.0.0.1\n")
            self.machine.boot()
            self.page = Page(self.machine, build, "doc/install.md", PASSWORD)
            self.connect(place)
            for section in self.page.sections:
                self.page.run(section, self.before_block)
        except BaseException:
            if self.machine.init:
                print(self.machine.journal())  # shown with a failure
            self.close()
            raise

    def connect(self, place):
        """A name server; a relay; mailboxes behind LMTP; and, on a host of its own, an MX host of somebody else."""
        with self.machine.network():
            self.nsd = Nsd(place / "nsd", ZONES, port=53)
            self.sinks = {"relay": Sink(port=2525), "mailboxes": Sink(port=24)}
        self.neighbour = booted.Neighbour(self.machine, "9.9.9.25/24", "9.9.9.1/24")
        with self.neighbour.network():
            self.sinks["mx"] = Sink(host="9.9.9.25", port=25)

    def before_block(self, _, rest, inner):
        """Waits for what the page says has happened by now."""
        if "relay.conf" in rest:
            self.sinks["mx"].wait(1)
        elif "posternctl doctor" in inner:
            self.sinks["mailboxes"].wait(1)

    def close(self):
        for sink in self.sinks.values():
            sink.close()
        if self.nsd:
            self.nsd.close()
        if self.neighbour:
            self.neighbour.close()
        self.machine.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    try:
        booted.check_possible()
        made = World(tmp_path_factory.mktemp("booted"))
    except booted.Impossible as error:
        pytest.skip(str(error))
    yield made
    made.close()


def test_install_page(world):
    print(world.page.said)
