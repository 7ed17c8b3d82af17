"""What the daemon gave up, and its parsers: processes that read what strangers wrote."""
import ctypes
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from postern import BUILD, LOGIN, PASSWORD, SOURCE, Postern, wait_until

PROBER = BUILD / "tests/plugins/.libs/prober.so"
SECRET = "the-password-of-the-route"
PLAIN_BASE64 = "Subject: %s\nContent-Transfer-Encoding: base64\n\naGVsbG8K\n"
FOREIGN = "Content-Type: text/plain; charset=iso-2022-jp\n" + PLAIN_BASE64  # only the library reads it
needs_prober = pytest.mark.skipif(not PROBER.exists(), reason="tests/plugins/prober.la is not built")
has_sanitizers = not list(BUILD.glob("plugins/uribl/.libs/uribl.so"))  # plugins are linked in then


@pytest.fixture
def with_prober(make_postern, sink, tmp_path):
    """A daemon with the plugin prober; options are those of [sandbox] and [plugin prober]."""
    def make(sandbox=None, options=None):
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        for plugin in [*BUILD.glob("plugins/*/.libs/*.so"), PROBER]:
            (folder / plugin.name).symlink_to(plugin)
        return make_postern({"server": {"plugins": "auth prober", "plugin-directory": folder}, "sandbox": sandbox or {},
                             "plugin prober": options or {}}, sink=sink)
    return make


def status(pid):
    return dict(re.findall(r"(?m)^(\w+):\s*(.*)$", Path("/proc/%d/status" % pid).read_text()))


def children(pid):
    found = Path("/proc/%d/task/%d/children" % (pid, pid)).read_text()
    return [int(child) for child in found.split()]


def keeper(daemon):
    return children(daemon.process.pid)[0]


def parsers(daemon):
    return children(keeper(daemon))


def memory(pid):
    """All that can be read of it."""
    octets = b""
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in Path("/proc/%d/maps" % pid).read_text().splitlines():
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if " rw" in line and "[v" not in line:
                mem.seek(begin)
                octets += mem.read(end - begin)
    return octets


@needs_prober
def test_filter_of_the_daemon(with_prober):
    """Z-11 what a gateway does not need is refused in every thread, and only refused."""
    daemon = with_prober()
    for task in Path("/proc/%d/task" % daemon.process.pid).iterdir():
        assert "Seccomp:\t2" in (task / "status").read_text()
    for what in ("exec", "audit", "signal", "limits", "unshare", "mount", "setuid", "keyctl", "typing",
                 *([] if has_sanitizers else ["fork", "kill", "ptrace"])):
        assert "EPERM" in daemon.ctl("prober", "here", what), what
    assert "ENOSYS" in daemon.ctl("prober", "here", "clone3")
    for what in ("open", "stat", "socket", "interfaces"):
        assert "ok" in daemon.ctl("prober", "here", what), what
    daemon.send()
    assert daemon.settle() == 1


@needs_prober
def test_filter_can_be_off(with_prober):
    """Z-11 for plugins of others that need more."""
    daemon = with_prober({"filter": "no"})
    assert status(daemon.process.pid)["Seccomp"] == "0"
    assert "ok" in daemon.ctl("prober", "here", "fork")
    assert "EPERM" in daemon.ctl("prober", "parser", "socket")  # parsers are closed off all the same


