"""The daemon itself: its configuration, signals, sockets, logs, and a disk that is full."""
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from postern import BUILD, LOGIN, PATIENCE, REPORTS, Dialog, Postern, free_port, wait_until

TO_ONE = "MAIL FROM:<%s>\r\nRCPT TO:<rcpt@example.org>\r\nDATA\r\n" % LOGIN

MISTAKES = """[server]
hostname = mail.example.net
hostnam = other.example.net
max-message = 12 elephants
plugins = auth sender-rules
plugin-directory = %(plugins)s
soft-errors = -1
idle-timeout = 5m
idle-timeout = 6m

[listener one]
addresses = 127.0.0.1
ports = 2525
tls = sometimes

[listener two]
tls = none

[sever]
key = value

[delivery]
retry = 4s .. 1s
no equals sign
[server]
"""
# What can be said of values that are well-formed each by itself.
CONTRADICTIONS = """[server]
plugin-directory = %(plugins)s
header-prefix = X Mail
[listener one]
addresses = 127.0.0.1 nowhere
ports = 2525 70000
[listener two]
addresses = 127.0.0.1
ports = 2525
[route x]
to = *
next-hop = gopher://example.org
[route y]
to = *
next-hop = smtp://relay.example.org
password = secret
"""
# line -> what its complaint has
EXPECTED = {MISTAKES: {3: 'did you mean "hostname"', 4: "max-message", 7: "soft-errors", 9: "twice", 14: "tls", 16: "ports",
                       19: "sever", 23: "retry", 24: "", 25: "server"},
            CONTRADICTIONS: {3: "X Mail", 5: "nowhere", 6: "70000", 9: "also taken by [listener one]", 12: "no next hop",
                             16: "password"}}


def posternd(*words, **more):
    return subprocess.run([BUILD / "core/daemon/posternd", *map(str, words)], capture_output=True, text=True, timeout=PATIENCE, **more)


def plugins(place):
    folder = place / "plugins"
    folder.mkdir()
    for plugin in BUILD.glob("plugins/*/.libs/*.so"):
        (folder / plugin.name).symlink_to(plugin)
    return folder


# ---- the configuration ----

@pytest.mark.parametrize("text", [MISTAKES, CONTRADICTIONS], ids=["mistakes", "contradictions"])
def test_mistakes(tmp_path, text):
    """Every mistake is named with its line, and nothing starts."""
    config = tmp_path / "postern.conf"
    config.write_text(text % {"plugins": plugins(tmp_path)})
    done = posternd("-t", "-c", config)
    assert done.returncode == 1 and not REPORTS.search(done.stderr), done.stderr
    lines = {}
    for line in done.stderr.splitlines()[:-1]:
        found = re.match(r"(?:.*/)?postern\.conf:(\d+): (.*)", line)
        assert found, line
        lines.setdefault(int(found.group(1)), []).append(found.group(2))
    missing = {line: has for line, has in EXPECTED[text].items() if not any(has in each for each in lines.get(line, []))}
    assert not missing, done.stderr
    assert done.stderr.splitlines()[-1] == "%d mistakes." % (len(done.stderr.splitlines()) - 1)
    assert posternd("-c", config).returncode == 1


def test_plugin_that_does_not_exist(tmp_path):
    config = tmp_path / "postern.conf"
    config.write_text("[server]\nplugins = auth nosuch\nplugin-directory = %s\n" % plugins(tmp_path))
    done = posternd("-t", "-c", config)
    assert done.returncode == 1 and "nosuch" in done.stderr


def test_good_configuration(tmp_path):
    config = tmp_path / "postern.conf"
    config.write_text("# comment\n[server]\nplugins = auth sender-rules # the chain\nplugin-directory = \"%s\"\n"
                      "max-message = 10M\nuser = root\n[listener one]\naddresses = 127.0.0.1\nports = %d\n"
                      % (plugins(tmp_path), free_port()))
    done = posternd("-t", "-c", config)
    assert (done.returncode, done.stdout) == (0, "%s: no mistakes.\n" % config), done.stderr
    hooks = posternd("--hooks", "-c", config)
    assert hooks.returncode == 0
    assert [line.split()[:2] for line in hooks.stdout.splitlines()] == [
        ["auth"], ["auth", "inline"], ["auth", "heavy"], ["mail"], ["sender-rules", "inline"], ["rcpt"], ["auth", "inline"]]
    printed = posternd("--print-config", "-c", config)
    assert printed.returncode == 0 and re.search(r"max-message\s*= 10M", printed.stdout)


