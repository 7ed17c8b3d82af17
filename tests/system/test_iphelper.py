"""IP address helpers (letter I of BEHAVIOURS.md) from end to end: a real name server whose zone the test changes, public
addresses, mail that waits and arrives.  All in a network of the test's own, so that the addresses are nobody's."""
import datetime
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from netns import in_own_network
from postern import Dialog, Postern, Sink, free_port, wait_until
from test_redis import redis  # noqa: F401

ONE, TWO = "1.2.3.4", "5.6.7.8"
PORT = 2525
ZONE = "$ORIGIN %s.\n$TTL 1\n@ IN SOA ns hostmaster %d 3600 600 86400 0\n@ IN NS ns\nns IN A 127.0.0.1\n%s\n"

pytestmark = pytest.mark.skipif(not shutil.which("nsd") or os.geteuid() != 0, reason="needs nsd, and to be root")


class NameServer:
    """An nsd for one zone; change() gives the zone other records."""

    def __init__(self, place, port, zone):
        self.place, self.port, self.zone, self.serial = place, port, zone, 0
        place.mkdir()
        (place / "nsd.conf").write_text(f"""server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{place}"
  database: ""
  pidfile: "{place}/nsd.pid"
  xfrdfile: "{place}/xfrd.state"
  zonelistfile: "{place}/zone.list"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: {zone}
  zonefile: zone
""")
        self.write("")
        self.process = subprocess.Popen(["nsd", "-d", "-c", str(place / "nsd.conf")], stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        wait_until(lambda: self.answered_serial() == self.serial, "nsd")

    def write(self, records):
        self.serial += 1
        (self.place / "zone").write_text(ZONE % (self.zone, self.serial, records))
        os.utime(self.place / "zone", (self.serial, self.serial))  # nsd looks at seconds

    def change(self, records):
        self.write(records)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.answered_serial() == self.serial, "the new zone")

    def answered_serial(self):
        """Of the SOA; None: no answer."""
        name = b"".join(bytes([len(label)]) + label.encode() for label in self.zone.split(".")) + b"\0"
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(0.1)
            try:
                s.sendto(b"\xab\xcd\0\0\0\x01\0\0\0\0\0\0" + name + b"\0\6\0\1", ("127.0.0.1", self.port))
                answer = s.recv(1000)
            except OSError:
                return None
        at = answer.find(b"\nhostmaster")
        return int.from_bytes(answer[at + 13:at + 17], "big") if at > 0 else None

    def silence(self, is_silent):
        os.killpg(self.process.pid, signal.SIGSTOP if is_silent else signal.SIGCONT)

    def stop(self):
        self.silence(False)
        self.process.terminate()
        self.process.wait()


class Place:
    """A gateway with two domains that have helpers, their name servers, and a server at each address."""

    def __init__(self, tmp_path):
        self.names = NameServer(tmp_path / "names", 5301, "dyn.example")
        self.others = NameServer(tmp_path / "others", 5302, "other.example")
        self.one, self.two = Sink(host=ONE, port=PORT), Sink(host=TWO, port=PORT)
        self.alerts = Sink()
        self.sent = 0
        self.gate = Postern(tmp_path / "gate", {
            "server": {"plugins": "iphelper", "service-name": "rollernet", "postmaster": "postmaster@example.net"},
            "listener inbound": {"addresses": "127.0.0.1", "ports": "2500", "tls": "none", "auth": "no", "inbound": "yes"},
            "dns": {"stub-zones": "dyn.example=127.0.0.1@5301 other.example=127.0.0.1@5302", "timeout": "3s"},
            "delivery": {"retry": "1s .. 1s", "private-networks": "1.2.3.4 5.6.7.8"},  # addresses of this namespace's own
            "route all": None,
            "route alerts": {"to": "alerts.example", "next-hop": "smtp:[127.0.0.1]:%d" % self.alerts.port, "tls": "none"},
            "plugin iphelper": {"scan": "1s", "retry-failed": "1s", "retry-none": "1s", "retry-invalid": "1s"},
        })
        ctl = self.gate.ctl
        ctl("customer", "set", "acme", "alert=noc@alerts.example")
        ctl("domain", "add", "shop.example", "customer=acme", "mode=hold")
        ctl("domain", "add", "other.test", "customer=acme", "mode=hold")
        ctl("iphelper", "add", "shop.example", "host=home.dyn.example", "port=%d" % PORT, "alert=yes")
        ctl("iphelper", "add", "other.test", "host=home.other.example", "port=%d" % PORT)

    def stop(self):
        for server in (self.names, self.others):
            server.stop()
        self.gate.stop()
        for sink in (self.one, self.two, self.alerts):
            sink.close()

    def helper(self, domain="shop.example"):
        return {row["domain"]: row for row in self.gate.ctl("iphelper", "list", json=True)}[domain]

    def wait_helper(self, domain="shop.example", **wanted):
        wait_until(lambda: wanted.items() <= self.helper(domain).items(), "%s of %s" % (wanted, domain), 20)

    def checked(self, domain="shop.example"):
        """Waits for a whole check from now on."""
        before = self.helper(domain)["last"]
        wait_until(lambda: self.helper(domain)["last"] not in (before, None), "a check of %s" % domain, 20)

    def send(self, domain="shop.example"):
        self.sent += 1
        with Dialog(2500) as dialog:
            dialog.hello()
            dialog.mail("stranger@elsewhere.example", "box@" + domain, "Subject: %d\n\nHello.\n" % self.sent)
        return str(self.sent)

    def wait_alert(self, n, first_line):
        """The nth alert is this, and there is no further one."""
        message = self.alerts.wait(n)[-1]
        assert len(self.alerts.messages) == n and message.recipients == ["noc@alerts.example"] and message.sender == ""
        assert message.header("Subject") == ["[rollernet] IP Helper shop.example"]
        assert message.header("From") == ["postmaster@example.net"]
        assert message.body == ("%s\r\n--\r\nHelper alert: 'noc@alerts.example' account 'acme'.\r\n"
                                "This is an automated message.\r\n" % first_line)

    def wait_held(self, n):
        wait_until(lambda: len(self.gate.queue("state=held")) == n, "%d held messages" % n)