@pytest.mark.skipif(has_sanitizers, reason="a sanitizer's memory is too large to be searched")
def test_parsers_have_nothing(make_postern, sink):
    """Z-10 a parser has no descriptors but its own, no environment, and none of the daemon's secrets."""
    daemon = make_postern({"server": {"plugins": "auth attachments"},
                           "route smart": {"to": "smart.example", "next-hop": "smtp://me@127.0.0.1:9", "password": SECRET}},
                          sink=sink)
    daemon.send(content=FOREIGN % "one")
    assert SECRET.encode() in memory(daemon.process.pid)  # so it would be seen
    for pid in [keeper(daemon), *parsers(daemon)]:
        assert SECRET.encode() not in memory(pid) and PASSWORD.encode() not in memory(pid)
        assert len(list(Path("/proc/%d/fd" % pid).iterdir())) == 4
        assert status(pid)["Seccomp"] == "2" and status(pid)["NoNewPrivs"] == "1"
        assert [int(status(pid)[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0, 0, 0, 0]
        assert Path("/proc/%d/environ" % pid).read_bytes().strip(b"\0") == b"LC_ALL=C.UTF-8"
    assert len(parsers(daemon)) == 1
    limits = Path("/proc/%d/limits" % parsers(daemon)[0]).read_text()
    assert re.search(r"Max address space +%d " % (1 << 30), limits)
    assert re.search(r"Max core file size +0 ", limits)


def test_plain_mail_needs_no_parser(make_postern, sink):
    """Z-10 a plain message stays in the daemon; base64, parts, plain names and the usual letter of the bench, too."""
    daemon = make_postern({"server": {"plugins": "auth attachments uribl"}, "plugin uribl/links": {"zone": "links.test"}}, sink=sink)
    daemon.send(content=(SOURCE / "tests/bench/mail/usual.eml").read_text())
    daemon.send(content=PLAIN_BASE64 % "one")
    daemon.send(content="Subject: plain\nContent-Type: text/plain; charset=utf-8\n\nhello \u00fc\n")
    daemon.send(content="Content-Transfer-Encoding: quoted-printable\n\nh=C3=BClle=\n.\n")
    daemon.send(content="Content-Type: multipart/mixed; boundary=\"a b\"\n\n--a b\n\nhello\n--a b\n"
                        "Content-Type: text/x-log; name=\"a.log\"\nContent-Disposition: attachment; filename=a.log\n\nx\n--a b--\n")
    assert parsers(daemon) == []
    with daemon.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        assert "a.exe" in dialog.data("Content-Type: text/plain; name=a.exe\n\nx\n")
    assert parsers(daemon) == []
    daemon.send(content=FOREIGN % "foreign")
    assert len(parsers(daemon)) >= 1


@needs_prober
def test_a_crash_is_the_failure_of_one_message(with_prober):
    """Z-10 logged with plugin and reason; the next message has a new parser."""
    daemon = with_prober(options={"on-error": "defer"})
    with daemon.session() as dialog:
        for subject, code in (("echo", 250), ("exit", 451), ("echo", 250)):
            dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
            dialog.expect("250", "RCPT TO:<rcpt@example.org>")
            assert dialog.data("Subject: %s\n\nx\n" % subject).code == code
    daemon.wait_log(r"plugin failed, deferred .*plugin=prober .*error=\"its parser ended with exit code 3\"")
    assert daemon.settle() == 2


@needs_prober
def test_limits_of_parsers(with_prober):
    """Z-10 at most so many at a time, so many uses, so much memory; a reload changes them."""
    daemon = with_prober({"parsers": "1", "parser-uses": "2", "parser-memory": "256M"}, {"deadline": "1m"})

    def pid():
        return daemon.ctl("prober", "parser", "pid").split()[-1]
    pids = [pid() for _ in range(6)]
    assert [pids.count(one) for one in pids] == [2] * 6
    if not has_sanitizers:
        assert "died" in daemon.ctl("prober", "parser", "memory", code=1)
    assert len(parsers(daemon)) <= 1
    daemon.reload({"sandbox": {"parser-uses": "100"}})
    assert len({pid() for _ in range(6)}) == 1


@needs_prober
def test_a_parser_that_hangs(with_prober):
    """Z-10 it is ended at the deadline; who waits for it in vain is told so."""
    daemon = with_prober({"parsers": "1"}, {"deadline": "1s"})
    assert "did not answer in time" in daemon.ctl("prober", "parser", "hang", code=1)
    assert "state 5 6 octets" in daemon.ctl("prober", "parser", "echo")


def clock_is_shown(doctor):
    """As the kernel says it outside the filter."""
    is_known = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) != 5  # TIME_ERROR
    return ("synchronised" if is_known else "does not know its clock") in doctor


def test_doctor(make_postern, sink, dns):
    """Z-11 the doctor shows what is in force."""
    daemon = make_postern({**dns, "server": {"plugins": "auth attachments"}}, sink=sink)
    daemon.send(content=FOREIGN % "one")
    told = daemon.ask("doctor").stdout.decode()
    assert clock_is_shown(told)
    assert re.search(r"ok +filter +system calls .* are refused \(seccomp, EPERM\)", told)
    assert re.search(r"ok +parser +attachments: 1 running \(filtered\), 1 started, 0 died", told)
    daemon.change({"sandbox": {"filter": "no"}})
    daemon.restart()
    assert re.search(r"look +filter +no system call is refused: \[sandbox\] filter = no", daemon.ask("doctor").stdout.decode())


@needs_prober
def test_the_keeper_is_stopped(with_prober):
    """Z-10 nobody waits beyond the deadline, what runs goes on, an alarm says it; afterwards all is as before."""
    daemon = with_prober({"parsers": "1"}, {"deadline": "1s", "on-error": "defer"})
    assert "state 5 6 octets" in daemon.ctl("prober", "parser", "echo")
    os.kill(keeper(daemon), signal.SIGSTOP)
    assert "state 5 6 octets" in daemon.ctl("prober", "parser", "echo")  # it is idle, and needs no keeper
    os.kill(parsers(daemon)[0], signal.SIGKILL)
    begun = time.monotonic()
    daemon.ctl("prober", "parser", "echo", code=1)
    assert time.monotonic() - begun < 20
    wait_until(lambda: "sandbox.keeper" in daemon.ctl("alarms"), "the alarm")
    daemon.reload({"sandbox": {"parser-uses": "100"}})
    os.kill(keeper(daemon), signal.SIGCONT)
    wait_until(lambda: "sandbox.keeper" not in daemon.ctl("alarms"), "the end of the alarm")
    assert "state 5 6 octets" in daemon.ctl("prober", "parser", "echo")
    assert len(parsers(daemon)) == 1


class UnderUnit(Postern):
    def launch(self, command, **options):
        tool = [sys.executable, SOURCE / "tests/system/unit_filter.py", SOURCE / "etc/postern.service.in"]
        return super().launch([*tool, *command], **options)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None or has_sanitizers, reason="needs systemd-analyze, no sanitizers")
