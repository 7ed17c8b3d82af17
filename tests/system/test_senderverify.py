"""Verification of senders (letter V of BEHAVIOURS.md) with the real daemon, a real DNS server, and exchangers on loopback:
Postfix's smtp-sink with its refusals, our own with scripts, silent ones and dead ones."""
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from postern import LOGIN, Dialog, Postern, make_certificate, wait_until

PROBER = "postmaster@example.net"
MX1, MX2, MX3, US = "127.0.2.1", "127.0.2.2", "127.0.2.3", "127.0.2.10"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="exchangers listen on port 25")


def options(dns, **more):
    return {**dns, "server": {"plugins": "auth senderverify"}, "plugin senderverify": {"probe-sender": PROBER, "quote-remote": "yes", **more}}


@pytest.fixture
def make_gate(make_postern, sink, dns):
    def make(**more):
        return make_postern(options(dns, **more), sink=sink)
    return make


@pytest.fixture
def make_exchanger(make_sink):
    def make(replies=None, host=MX1, **more):
        return make_sink(replies, host=host, port=25, **more)
    return make


@pytest.fixture
def smtp_sink():
    """Postfix's; made with its options."""
    if not shutil.which("smtp-sink"):
        pytest.skip("needs Postfix's smtp-sink")
    made = []

    def make(*arguments, host=MX1):
        made.append(subprocess.Popen(["smtp-sink", "-u", "nobody", *arguments, "%s:25" % host, "100"], stderr=subprocess.DEVNULL))

        def is_up():
            with socket.socket() as tcp:
                return tcp.connect_ex((host, 25)) == 0
        wait_until(is_up, "smtp-sink", 10)
        return made[-1]
    yield make
    for each in made:
        each.terminate()
        each.wait()


def said(exchanger):
    return ["%s %s" % (verb, argument) if argument else verb for verb, argument in exchanger.commands]


def unknown(*names):
    """A script that knows these local parts alone."""
    return {"RCPT": lambda argument: None if re.search("<(%s)@" % "|".join(names), argument) else "550 5.1.1 no such user"}


def ask(gate, sender, start):
    """The reply to MAIL."""
    with gate.session() as dialog:
        reply = dialog.expect(start, "MAIL FROM:<%s>" % sender)
        dialog.ask("QUIT")
        return reply


def state(gate, name):
    rows = gate.ctl("senderverify", "show", name, json=True)
    return {row["name"]: row["state"] for row in rows}


# ---- probes ----

def test_dialog(make_gate, make_exchanger):
    """V-01 V-02 a first use probes, and passes; the message goes out. V-04 the second one asks nobody."""
    exchanger, gate = make_exchanger(), make_gate(**{"learn-domains": "no"})
    gate.send(sender="boss@one.senders.test")
    exchanger.wait_command("QUIT")
    assert said(exchanger) == ["EHLO " + "mail.example.net", "MAIL FROM:<%s>" % PROBER, "RCPT TO:<boss@one.senders.test>", "QUIT"]
    gate.send(sender="boss@one.senders.test")
    gate.settle()
    assert exchanger.connections == 1 and exchanger.messages == []
    assert len(gate.sink.messages) == 2


def test_refused(make_gate, make_exchanger):
    """V-03 550 5.1.7 with the exchanger's words; V-05 the second time without a connection."""
    exchanger, gate = make_exchanger(unknown("boss")), make_gate()
    reply = ask(gate, "other@one.senders.test", "550 5.1.7 <other@one.senders.test>: Sender address rejected: undeliverable")
    assert "mx1.senders.test said: 550 5.1.1 no such user" in reply
    ask(gate, "other@one.senders.test", "550 5.1.7")
    assert exchanger.connections == 1
    ask(gate, "boss@one.senders.test", "250 2.1.0")
    why = gate.ctl("why", "other@one.senders.test")
    assert "senderverify" in why and "undeliverable" in why


