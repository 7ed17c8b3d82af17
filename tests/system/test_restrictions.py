"""Restrictions (letter R of BEHAVIOURS.md) with the real daemon, real DNS servers and real next hops."""
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from nsd import Nsd
from postern import LOGIN, SOURCE, Postern, Sink, free_port, wait_until
from test_dns import signed  # noqa: F401

PLUGINS = {"server": {"plugins": "auth restrictions"}}
MESSAGE = "Subject: x\n\ny\n"


@pytest.fixture(scope="module")
def gate(tmp_path_factory, dns):
    sink = Sink()
    daemon = Postern(tmp_path_factory.mktemp("gate"), {**dns, **PLUGINS}, sink=sink)
    yield daemon
    daemon.stop()
    sink.close()


@pytest.mark.parametrize("line, recipient, start", [
    ("R-01", "x@absent.example.org", "450 4.1.2 <x@absent.example.org>: Recipient address rejected: Domain not found"),
    ("R-01", "x@text.example.net", "450 4.1.2"),
    ("R-03", "x@nullmx.example.org", "556 5.1.10 <x@nullmx.example.org>: Recipient address rejected"),
    ("R-04", "bob", "504 5.5.2"),
    ("R-04", "bob@host", "504 5.5.2"),
    ("R-07", "x@alone.example.org", "250 2.1.5"),
    ("R-07", "x@two.example.org", "250 2.1.5")])
def test_recipient(gate, line, recipient, start):
    """R-01 R-03 R-04: a recipient's domain exists and takes mail."""
    before = gate.accepted()
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        reply = dialog.ask("RCPT TO:<%s>" % recipient)
        assert reply.text.startswith(start), "%s: %s" % (line, reply)
        if reply.code != 250:
            dialog.expect("554 5.5.1", "DATA")
    assert gate.accepted() == before


def test_dead_domains_of_lists(gate):
    """K-15 a list with a dead domain in each message: all messages go out, pipelined or not."""
    before = gate.accepted()
    with gate.session() as dialog:
        for i in range(30):
            dialog.send_raw(b"MAIL FROM:<%s>\r\nRCPT TO:<x@alone.example.org>\r\nRCPT TO:<x@absent.example.org>\r\n"
                            b"RCPT TO:<x@nullmx.example.org>\r\nDATA\r\n" % LOGIN.encode())
            assert [dialog.reply().code for _ in range(5)] == [250, 250, 450, 556, 354]
            dialog.send_raw(b"Subject: %d\r\n\r\nx\r\n.\r\n" % i)
            dialog.expect("250 2.0.0")
    assert gate.accepted() == before + 30


@pytest.mark.parametrize("line, sender, start", [
    ("R-05", "bob", "504 5.5.2"),
    ("R-05", "bob@host", "504 5.5.2"),
    ("R-06", "x@absent.example.org", "450 4.1.8 <x@absent.example.org>: Sender address rejected: Domain not found"),
    ("R-07", "x@example.net", "250 2.1.0"),
    ("R-07", "x@sub.example.net", "250 2.1.0"),
    ("R-08", "x@sendonly.example.net", "250 2.1.0")])
def test_sender(gate, line, sender, start):
    """R-05 R-06 R-07 R-08: a sender's domain exists; a null MX is fine."""
    with gate.session() as dialog:
        reply = dialog.ask("MAIL FROM:<%s>" % sender)
        assert reply.text.startswith(start), "%s: %s" % (line, reply)


def test_settings(make_postern, dns):
    """R-07 with require-mx an address is not enough; R-08 null-MX senders are refused with 550 5.7.27 where that is set."""
    postern = make_postern({**dns, **PLUGINS, "plugin restrictions": {"require-mx": "yes", "null-mx-senders": "refuse"}})
    with postern.session() as dialog:
        dialog.expect("450 4.1.8", "MAIL FROM:<x@sub.example.net>")
        dialog.expect("550 5.7.27", "MAIL FROM:<x@sendonly.example.net>")
        dialog.expect("250 2.1.0", "MAIL FROM:<x@example.net>")
    postern.reload({"plugin restrictions": {"require-mx": "no", "null-mx-senders": "accept"}})
    with postern.session() as dialog:
        dialog.expect("250 2.1.0", "MAIL FROM:<x@sub.example.net>")