def subjects(sink):
    return sorted(message.header("Subject")[0] for message in sink.messages)


@in_own_network(ONE, TWO)
def test_story(tmp_path):
    """I-05 I-07 I-08 I-09 I-13 I-14 I-15 I-23 I-24 I-27 I-34 I-35 an address appears, moves, becomes private, vanishes, is not
    to be found out: mail arrives when and where it should, none is lost or bounced, each change of mode is told once."""
    place = Place(tmp_path)
    try:
        story(place)
    finally:
        place.stop()
    assert subjects(place.one) == ["1", "3", "5", "6"] and subjects(place.two) == ["2", "4"]
    assert len(place.alerts.messages) == 6


def story(place):
    names, gate = place.names, place.gate
    # nothing is there yet: mail waits
    place.checked()
    place.send()
    place.wait_held(1)
    # it appears
    names.change("home IN A " + ONE)
    place.one.wait(1)
    place.wait_alert(1, "SMTP Redirection to %s:%d" % (ONE, PORT))
    gate.wait_queue(0)
    # it moves, behind an alias
    names.change("home IN CNAME line\nline IN A " + TWO)
    place.wait_helper(address=TWO, mode="redirect")
    place.send()
    place.two.wait(1)
    # it becomes private: held, with a restart in between
    names.change("home IN A 192.168.1.1")
    place.wait_helper(mode="hold", address=None)
    place.wait_alert(2, "Accept and Hold Messages")
    place.send()
    place.wait_held(1)
    gate.restart()
    # it vanishes: nothing changes
    names.change("")
    place.checked()
    assert place.helper()["mode"] == "hold" and len(gate.queue("state=held")) == 1
    # it is back
    names.change("home IN A " + ONE)
    place.one.wait(2)
    place.wait_alert(3, "SMTP Redirection to %s:%d" % (ONE, PORT))
    # it moves while mail waits for the server to take it
    place.one.replies["RCPT"] = "450 4.2.0 not now"
    place.send()
    gate.wait_queue(1)
    names.change("home IN A " + TWO)
    place.two.wait(2)
    place.one.replies.clear()
    names.change("home IN A " + ONE)
    place.wait_helper(address=ONE)
    # its name server is silent; another one is not, and its helper is as quick as ever
    names.silence(True)
    place.others.change("home IN A " + ONE)
    place.wait_helper("other.test", mode="redirect")
    for _ in range(2):
        place.checked("other.test")
    place.wait_helper(mode="hold")
    place.wait_alert(4, "Accept and Hold Messages")
    place.send()
    place.wait_held(1)
    place.send("other.test")
    place.one.wait(3)
    names.silence(False)
    place.one.wait(4)
    place.wait_alert(5, "SMTP Redirection to %s:%d" % (ONE, PORT))
    # a change that is nobody's else: the helper asserts itself
    gate.ctl("domain", "set", "shop.example", "mode=hold")
    place.wait_helper(mode="redirect", address=ONE)
    place.wait_alert(6, "SMTP Redirection to %s:%d" % (ONE, PORT))
    gate.wait_queue(0)
    assert "message bounced" not in gate.log()


