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
        self.nsd, self.sinks = None, {}
        try:
            build = Build()
            self.machine.put("/etc/resolv.conf", "nameserver 127.0.0.1\n")
            self.machine.boot()
            self.page = Page(self.machine, build, "doc/install.md", PASSWORD)
            with self.machine.network():
                self.connect(place)
            for section in self.page.sections:
                self.page.run(section)
        except BaseException:
            self.close()
            raise

    def connect(self, place):
        """A name server; an MX host that is no address of this machine; a relay; mailboxes behind LMTP."""
        subprocess.run(["ip", "route", "add", "local", "9.9.9.0/24", "dev", "lo"], check=True)
        self.nsd = Nsd(place / "nsd", ZONES, port=53)
        self.sinks = {"mx": Sink(host="9.9.9.25", port=25), "relay": Sink(port=2525), "mailboxes": Sink(port=24)}

    def close(self):
        for sink in self.sinks.values():
            sink.close()
        if self.nsd:
            self.nsd.close()
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