def test_unit_leaves_what_is_needed(tmp_path, sink):
    """Z-11 under the filter of the unit daemon, keeper and parsers install their own, and all serves."""
    daemon = UnderUnit(tmp_path / "daemon", {"server": {"plugins": "auth attachments", "control-group": "root"}}, sink=sink)
    try:
        daemon.send(content=FOREIGN % "one")
        assert [status(pid)["Seccomp_filters"] for pid in (daemon.process.pid, keeper(daemon), parsers(daemon)[0])] == ["2", "2", "3"]
        daemon.reload()
        assert clock_is_shown(daemon.ask("doctor").stdout.decode())
        assert daemon.settle() == 1
        daemon.stop()
    finally:
        if daemon.process is not None:
            daemon.kill()
    unit = (SOURCE / "etc/postern.service.in").read_text().split("\n")
    assert "AF_NETLINK" in next(line for line in unit if line.startswith("RestrictAddressFamilies="))


def test_the_keeper_ends(make_postern, sink):
    """Without it there are no new parsers: an alarm says so, what needs none is delivered, and a restart mends it."""
    daemon = make_postern({"server": {"plugins": "auth attachments"}}, sink=sink)
    os.kill(keeper(daemon), signal.SIGKILL)
    wait_until(lambda: "sandbox.keeper" in daemon.ctl("alarms"), "the alarm")
    daemon.send()
    with daemon.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<rcpt@example.org>")
        assert dialog.data(FOREIGN % "deferred").code == 451
    daemon.wait_log(r"plugin failed, deferred .*plugin=attachments .*restart Postern")
    daemon.restart()
    daemon.send(content=FOREIGN % "two")
    assert daemon.settle() == 2


def test_nothing_is_left_behind(make_postern, sink):
    """Keeper and parsers end with the daemon, however it ends; signals for the group do not end them before."""
    daemon = make_postern({"server": {"plugins": "auth attachments"}}, sink=sink)

    def processes():
        daemon.send(content=FOREIGN % "one")
        assert len(parsers(daemon)) == 1
        return [keeper(daemon), *parsers(daemon)]

    def are_gone(pids):
        return not any(Path("/proc/%d" % pid).exists() and status(pid)["State"][0] != "Z" for pid in pids)
    first = processes()
    for pid in first:
        os.kill(pid, signal.SIGTERM)
    daemon.send(content=FOREIGN % "two")
    assert [keeper(daemon), *parsers(daemon)] == first
    daemon.kill()
    wait_until(lambda: are_gone(first), "the end of the parsers")
    daemon.start()
    second = processes()
    daemon.stop()
    wait_until(lambda: are_gone(second), "the end of the parsers")
