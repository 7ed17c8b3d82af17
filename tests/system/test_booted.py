"""Postern as it is shipped: installed by doc/install.md on a Debian that boots with its own systemd, under the unit."""
import json
import re
import subprocess

import pytest

from booted_page import Page
from postern import Dialog, make_certificate, wait_until

pytestmark = pytest.mark.usefixtures("unharmed")

# ---- the page on installation ----

def test_install_page(world):
    """Y-01 from an empty Debian to mail that is delivered and received; an operator; a log file; another spool; an upgrade."""
    said, machine = world.page.said, world.machine
    assert "no mistakes" in said["Start it"]
    assert [message.recipients for message in world.sinks["mx"].messages] == [["someone@example.org"]]
    assert [message.recipients for message in world.sinks["mailboxes"].messages] == [["user@acme.example"]]
    assert "clock" in said["The first message in"]
    assert " spool 0 messages" in said["Operators"]
    assert "/etc/postern/postern.conf.new" in said["Upgrade"]
    assert machine.run("ls /srv/postern/spool/log", user="postern").out.strip()
    assert "info: started" in machine.read("/var/log/postern/postern.log")
    assert machine.run("systemctl is-enabled postern").out.strip() == "enabled"


def test_relay_takes_mail(world, same_process):
    """With the route of the page mail goes to the relay."""
    world.send()
    world.sinks["relay"].wait(1)


# ---- the unit ----

def test_control_group(world, same_process):
    """Y-03 a member of [server] control-group gives commands, anybody else gets a sentence, and what the kernel knows decides."""
    machine = world.machine
    machine.run("id -u bob || useradd --create-home bob")
    assert " spool " in machine.run("posternctl status", user="olivia").out
    assert "clock" in machine.run("posternctl doctor", user="olivia", code=None).out
    refused = machine.run("posternctl status", user="bob", code=1)
    assert "may not give commands" in refused.err and not refused.out
    assert "may not give commands" in machine.run("posternctl stop", user="nobody", code=1).err
    assert machine.run("stat --format=%U:%a /run/postern/control").out.strip() == "postern:666"


def test_a_stranger_keeps_nobody_waiting(world, same_process):
    """Y-03 connections of a user who may not give commands are ended without reading what they say."""
    words = world.machine.words("true", "nobody")
    words[words.index("bash"):] = ["perl", "-MIO::Socket::UNIX", "-e", STRANGER]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "40"), done


STRANGER = """my @held = map { IO::Socket::UNIX->new(Peer => "/run/postern/control") or die $! } 1..40;
print scalar grep { my $line = <$_>; $line =~ /may not/ } @held;"""


def test_refused_call_is_an_error_of_one_command(world):
    """Y-04 a system call that the unit refuses fails in the command that needs it: doctor says so, and the daemon serves on."""
    machine = world.machine
    assert machine.show("postern", "SystemCallErrorNumber") == "1"  # EPERM
    assert "Operation not permitted" not in machine.run("posternctl doctor", code=None).out
    machine.put("/etc/systemd/system/postern.service.d/refuse.conf",
                "[Service]\nSystemCallFilter=~adjtimex clock_adjtime clock_adjtime64\n")
    machine.run("systemctl daemon-reload && systemctl restart postern")
    try:
        pid = machine.show("postern", "MainPID")
        doctor = machine.run("posternctl doctor", code=None)
        assert re.search(r"clock .*Operation not permitted", doctor.out), doctor
        assert machine.show("postern", "MainPID") == pid
        machine.run("posternctl status")
    finally:
        machine.run("rm /etc/systemd/system/postern.service.d/refuse.conf && systemctl daemon-reload && systemctl restart postern")


def test_unknown_group_prevents_the_start(world):
    """A control-group that does not exist is named by the start, and is no crash."""
    machine = world.machine
    machine.put("/tmp/group.conf", "[server]\ncontrol = /tmp/control\ncontrol-group = nobodies\n[listener one]\nports = 5870\n"
                "[spool]\ndirectory = /tmp/spool\n[directory]\nat = memory:\n[store]\nat = memory:\n"
                "[log]\nrefusals = /tmp/refusals\n")
    done = machine.run("posternd -c /tmp/group.conf", code=1)
    assert "there is no group \"nobodies\" ([server] control-group)" in done.err
    machine.run("rm -rf /tmp/spool /tmp/refusals")