def test_dns_down(make_postern):
    """R-02 nobody answers: 450 for both, and mail of domains that need no question flows."""
    postern = make_postern({**PLUGINS, "dns": {"timeout": "1s"}, "plugin restrictions": {"exempt-domains": "example.net"}})
    with postern.session() as dialog:
        dialog.expect("450 4.1.8", "MAIL FROM:<x@example.org>")
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("450 4.1.2", "RCPT TO:<x@example.org>")
        dialog.expect("250", "RCPT TO:<x@example.net>")
        assert dialog.data(MESSAGE).code == 250


def test_bogus(make_postern, signed):  # noqa: F811
    """R-18 a domain whose DNSSEC answer is forged is one that cannot be looked up; its neighbour is fine."""
    port, anchor = signed
    postern = make_postern({**PLUGINS, "dns": {"stub-zones": "signed.test=127.0.0.1@%d" % port, "trust-anchor": anchor},
                            "plugin restrictions": {"exempt-domains": "example.net"}})
    with postern.session() as dialog:
        dialog.expect("450 4.1.8", "MAIL FROM:<x@forged.signed.test>")
        dialog.expect("250", "MAIL FROM:<x@good.signed.test>")
        dialog.expect("450 4.1.2", "RCPT TO:<x@forged.signed.test>")
        dialog.expect("250", "RCPT TO:<x@good.signed.test>")


def test_one_bad_recipient(gate):
    """R-16 one bad recipient leaves the others; also when all is pipelined."""
    before = gate.settle()
    with gate.session() as dialog:
        dialog.send_raw(("MAIL FROM:<%s>\r\nRCPT TO:<a@two.example.org>\r\nRCPT TO:<b@absent.example.org>\r\n"
                         "RCPT TO:<c@nullmx.example.org>\r\nRCPT TO:<d@alone.example.org>\r\nDATA\r\n" % LOGIN).encode())
        for start in ("250", "250", "450 4.1.2", "556 5.1.10", "250", "354"):
            dialog.expect(start)
        dialog.send_raw(b"Subject: x\r\n\r\ny\r\n.\r\n")
        dialog.expect("250 2.0.0")
    message = gate.sink.wait(before + 1)
    gate.settle()
    assert sorted(r for m in message[before:] for r in m.recipients) == ["a@two.example.org", "d@alone.example.org"]


def test_many_recipients(make_postern, dns):
    """R-10 beyond max-recipients each is 452 4.5.3; the earlier ones stay."""
    postern = make_postern({**dns, "server": {"plugins": "auth restrictions", "max-recipients": "3"}})
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        for i in range(3):
            dialog.expect("250", "RCPT TO:<r%d@two.example.org>" % i)
        dialog.expect("452 4.5.3", "RCPT TO:<r3@two.example.org>")
        dialog.expect("452 4.5.3", "RCPT TO:<r4@two.example.org>")
        assert dialog.data(MESSAGE).code == 250


def test_own_domains(gate):
    """Recipients in domains that the directory redirects need no DNS."""
    gate.ctl("domain", "add", "shop.nowhere.test", "customer=acme", "mode=redirect",
             "destination=127.0.0.1:%d" % gate.sink.port)
    before = gate.settle()
    gate.send("x@shop.nowhere.test")
    assert gate.sink.wait(before + 1)[before].recipients == ["x@shop.nowhere.test"]