def test_hooks_of_every_stage_are_shown(tmp_path):
    config = tmp_path / "postern.conf"
    config.write_text("[server]\nplugins = auth blocking\nplugin-directory = \"%s\"\nuser = root\n" % plugins(tmp_path))
    hooks = posternd("--hooks", "-c", config)
    assert hooks.returncode == 0, hooks.stderr
    assert "event\n  blocking " in hooks.stdout and "tick" not in hooks.stdout


def test_a_secret_in_a_file_of_its_own(tmp_path):
    config = tmp_path / "postern.conf"
    config.write_text("[server]\nplugin-directory = %s\n[route x]\nto = *\nnext-hop = smtp://me@relay.example.org\n"
                      "password = @%s\n" % (plugins(tmp_path), tmp_path / "absent"))
    done = posternd("-t", "-c", config)
    assert done.returncode == 1 and "postern.conf:6: " in done.stderr and "absent" in done.stderr


# ---- reload ----

@pytest.mark.parametrize("how", ["signal", "posternctl"])
def test_reload(make_postern, sink, how):
    """A session goes on as it began; new ones have the new settings."""
    postern = make_postern(sink=sink)
    extra = free_port()
    with postern.session() as old:
        postern.change({"server": {"max-message": "1M", "banner-name": "Renewed"},
                        "listener extra": {"addresses": "127.0.0.1", "ports": extra, "auth-without-tls": "yes"},
                        "listener smtps": None})
        if how == "signal":
            postern.process.send_signal(signal.SIGHUP)
            postern.wait_log("reloaded text=.*1 sessions keep the old configuration")
        else:
            assert "reloaded:" in postern.ctl("reload")
        old.expect("250", "MAIL FROM:<%s> SIZE=2000000" % LOGIN)
        old.expect("250", "RSET")
        old.mail(content="Subject: old\n\n.\n")
        with postern.smtp() as new:
            assert new.greeting.raw == ["220 mail.example.net ESMTP Renewed"]
            new.login()
            new.expect("552 5.3.4", "MAIL FROM:<%s> SIZE=2000000" % LOGIN)
        with Dialog(extra) as dialog:
            dialog.login()
            dialog.mail(content="Subject: extra\n\n.\n")
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", postern.ports["smtps"]), timeout=PATIENCE)
    assert sorted(message.header("Subject")[0] for message in sink.wait(2)) == ["extra", "old"]


def test_reload_with_a_mistake(make_postern, sink):
    """A mistake changes nothing, and its line is named."""
    postern = make_postern(sink=sink)
    good = postern.config.read_text()
    postern.config.write_text(good + "[nonsense]\nx = y\n")
    line = good.count("\n") + 1
    error = postern.ctl("reload", code=1)
    assert "postern.conf:%d: " % line in error and "nothing was changed" in error
    postern.process.send_signal(signal.SIGHUP)
    postern.wait_log(r"not reloaded error=.*postern\.conf:%d: " % line)
    postern.send()
    sink.wait(1)


def test_reload_under_load(make_postern, sink):
    """Reloads drop no session and lose no mail."""
    postern = make_postern(sink=sink)
    n = 0
    for i in range(5):
        dialogs = [postern.session() for _ in range(4)]
        postern.reload({"server": {"banner-name": "Name%d" % i}})
        for dialog in dialogs:
            dialog.mail()
            dialog.expect("221", "QUIT")
            n += 1
    assert len(sink.wait(n)) == n


# ---- the stop ----

def test_stop(make_postern, sink):
    """SIGTERM: no new sessions, 421 to those between messages, the message under way is taken, then the end."""
    postern = make_postern(sink=sink)
    with postern.session() as idle, postern.session() as busy, postern.session() as early:
        busy.send_raw(TO_ONE.encode())
        for start in ("250", "250", "354"):
            busy.expect(start)
        early.expect("250", "MAIL FROM:<%s>" % LOGIN)
        postern.process.terminate()
        idle.expect("421 4.3.2 mail.example.net Service is shutting down")
        assert idle.is_closed()
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", postern.ports["submission"]), timeout=PATIENCE)
        assert postern.process.poll() is None
        busy.send_raw(b"Subject: last\r\n\r\nx\r\n.\r\n")
        busy.expect("250 2.0.0 Ok: queued as")
        busy.expect("421 4.3.2")
        assert busy.is_closed()
        early.expect("250", "RSET")
        early.expect("421 4.3.2")
        assert postern.process.wait(PATIENCE) == 0
    postern.process = None
    log = postern.log()
    assert log.index(" stopping") < log.index("message accepted") < log.index(" stopped")
    postern.start()
    assert sink.wait(1)[0].header("Subject") == ["last"]
    assert postern.settle() == 1