@in_own_network(ONE, TWO)
def test_check_now(tmp_path):
    """I-21 I-28 I-30 I-33 I-35 I-39 the least TTL of a chain says when the next check is, over a restart, too; one that is asked
    for sees what the zone says by now; a mode without helper, or a domain's end, is the helper's end."""
    place = Place(tmp_path)
    try:
        place.names.change("home 3600 IN CNAME line\nline 600 IN A " + ONE)
        place.wait_helper(address=ONE)
        before = place.helper()
        last, end = (datetime.datetime.fromisoformat(before[name]) for name in ("last", "next"))
        assert (end - last).total_seconds() == 600
        place.gate.restart()
        place.names.change("home 3600 IN A " + TWO)
        time.sleep(2.5)  # two scans go by
        assert place.helper() == before
        assert "next scan, within 1 s" in place.gate.ctl("iphelper", "check", "shop.example")
        place.wait_helper(address=TWO)
        place.gate.ctl("domain", "set", "shop.example", "mode=outbound-only")
        wait_until(lambda: "shop.example" not in place.gate.ctl("iphelper", "list"), "the helper's end")
        assert place.gate.options("domain", "shop.example")["mode"][0] == "outbound-only"
        place.gate.ctl("domain", "remove", "other.test")
        assert place.gate.ctl("iphelper", "list", json=True) == []
        place.alerts.wait(1)
        place.gate.wait_queue(0)
        assert len(place.alerts.messages) == 1
    finally:
        place.stop()


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")
def test_two_nodes(make_postern, tmp_path, redis):
    """One node at a time looks after the helpers: each change is made and told once, and when the node is gone the other goes on from
    where it was."""
    names = NameServer(tmp_path / "names", free_port(), "dyn.example")
    alerts = Sink()
    options = redis.options(**{
        "dns": {"stub-zones": "dyn.example=127.0.0.1@%d" % names.port}, "plugin iphelper": {"scan": "1s", "retry-none": "1s"}})
    try:
        nodes = [make_postern({**options, "server": {"plugins": "iphelper", "node": node}}, sink=alerts, with_account=node == 1)
                 for node in (1, 2)]
        nodes[0].ctl("customer", "set", "acme", "alert=noc@alerts.example")
        nodes[0].ctl("domain", "add", "shop.example", "customer=acme", "mode=hold")
        nodes[1].ctl("iphelper", "add", "shop.example", "host=home.dyn.example", "port=2525", "alert=yes")
        modes(nodes, "hold", 5)
        names.change("home IN A " + ONE)
        modes(nodes, "redirect", 5)
        names.change("")
        modes(nodes, "hold", 5)
        made = ["home.dyn.example: " in node.log() for node in nodes]
        assert sorted(made) == [False, True]
        nodes[1].ctl("iphelper", "check", "shop.example")
        alerts.wait(2)
        nodes[made.index(True)].kill()
        names.change("home IN A " + TWO)
        rest = nodes[made.index(False)]
        modes([rest], "redirect", 20)
        assert rest.settle() == 3
        nodes[made.index(True)].start()
    finally:
        names.stop()
        alerts.close()


def modes(nodes, wanted, seconds):
    wait_until(lambda: all(row["mode"] == wanted and row["last"] is not None for node in nodes
                           for row in node.ctl("iphelper", "list", json=True)), wanted, seconds)


def test_another_mode_takes_the_helper_at_once(make_postern):
    """I-28 a mode that has no helper takes it, though the next scan sees a mode that has one again; between the two modes it stays."""
    gate = make_postern({"server": {"plugins": "iphelper"}, "plugin iphelper": {"scan": "1h"}})
    gate.ctl("domain", "add", "shop.example", "customer=acme", "mode=hold")

    def helpers():
        return {row["domain"] for row in gate.ctl("iphelper", "list", json=True)}

    gate.ctl("iphelper", "add", "shop.example", "host=home.dyn.example", "port=2525", "alert=yes")
    assert "removed" not in gate.ctl("domain", "set", "shop.example", "mode=redirect", "destination=1.2.3.4", "port=25")
    assert helpers()
    said = gate.ctl("domain", "set", "shop.example", "mode=outbound-only")
    assert "Options of a plugin were removed with the old mode: " in said and "has no IP address helper" in said
    assert "options removed with the mode" in gate.log()
    assert "removed" not in gate.ctl("domain", "set", "shop.example", "mode=hold")
    assert helpers() == set()
    assert gate.options("domain", "shop.example")["mode"][0] == "hold"
    gate.ctl("iphelper", "add", "shop.example", "host=home.dyn.example", "port=2525")
    assert gate.ctl("iphelper", "list", json=True)[0]["host"] == "home.dyn.example"


def test_template_mistake(make_postern, tmp_path):
    """A template that uses a name that its notice does not have is told with file and line, and nothing is reloaded."""
    gate = make_postern({"server": {"plugins": "iphelper"}}, with_account=False)
    folder = tmp_path / "templates"
    folder.mkdir()
    gate.change({"server": {"templates": folder}})
    (folder / "iphelper").write_text("# ours\nSubject: %{damain}\n\n%{change}\n")
    assert '%s:2: there is no "%%{damain}" in this notice' % (folder / "iphelper") in gate.ctl("reload", code=1)
    (folder / "iphelper").write_text("# ours\nSubject: %{domain}\n\n%{change}\n")
    assert "reloaded" in gate.reload()
    gate.change({"server": {"templates": tmp_path / "nowhere"}})
    assert "is not a directory" in gate.ctl("reload", code=1)