@pytest.fixture
def socket_unit(world):
    """Gives a socket unit the ports of the daemon, while that one does not run; afterwards all is as before."""
    machine, made = world.machine, []
    rows = json.loads(machine.run("posternctl listeners --json").out)

    def make(name):
        streams = ["ListenStream=%s:%d" % ("[%s]" % row["address"] if ":" in row["address"] else row["address"], row["port"])
                   for row in rows]
        machine.put("/etc/systemd/system/%s.socket" % name,
                    "[Socket]\n%s\nBindIPv6Only=ipv6-only\n%s" % ("\n".join(streams), "" if name == "postern" else "Accept=yes\n"))
        made.append(name)
        if name != "postern":
            machine.put("/etc/systemd/system/%s@.service" % name, "[Service]\nExecStart=/bin/true\n")
        machine.run("systemctl stop postern && systemctl daemon-reload && systemctl start %s.socket" % name)
    yield make
    for name in made:
        machine.run("systemctl stop postern %s.socket; rm -f /etc/systemd/system/%s.socket /etc/systemd/system/%s@.service"
                    % (name, name, name))
    machine.run("systemctl daemon-reload && systemctl start postern")


def test_socket_activation(world, socket_unit):
    """The check before the start does not take the sockets of postern.socket for another program's; the start takes them over,
    also when a connection is what starts it."""
    socket_unit("postern")
    world.machine.run("systemctl start postern")
    world.send()
    world.machine.run("systemctl stop postern")
    assert world.machine.show("postern.socket", "ActiveState") == "active"
    world.receive("user@acme.example")
    assert world.machine.show("postern", "ActiveState") == "active"
    done = world.machine.run("posternd -t")
    assert "systemd" not in done.err


def test_sockets_of_another_unit(world, socket_unit):
    """posternd -t names the socket unit that has a port, and the service that does."""
    socket_unit("other")
    done = world.machine.run("posternd -t")
    assert re.search(r"\[listener \S+\] ports: systemd listens on \S+ port 587 \(other\.socket\): the start fails unless that is the "
                     "socket unit of its service", done.err), done
    world.machine.run("systemctl stop other.socket && systemd-run --unit=busy --property=Type=exec "
                      "perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 5, LocalPort => 587) or die; sleep 600'")
    try:
        done = wait_until(lambda: (lambda d: d if d.code else None)(world.machine.run("posternd -t", code=None)), "the port to be taken")
        assert "port 587: another program has it (busy.service)" in done.err, done
    finally:
        world.machine.run("systemctl stop busy")


# ---- reload ----

def test_refused_reload(world, same_process):
    """Y-05 systemctl reload fails with a configuration that is refused; an alarm says so until one works."""
    machine = world.machine
    before = machine.read("/etc/postern/postern.conf")
    try:
        machine.put("/etc/postern/postern.conf", before + "\n[server2]\n")
        assert machine.run("systemctl reload postern", code=1)
        alarm = world.alarms()
        assert "reload.refused" in alarm and "postern.conf" in alarm and "server2" in alarm
        assert machine.run("posternctl reload", code=1).err.strip().endswith("nothing was changed.")
        machine.run("kill -HUP $(systemctl show --property=MainPID --value postern)")
        world.send()
    finally:
        machine.put("/etc/postern/postern.conf", before)
    machine.run("systemctl reload postern")
    assert "reload.refused" not in world.alarms()


# ---- the log ----

@pytest.mark.parametrize("is_broken", (False, True))
def test_log_rotation(world, same_process, is_broken):
    """Y-06 logrotate with the file that was installed: what follows is in the new file, and a configuration that is being edited
    stays unused."""
    machine = world.machine
    before = machine.read("/etc/postern/postern.conf")
    first = world.send()
    try:
        if is_broken:
            machine.put("/etc/postern/postern.conf", before + "\n[server2]\n")
        machine.run("logrotate --force /etc/logrotate.conf")
        wait_until(lambda: machine.run("test -e /var/log/postern/postern.log", code=None).code == 0, "the new log")
        second = world.send()
        assert "reload.refused" not in world.alarms()
    finally:
        machine.put("/etc/postern/postern.conf", before)
    old, new = machine.read("/var/log/postern/postern.log.1"), machine.read("/var/log/postern/postern.log")
    accepted = [[queue_id for queue_id in re.findall(r"message accepted .*queue=(\w+)", text) if queue_id in (first, second)]
                for text in (old, new)]
    assert accepted == [[first], [second]]  # the first may be delivered after the rotation
    assert machine.run("stat --format=%U:%a /var/log/postern/postern.log").out.strip() == "postern:640"