def test_second_term_is_hasty(make_postern, make_sink):
    """A second SIGTERM does not wait for the session in DATA; what was acknowledged is there afterwards."""
    sink = make_sink({"MAIL": lambda argument: "450 4.3.2 later"})
    postern = make_postern({"delivery": {"retry": "1s .. 1s"}}, sink=sink)
    with postern.session() as dialog:
        dialog.mail()
        dialog.send_raw(TO_ONE.encode())
        for start in ("250", "250", "354"):
            dialog.expect(start)
        postern.process.terminate()
        postern.wait_log(" stopping")
        time.sleep(1)
        assert postern.process.poll() is None  # it waits for the message
        began = time.monotonic()
        postern.process.terminate()
        assert postern.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < 15
    postern.process = None
    assert not REPORTS.search(postern.stderr())
    sink.replies.clear()
    postern.start()
    sink.wait(1)
    assert postern.settle() == 1


def test_stop_while_a_next_hop_is_slow(make_postern, make_sink):
    """A delivery under way is finished before the end, and not done again."""
    sink = make_sink({".": lambda argument: time.sleep(2)})
    postern = make_postern(sink=sink)
    postern.send()
    sink.wait_command("DATA")
    time.sleep(0.2)
    postern.restart()
    assert postern.settle() == 1


# ---- only one ----

def test_second_daemon(make_postern, sink, tmp_path):
    """A second daemon on the same spool is refused with a sentence, and the first goes on."""
    postern = make_postern(sink=sink)
    other = tmp_path / "other.conf"
    text = postern.config.read_text()
    for port in postern.ports.values():
        text = text.replace(str(port), str(free_port()))
    other.write_text(text.replace(str(postern.place / "control"), str(tmp_path / "control")))
    done = posternd("-c", other)
    assert done.returncode == 1 and str(postern.place / "spool") in done.stderr, done.stderr
    postern.send()
    sink.wait(1)


def test_port_in_use(make_postern, sink, tmp_path):
    postern = make_postern(sink=sink)
    other = tmp_path / "other.conf"
    other.write_text(postern.config.read_text().replace(str(postern.place), str(tmp_path / "second")).replace(
        str(tmp_path / "second/plugins"), str(postern.place / "plugins")))
    done = posternd("-c", other)
    assert done.returncode == 1 and str(postern.ports["submission"]) in done.stderr, done.stderr


# ---- sockets from outside ----

class Activated(Postern):
    """Gets its listening sockets as systemd would give them, and tells when it is ready."""

    def launch(self, command, **options):
        self.listening = [socket.create_server(("127.0.0.1", self.ports[name]), backlog=50) for name in ("submission", "smtps")]
        self.early = Dialog(self.ports["submission"], greet=False)  # waits in the socket until the daemon is there
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.place / "notify"))
        self.notify.settimeout(PATIENCE)
        options["env"] = {**options["env"], "LISTEN_FDS": "2", "NOTIFY_SOCKET": str(self.place / "notify")}
        high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(self.listening)]
        process = subprocess.Popen(["/bin/bash", "-c", 'exec 3<&100 4<&101 100<&- 101<&-; LISTEN_PID=$$ exec "$@"', "posternd",
                                    *map(str, command)], pass_fds=high, **options)
        for fd in high:
            os.close(fd)
        for s in self.listening:
            s.close()
        return process

    def heard(self, last):
        """What was said before `last`."""
        heard = []
        while (said := self.notify.recv(1000)) != last:
            heard.append(said)
        return heard


def test_socket_activation(tmp_path, sink):
    """LISTEN_FDS: connections made before the start are served; NOTIFY_SOCKET hears of the start and the stop."""
    postern = Activated(tmp_path / "postern", sink=sink)
    try:
        assert postern.early.reply().code == 220
        first = postern.heard(b"READY=1")
        assert first[:2] == [b"STATUS=starting: reading the queue", b"STATUS=starting: plugins"]
        postern.early.login()
        postern.early.mail()
        postern.early.close()
        with postern.smtp("smtps") as dialog:
            dialog.login()
            dialog.mail()
        sink.wait(2)
    finally:
        postern.stop()
    assert b"STATUS=serving" in first + postern.heard(b"STOPPING=1")