@pytest.mark.parametrize("arguments, start", [
    ((), "250 2.1.0"), (("-f", "RCPT"), "550 5.1.7"), (("-f", "MAIL"), "550 5.1.7"), (("-f", "CONNECT"), "550 5.1.7"),
    (("-r", "RCPT"), "450 4.1.7"), (("-r", "MAIL"), "450 4.1.7"), (("-r", "CONNECT"), "450 4.1.7"),
    (("-q", "RCPT"), "450 4.1.7"), (("-q", "CONNECT"), "450 4.1.7"), (("-q", "EHLO"), "450 4.1.7"),
    (("-f", "EHLO"), "250 2.1.0"), (("-e",), "250 2.1.0"), (("-w", "1"), "250 2.1.0")])
def test_postfix_sink(make_gate, smtp_sink, arguments, start):
    """V-01 V-03 V-08 Postfix's sink, with its refusals at every stage, without EHLO, and slow."""
    smtp_sink(*arguments)
    gate = make_gate()
    reply = ask(gate, "boss@one.senders.test", start)
    if start.startswith("450"):
        assert "unverified address" in reply


def test_nobody_there(make_gate):
    """V-08 connection refused, no address of the exchanger, neither found."""
    gate = make_gate()
    assert "no connection to nobody.senders.test" in ask(gate, "x@dead.senders.test", "450 4.1.7")
    ask(gate, "x@noaddress.senders.test", "450 4.1.7")
    ask(gate, "x@absent.senders.test", "450 4.1.8")


def test_second_exchanger(make_gate, make_exchanger):
    """V-14 the first is dead, the second answers."""
    exchanger, gate = make_exchanger(unknown("boss")), make_gate()
    ask(gate, "boss@second.senders.test", "250 2.1.0")
    ask(gate, "other@second.senders.test", "550 5.1.7")
    assert exchanger.connections == 2


def test_silent_exchanger(make_gate, make_exchanger):
    """V-09 in progress after the wait, not later; V-10 and no second probe beside the first. Others' mail flows meanwhile."""
    gate = make_gate(wait="1s")
    make_exchanger(host=MX2)
    with socket.create_server((MX1, 25)) as exchanger:
        begun = time.monotonic()
        assert "Address verification in progress" in ask(gate, "boss@one.senders.test", "450 4.1.7")
        assert 0.9 < time.monotonic() - begun < 5
        ask(gate, "boss@one.senders.test", "450 4.1.7")
        exchanger.settimeout(5)
        first = exchanger.accept()[0]
        exchanger.settimeout(0.3)
        with pytest.raises(TimeoutError):
            exchanger.accept()
        ask(gate, "boss@two.senders.test", "250 2.1.0")
        first.sendall(b"220 late\r\n")  # V-09 the next try finds what the probe found out
        for reply in (b"250 mx\r\n", b"250 2.1.0 Ok\r\n", b"250 2.1.5 Ok\r\n", b"550 5.1.1 no\r\n", b"221 2.0.0 Bye\r\n"):
            first.recv(1000)
            first.sendall(reply)
        wait_until(lambda: "good" in gate.ctl("senderverify", "show", "boss@one.senders.test"))
        ask(gate, "boss@one.senders.test", "250 2.1.0")


def test_many_at_once(make_gate, make_exchanger):
    """V-10 a hundred sessions that want one address are served by one probe; the cap per destination holds for many."""
    exchanger = make_exchanger({"EHLO": lambda _: time.sleep(0.5)})
    gate = make_gate(**{"learn-domains": "no", "per-destination": "2"})
    replies = []

    def use(sender):
        replies.append(ask(gate, sender, "2" if sender.startswith("one") else ""))
    threads = [threading.Thread(target=use, args=("one@one.senders.test",)) for _ in range(30)]
    threads += [threading.Thread(target=use, args=("n%d@one.senders.test" % i,)) for i in range(6)]
    peak = 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, len([1 for verb, _ in exchanger.commands if verb == "EHLO"])
                   - len([1 for verb, _ in exchanger.commands if verb == "QUIT"]))
        time.sleep(0.01)
    assert len(replies) == 36 and all(reply.code == 250 for reply in replies)
    assert exchanger.connections == 7
    assert peak <= 3  # two, and one whose QUIT is on its way