def test_log_that_cannot_be_opened_anew(world, same_process):
    """Y-06 the log in use stays, and an alarm says why, until it works."""
    machine = world.machine
    machine.run("mv /var/log/postern/postern.log /var/log/postern/kept.log && mkdir /var/log/postern/postern.log")
    machine.run("systemctl kill --signal=USR1 --kill-whom=main postern")
    wait_until(lambda: "log.closed" in world.alarms(), "the alarm")
    assert world.send() in machine.read("/var/log/postern/kept.log")
    machine.run("rmdir /var/log/postern/postern.log && systemctl kill --signal=USR1 --kill-whom=main postern")
    wait_until(lambda: "log.closed" not in world.alarms(), "the end of the alarm")
    assert world.send() in machine.read("/var/log/postern/postern.log")


# ---- certificates ----

def shown_certificate(world):
    """The name in the certificate that a client is shown on port 465."""
    with world.machine.network(), Dialog(465, implicit_tls=True) as dialog:
        return dialog.certificate()


def renew(world, tmp_path, name, file=None):
    """What certbot does: a new pair, readable by root alone, then its deploy hook."""
    certificate, key = make_certificate(tmp_path, name, file)
    live = "/etc/letsencrypt/live/mail.example.net"
    for path, source in (("fullchain.pem", certificate), ("privkey.pem", key)):
        with open(source, encoding="ascii") as text:
            world.machine.put("%s/%s" % (live, path), text.read(), 0o600)
    world.machine.run("chmod 700 /etc/letsencrypt /etc/letsencrypt/live")
    return "RENEWED_LINEAGE=%s /usr/local/sbin/deploy-certificate" % live


@pytest.fixture
def with_certificate(world, tmp_path):
    """The page on certificates was followed; in place of certbot a certificate of our own."""
    page = Page(world.machine, world.page.build, "doc/certificates.md")

    def instead(_, rest, __):
        return world.machine.run(renew(world, tmp_path, "first.example.net")).out if rest == "certbot" else None
    page.run("Copies by a deploy hook", instead)
    yield page
    world.machine.run("rm -f /etc/postern/conf.d/tls.conf && systemctl reload postern")


def test_renewal(world, same_process, with_certificate, tmp_path):
    """Y-07 a renewed certificate is shown to the next client, without a restart; of a bad one the hook and an alarm tell."""
    machine = world.machine
    assert shown_certificate(world) == "first.example.net"
    with machine.network(), Dialog(465, implicit_tls=True) as dialog:
        machine.run(renew(world, tmp_path, "second.example.net"))
        assert shown_certificate(world) == "second.example.net"
        dialog.hello()  # sessions go on
    hook = renew(world, tmp_path, "third.example.net")
    machine.put("/etc/letsencrypt/live/mail.example.net/fullchain.pem", "no certificate\n", 0o600)
    machine.run(hook, code=1)
    assert "reload.refused" in world.alarms()
    assert shown_certificate(world) == "second.example.net"
    machine.run(renew(world, tmp_path, "fourth.example.net"))
    assert shown_certificate(world) == "fourth.example.net"
    assert "reload.refused" not in world.alarms()
    assert machine.run("stat --format=%U:%G:%a /etc/postern/tls /etc/postern/tls/privkey.pem").out.split() == \
        ["root:postern:750", "root:postern:640"]


def test_credentials(world, tmp_path):
    """LoadCredential=, as the page has it: shown after a restart, and a renewal only after another."""
    machine = world.machine
    renew(world, tmp_path, "first.example.net")
    section = Page(machine, world.page.build, "doc/certificates.md").sections["Credentials of systemd"]
    files = re.findall(r"^# (/\S+)\n(.*?)^```$", section, re.M | re.S)
    assert len(files) == 2
    for path, text in files:
        machine.put(path, text)
    try:
        machine.run("systemctl daemon-reload && systemctl restart postern")
        assert shown_certificate(world) == "first.example.net"
        renew(world, tmp_path, "second.example.net")
        machine.run("systemctl reload postern")
        assert shown_certificate(world) == "first.example.net"
        machine.run("systemctl restart postern")
        assert shown_certificate(world) == "second.example.net"
    finally:
        machine.run("rm %s && systemctl daemon-reload && systemctl restart postern" % " ".join(path for path, _ in files))