# ---- the log ----

def test_text_log(make_postern, sink):
    """One line per event: time, level, event, name=value, quoted where needed."""
    postern = make_postern(sink=sink)
    postern.send()
    with postern.smtp() as dialog:
        dialog.expect("250", "EHLO x\"y")
        dialog.auth("evil=x to=\"y\"\nz@example.net", "wrong")
    postern.wait_log("delivered")
    for line in postern.log().splitlines():
        assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error): [^=]+'
                        r'( [a-z-]+=([^\s"]\S*|"(\\.|[^"\\])*"))*$', line), line


def test_json_log(make_postern, sink):
    """format = json: each line an object with the same facts."""
    postern = make_postern({"log": {"format": "json"}}, sink=sink)
    queue_id = postern.send()
    sink.wait(1)
    wait_until(lambda: "delivered" in postern.log(), "the line")
    rows = [json.loads(line) for line in postern.log().splitlines()]
    row, = [row for row in rows if row.get("queue") == queue_id and "submit" in row]
    assert row["login"] == LOGIN and row["to"] == "rcpt@example.org" and row["client"] == "127.0.0.1"
    assert [row for row in rows if row.get("queue") == queue_id and row.get("relay")]


def test_log_is_reopened(make_postern, sink):
    """A reload opens the file anew, so that it may be rotated."""
    postern = make_postern(sink=sink)
    (postern.place / "log").rename(postern.place / "log.1")
    postern.reload()
    postern.send()
    postern.wait_log("message accepted")
    assert "message accepted" not in (postern.place / "log.1").read_text()


# ---- a full disk, and what became of it ----

def test_full_disk(make_postern, sink):
    """Below keep-free: 452 4.3.1 at MAIL, an alarm, nothing queued; what was queued before goes on."""
    postern = make_postern({"spool": {"keep-free": "500T"}}, sink=sink)
    with postern.session() as dialog:
        dialog.expect("452 4.3.1 Insufficient system storage", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("503 5.5.1", "RCPT TO:<a@example.org>")
        dialog.expect("250", "NOOP")
    rows = wait_until(lambda: postern.ctl("alarms", json=True), "the alarm")
    assert rows[0]["alarm"] == "spool.full"
    postern.change({"spool": {"keep-free": "16M"}})
    postern.restart()
    postern.send()
    sink.wait(1)


def test_too_many_connections(make_postern, sink):
    """K-12 too many at once: 421 4.7.0 for the surplus only."""
    postern = make_postern({"clients": {"connections": "3"}}, sink=sink)
    dialogs = [postern.smtp() for _ in range(3)]
    with Dialog(postern.ports["submission"], greet=False) as surplus:
        surplus.expect("421 4.7.0 mail.example.net Error: too many connections from 127.0.0.1")
        assert surplus.is_closed()
    with postern.smtp(source="127.0.0.3") as other:
        other.hello()
    dialogs.pop().close()
    wait_until(lambda: Dialog(postern.ports["submission"], greet=False).reply().code == 220, "room again")
    for dialog in dialogs:
        dialog.hello()
        dialog.close()


def test_why(make_postern, sink):
    """posternctl why tells what was refused of whom, by address, login, client and session."""
    postern = make_postern({"server": {"support": "quote %{session} for %{cause}"}}, sink=sink)
    with postern.session() as dialog:
        reply = dialog.ask("MAIL FROM:<boss@example.net>")
        session = re.search(r"quote (\w+) for policy", reply.text).group(1)
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("504 5.5.2", "RCPT TO:<nobody>")
    with postern.smtp() as dialog:
        dialog.hello()
        dialog.auth(password="wrong")
    for what in ("boss@example.net", LOGIN, "127.0.0.1", session):
        rows = wait_until(lambda: postern.ctl("why", what, json=True), "rows about %s" % what)
        row, = [row for row in rows if row["plugin"] == "sender-rules"]
        assert (row["session"], row["client"], row["login"], row["sender"]) == (session, "127.0.0.1", LOGIN, "boss@example.net")
        assert (row["stage"], row["cause"]) == ("mail", "policy") and row["reply"].startswith("553 5.7.1")
    assert [row for row in postern.ctl("why", LOGIN, json=True) if row["reply"].startswith("535 5.7.8")]
    assert postern.ctl("why", "stranger@example.net", json=True) == []