def test_no_probe_of_recipients(make_postern, dns, sink):
    """R-09 with senderverify loaded the sender's exchanger is asked, and nobody connects to those of recipients."""
    sender = "boss@two.senders.test"
    senders, recipients = Sink(host="127.0.2.2", port=25), Sink(host="127.0.0.7", port=25)
    try:
        postern = make_postern({**dns, "server": {"plugins": "auth restrictions senderverify"},
                                "plugin senderverify": {"probe-sender": "probe@example.net", "quote-remote": "yes"}}, sink=sink)
        with postern.session() as dialog:
            dialog.mail(sender, recipients=["x@alone.example.org", "y@alone.example.org"])
        postern.settle()  # to the sink, where the route leads
        senders.wait_command("QUIT")  # the probe, which shows that the plugin works
        assert ("RCPT", "TO:<%s>" % sender) in senders.commands
        assert recipients.connections == 0
    finally:
        senders.close()
        recipients.close()


def test_mx_routing(make_postern, dns):
    """R-13 what is accepted goes to the recipient's exchanger, from the service's own address."""
    seen = []
    with socket.create_server(("127.0.0.7", 25)) as exchanger:
        postern = make_postern({**dns, **PLUGINS, "route all": None, "delivery": {"from-addresses": "127.0.3.1"}})
        postern.send("x@alone.example.org")
        exchanger.settimeout(30)
        connection, peer = exchanger.accept()
        seen.append(peer[0])
        connection.close()
    assert seen == ["127.0.3.1"]


def test_spf_is_documented(make_postern, sink, tmp_path):
    """R-14 the two records that the manual shows, with an address of the test: mail of the customer's domain may leave from the
    addresses of the service's record, and from no other."""
    if not shutil.which("nsd"):
        pytest.skip("needs nsd")
    text = (Path(SOURCE) / "plugins/restrictions/restrictions.md").read_text()
    records = re.findall(r'(?m)^    (\S+)\.\s+IN TXT "(v=spf1 [^"]+)"$', text)
    assert len(records) == 2 and "from-addresses" in text
    (service, allowed), (customer, included) = records
    assert included == "v=spf1 include:%s -all" % service
    allowed = re.sub(r"ip4:\S+ ip6:\S+", "ip4:198.18.0.9", allowed)
    nsd = Nsd(tmp_path / "spf", {service: '@ IN TXT "%s"\n' % allowed, customer: '@ IN TXT "%s"\n' % included})
    try:
        postern = make_postern({"dns": {"stub-zones": nsd.stub_zones()},
                                "delivery": {"spf-record": customer, "from-addresses": "198.18.0.9 198.18.0.10"}}, sink=sink)
        said = postern.ask("doctor").stdout.decode()
        spf = [line for line in said.splitlines() if " spf " in line]
        assert len(spf) == 2, said
        assert spf[0].startswith("ok") and "198.18.0.9 may send" in spf[0]
        assert spf[1].startswith("BAD") and "198.18.0.10 may not send" in spf[1]
    finally:
        nsd.close()


def test_unbound_forwarder(make_postern, dns, tmp_path):
    """R-02 a resolver that answers SERVFAIL is no "not there" either."""
    if not shutil.which("unbound"):
        pytest.skip("needs unbound")
    port = free_port()
    (tmp_path / "unbound.conf").write_text("""server:
  interface: 127.0.0.1@%d
  username: ""
  chroot: ""
  directory: "%s"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@1
""" % (port, tmp_path))
    process = subprocess.Popen(["unbound", "-d", "-c", str(tmp_path / "unbound.conf")], stderr=subprocess.DEVNULL)
    try:
        def is_up():
            with socket.socket() as tcp:
                return tcp.connect_ex(("127.0.0.1", port)) == 0
        wait_until(is_up, "unbound")
        postern = make_postern({"server": {"plugins": "auth restrictions"}, "dns": {"servers": "127.0.0.1@%d" % port,
                                                                                   "timeout": "5s", **dns["dns"]}})
        with postern.session() as dialog:
            dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            dialog.expect("450 4.1.2", "RCPT TO:<x@servfail.example>")
            dialog.expect("250", "RCPT TO:<x@two.example.org>")
    finally:
        process.terminate()
        process.wait()