def test_tls(make_gate, make_exchanger, tmp_path):
    """The probe uses STARTTLS where it is offered, and asks in clear where it is broken."""
    good = make_exchanger(certificate=make_certificate(tmp_path, "mx1.senders.test"), extensions=["STARTTLS"])
    broken = make_exchanger({"STARTTLS": "220 2.0.0 go ahead"}, host=MX2, extensions=["STARTTLS"])
    gate = make_gate(**{"learn-domains": "no"})
    ask(gate, "boss@one.senders.test", "250 2.1.0")
    good.wait_command("QUIT")
    assert [verb for verb, _ in good.commands] == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "QUIT"]
    ask(gate, "boss@two.senders.test", "250 2.1.0")
    assert broken.connections == 2


# ---- whom not to ask ----

def test_null_mx_and_null_sender(make_gate, make_exchanger):
    """V-12 the null sender, V-13 R-08 a null MX: nobody is asked; V-20 R-09 nor for recipients."""
    exchanger, gate = make_exchanger(), make_gate()
    ask(gate, "x@null.senders.test", "250 2.1.0")
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<>")
        dialog.expect("250", "RCPT TO:<x@one.senders.test>")
    assert exchanger.connections == 0


def test_rewritten(make_postern, sink, dns, make_exchanger):
    """V-18 N-08 what nullsender-rewrite made of the sender is verified, once, and not what was submitted."""
    exchanger = make_exchanger(unknown("pm"))
    gate = make_postern({**options(dns), "server": {"plugins": "auth nullsender-rewrite restrictions senderverify"}}, sink=sink)
    gate.ctl("domain", "add", "one.senders.test", "customer=acme", "mode=outbound-only")
    gate.ctl("customer", "set", "acme", "postmaster=pm@one.senders.test")
    ask(gate, "", "250")
    ask(gate, "x@absent.senders.test", "250")
    exchanger.wait_command("QUIT")
    assert exchanger.connections == 1 and "RCPT TO:<pm@one.senders.test>" in said(exchanger)
    gate.ctl("customer", "set", "acme", "postmaster=gone@one.senders.test")
    ask(gate, "", "550 5.1.7 <gone@one.senders.test>")


# ---- the cache ----

def test_restart(make_gate, make_exchanger):
    """V-15 what is known survives a restart."""
    exchanger, gate = make_exchanger(unknown("boss")), make_gate()
    ask(gate, "boss@one.senders.test", "250")
    ask(gate, "other@one.senders.test", "550")
    gate.restart()
    ask(gate, "boss@one.senders.test", "250")
    ask(gate, "other@one.senders.test", "550")
    assert exchanger.connections == 2
    assert state(gate, "boss@one.senders.test")["boss@one.senders.test"] == "good"


def test_refresh(make_gate, make_exchanger):
    """V-05 V-06 past its refresh time a bad one is refused from the cache and asked behind; repaired, it is accepted."""
    exchanger, gate = make_exchanger({"RCPT": "550 5.1.1 no such user"}), make_gate(**{"negative-refresh": "1s"})
    ask(gate, "boss@one.senders.test", "550 5.1.7")
    exchanger.replies.clear()
    time.sleep(1.1)
    ask(gate, "boss@one.senders.test", "550 5.1.7")
    wait_until(lambda: state(gate, "boss@one.senders.test")["boss@one.senders.test"] == "good")
    ask(gate, "boss@one.senders.test", "250")


def test_domains(make_gate, make_exchanger):
    """Domains that accept all and that refuse all are learned, and their other senders asked no more."""
    accepting, refusing = make_exchanger(), make_exchanger({"MAIL": "550 5.7.1 your network is listed"}, host=MX2)
    selective, gate = make_exchanger(unknown("boss", "clerk"), host=MX3), make_gate(**{"learn-domains": "yes"})
    for name in ("boss", "clerk"):
        ask(gate, name + "@one.senders.test", "250")
        assert "your network is listed" in ask(gate, name + "@two.senders.test", "550 5.1.7")
        ask(gate, name + "@three.senders.test", "250")
    ask(gate, "other@three.senders.test", "550")
    assert (accepting.connections, refusing.connections, selective.connections) == (1, 1, 3)
    assert sum("no-such-user" in command for command in said(selective)) == 1
    assert state(gate, "one.senders.test") == {"one.senders.test": "accepts-all"}
    assert state(gate, "two.senders.test") == {"two.senders.test": "refuses-all"}
    assert state(gate, "three.senders.test") == {"three.senders.test": "selective"}


