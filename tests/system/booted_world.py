"""An installed Postern on a booted Debian, and what its network has in place of the Internet: for tests under the real unit."""
import re

import booted
from booted_page import Build, Page
from nsd import Nsd
from postern import PASSWORD, Dialog, Sink

ZONES = {
    "example.org": "@ IN MX 10 mx\nmx IN A 9.9.9.25\n",
    "mail.example.net": "@ IN A 127.0.0.1\n",
    "acme.example": "@ IN MX 10 mail.example.net.\n",
}
LOGIN = "user@acme.example"  # of doc/install.md
HARM = re.compile(r"Scheduled restart job|code=(?:killed|dumped)|status=31/SYS|SIGSYS|core dump|Failed with result.*", re.I)


class World:
    """The machine, installed and set up by the commands of doc/install.md."""

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
            self.sinks = {"relay": Sink(port=10025), "mailboxes": Sink(port=24)}
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

    def send(self, recipient="rcpt@elsewhere.example", content="Subject: test\n\nHello.\n"):
        """Submits a message; its queue id."""
        with self.machine.network(), Dialog(587) as dialog:
            dialog.hello()
            dialog.starttls()
            dialog.login(LOGIN, PASSWORD)
            return dialog.mail(LOGIN, recipient, content)

    def receive(self, recipient, sender="someone@example.org"):
        """Mail from elsewhere; its queue id."""
        with self.machine.network(), Dialog(25) as dialog:
            dialog.hello()
            return dialog.mail(sender, recipient)

    def alarms(self):
        return self.machine.run("posternctl alarms", code=None).out

    def check_unharmed(self):
        """Nothing was killed by the sandbox, nothing crashed, and systemd restarted nothing."""
        journal = self.machine.journal("postern")
        assert not HARM.search(journal), journal
        assert self.machine.show("postern", "NRestarts") == "0"