# ---- posternctl ----

def test_commands(make_gate, make_exchanger):
    """posternctl senderverify show, forget, probe."""
    exchanger, gate = make_exchanger(unknown("boss")), make_gate()
    assert "nothing is known" in gate.ctl("senderverify", "show", "boss@one.senders.test", code=1)
    assert "good" in gate.ctl("senderverify", "probe", "boss@one.senders.test")
    row = gate.ctl("senderverify", "probe", "other@ONE.senders.test", json=True)[0]
    assert (row["name"], row["state"], row["by"]) == ("other@one.senders.test", "bad", "mx1.senders.test")
    assert "550 5.1.1 no such user" in row["text"] and row["again"] > row["probed"]
    ask(gate, "other@one.senders.test", "550")
    assert exchanger.connections == 2
    exchanger.replies.clear()
    gate.ctl("senderverify", "forget", "other@one.senders.test")
    ask(gate, "other@one.senders.test", "250")
    assert "show" in gate.ctl("senderverify", "what", code=1)


def test_explain(make_gate, make_exchanger):
    """A rehearsal asks the exchanger, tells what it said, and keeps nothing."""
    exchanger, gate = make_exchanger(unknown("boss")), make_gate()
    words = ("explain", "--client", "203.0.113.9", "--login", LOGIN, "--to", "x@example.org", "--from")
    assert "undeliverable address: mx1.senders.test said: 550 5.1.1" in str(gate.ctl(*words, "other@one.senders.test"))
    assert "undeliverable" not in str(gate.ctl(*words, "boss@one.senders.test"))
    assert exchanger.connections == 2
    assert "nothing is known" in gate.ctl("senderverify", "show", "other@one.senders.test", code=1)
    ask(gate, "other@one.senders.test", "550")
    assert exchanger.connections == 3


def test_probe_sender_is_needed(make_gate, dns):
    """A daemon that does not know by whom to ask says so instead of starting."""
    gate = make_gate()
    gate.change({"plugin senderverify": {"probe-sender": None}})
    assert "probe-sender" in gate.ctl("reload", code=1)
    gate.change({"plugin senderverify": {"probe-sender": PROBER}})
    gate.reload()


# ---- our own side ----

def test_ourselves(tmp_path, dns, sink):
    """V-11 V-16 the public exchanger is asked, also where that is ourselves: on an inbound listener mail to the probe's sender is
    taken without AUTH, and arrives; for others, and on other listeners, it is refused."""
    here = {"addresses": US, "tls": "none"}
    gate = Postern(tmp_path / "self", {**options(dns), "plugin senderverify": {"probe-sender": "probe@self.senders.test"},
                                       "listener inbound": {**here, "ports": "25", "auth": "no", "inbound": "yes"}}, sink=sink)
    try:
        gate.ctl("domain", "add", "self.senders.test", "customer=acme", "mode=outbound-only")
        ask(gate, "probe@self.senders.test", "250 2.1.0")
        ask(gate, "user@self.senders.test", "550 5.1.7")  # an address of ours that the directory could know
        before = gate.settle()
        with Dialog(25, host=US) as dialog:
            dialog.hello()
            dialog.expect("250", "MAIL FROM:<stranger@elsewhere.example>")
            dialog.expect("554 5.7.1", "RCPT TO:<user@self.senders.test>")
            dialog.expect("554 5.7.1", "RCPT TO:<x@example.org>")
            dialog.expect("250", "RCPT TO:<Probe@self.senders.test>")
            assert dialog.data("Subject: hello\n\nyou\n").code == 250
        assert sink.wait(before + 1)[before].recipients[0].lower() == "probe@self.senders.test"
        with gate.smtp() as dialog:  # a listener for submission
            dialog.hello()
            dialog.expect("530 5.7.0", "MAIL FROM:<stranger@elsewhere.example>")
    finally:
        gate.stop()
