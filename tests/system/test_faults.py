"""Plugins that crash, hang, or use much stack: what the log, the alarms, the queue and the service manager say of it."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from postern import BUILD, Postern, wait_until

BAD = BUILD / "tests/plugins/.libs/faulty.so"
has_sanitizers = not list(BUILD.glob("plugins/uribl/.libs/uribl.so"))  # plugins are linked in then
pytestmark = pytest.mark.skipif(not BAD.exists(), reason="tests/plugins/faulty.la is not built")
not_sanitized = pytest.mark.skipif(has_sanitizers, reason="the sanitizer has its own handler of crashes")


class Watched(Postern):
    """As a service of type notify: `notified` has what it said, oldest first."""

    def launch(self, command, **options):
        path = str(self.place / "notify")
        if os.path.exists(path):
            os.unlink(path)
        self.notified, self.notify = [], socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        threading.Thread(target=self.listen, args=(self.notify,), daemon=True).start()
        options["env"] = {**options["env"], "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1500000"}
        return super().launch(command, **options)

    def listen(self, notify):
        while True:
            self.notified.append(notify.recv(4096).decode())

    def wait_status(self, text):
        wait_until(lambda: any(text in said for said in self.notified), "%s among %s" % (text, self.notified))

    def lives(self, seconds):
        """How often it says within this time that it does."""
        self.notified.clear()
        time.sleep(seconds)
        return self.notified.count("WATCHDOG=1")


@pytest.fixture
def with_fault(sink, tmp_path):
    """A daemon with one of the plugins bad-fault, bad-inline, bad-heavy; options are those of its section.  It may be dead at
    the end of the test."""
    made = []

    def make(name, options, server=None, kind=Watched, more=None):
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        for plugin in BUILD.glob("plugins/*/.libs/*.so"):
            (folder / plugin.name).symlink_to(plugin)
        for bad in ("bad-fault", "bad-inline", "bad-heavy"):
            (folder / (bad + ".so")).symlink_to(BAD)
        release = tmp_path / "release"
        made.append(kind(tmp_path / "postern", {
            "server": {"plugins": name + " auth", "plugin-directory": folder, "stuck-after": "2s", **(server or {})},
            "plugin " + name: {"release": release, "deadline": "1s", **options}, **(more or {})}, sink=sink))
        made[-1].release = release
        return made[-1]
    yield make
    for each in made:
        (tmp_path / "release").touch()
        if each.process is not None and each.process.poll() is None:
            each.kill()


def died(postern, by=signal.SIGSEGV):
    assert postern.process.wait(60) == -by
    postern.process = None
    assert "crashed signal=%s" % by.name in postern.stderr()
    return [line for line in postern.log().split("\n") if " error: crashed " in line]


def release_for_two_crashes(postern, queue_id):
    """A crash may come before the release of its message is on the disk: then the next start holds it as before."""
    for _ in range(10):
        postern.ask("queue", "release", queue_id)
        died(postern)
        postern.begin()
        try:
            postern.process.wait(10)
        except subprocess.TimeoutExpired:
            assert postern.wait_queue(1, "state=held")[0]["id"] == queue_id
        else:
            died(postern)
            return
    raise AssertionError("no release of %s came to the disk" % queue_id)


def wait_alarm(postern, name, pattern):
    return wait_until(lambda: re.search(pattern, postern.alarms().get(name, "")), "alarm %s: %s" % (name, pattern))


def wait_no_alarm(postern, name):
    wait_until(lambda: name not in postern.alarms(), "the end of alarm " + name)


def say(postern, stage):
    """What brings a session to the stage; the daemon may die meanwhile."""
    try:
        with postern.smtp() as dialog:
            if stage == "connect":
                return
            dialog.hello()
            if stage == "tls":
                dialog.starttls()
            dialog.login()
            dialog.mail("bad@example.net")
    except (OSError, AssertionError):
        pass


def send_bad(postern):
    """Its queue id; the daemon may die of it before the client has the reply."""
    say(postern, "message")
    return postern.wait_log(r"message accepted .*queue=(\w+) .*bad@example.net").group(1)


# ---- crashes ----

@not_sanitized
@pytest.mark.parametrize("name, stage, thread", [
    ("bad-inline", "connect", "loop"), ("bad-inline", "rcpt", "loop"), ("bad-fault", "connect", "worker"),
    ("bad-fault", "rcpt", "worker"), ("bad-fault", "message", "worker"), ("bad-heavy", "message", "cruncher"),
    ("bad-heavy", "auth", "hasher"), ("bad-fault", "queued", "worker"), ("bad-fault", "tick", "worker"),
    ("bad-fault", "disconnect", "worker")])
def test_a_crash_names_its_plugin(with_fault, name, stage, thread):
    """H-01 The last line of the log and of stderr says who it was; after the restart an alarm does."""
    postern = with_fault(name, {})
    postern.change({"plugin " + name: {"at": stage, "act": "crash"}})
    postern.ask("reload")
    say(postern, stage)
    lines = died(postern)
    assert len(lines) == 1, lines
    assert " thread=%s " % thread in lines[0] and " plugin=%s stage=%s" % (name, stage) in lines[0], lines
    assert stage in ("tick",) or re.search(r" session=[0-9A-Z]+", lines[0]), lines
    postern.change({"plugin " + name: {"act": "none"}})
    postern.start()
    wait_alarm(postern, "crash", r"plugin %s at stage %s \(SIGSEGV\)" % (name, stage))
    assert "crash.held" not in postern.alarms()
    postern.stop()
    postern.start()  # it is not forgotten by another restart
    wait_alarm(postern, "crash", r"plugin %s" % name)


@not_sanitized
@pytest.mark.parametrize("name, stage", [("bad-inline", "connect"), ("bad-fault", "rcpt"), ("bad-heavy", "message"),
                                         ("bad-fault", "route")])
def test_a_stack_overflow_names_its_plugin(with_fault, name, stage):
    """The handler has a stack of its own in each thread."""
    postern = with_fault(name, {})
    postern.change({"plugin " + name: {"at": stage, "act": "overflow"}})
    postern.ask("reload")
    say(postern, stage)
    [line] = died(postern)
    assert "plugin=%s stage=%s" % (name, stage) in line and 'error="its stack is used up"' in line, line


@not_sanitized
@pytest.mark.parametrize("command, stage", [("here", "command"), ("behind", "background")])
def test_a_crash_of_a_command(with_fault, command, stage):
    postern = with_fault("bad-fault", {"at": stage, "act": "crash"})
    postern.ask("bad-fault", command)
    [line] = died(postern)
    assert "plugin=bad-fault stage=%s" % stage in line, line


@not_sanitized
def test_a_crash_at_start_and_an_abort(with_fault):
    """Before anything is served, too; abort() is a crash; the log as JSON is one object."""
    postern = with_fault("bad-fault", {}, more={"log": {"format": "json"}})
    postern.stop()
    postern.change({"plugin bad-fault": {"at": "start", "act": "abort"}})
    postern.begin()
    assert postern.process.wait(60) == -signal.SIGABRT
    postern.process = None
    last = postern.log().strip().split("\n")[-1]
    assert re.fullmatch(r'\{"time":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ","level":"error","event":"crashed",'
                        r'"signal":"SIGABRT","thread":"main","tid":"\d+","plugin":"bad-fault","stage":"start"\}', last), last


# A /dev of its own, where "log" is the test's socket.
OWN_DEV = """mount --make-rprivate / && mkdir "$1/dev" && mount --rbind /dev "$1/dev" && mount -t tmpfs tmpfs /dev &&
for each in "$1"/dev/*; do ln -s "$each" /dev/; done && ln -sf "$1/syslog" /dev/log && shift && exec "$@\""""


class Logged(Watched):
    """Logs to a syslog server that is the test."""

    def launch(self, command, **options):
        self.listen_as_syslog()
        return super().launch(["unshare", "--mount", "sh", "-c", OWN_DEV, "sh", self.place, *command], **options)

    def listen_as_syslog(self):
        (self.place / "syslog").unlink(missing_ok=True)
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.settimeout(60)
        self.syslog.bind(str(self.place / "syslog"))


@not_sanitized
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a /dev of its own")
@pytest.mark.parametrize("is_new", [False, True], ids=["first server", "server started anew"])
@pytest.mark.parametrize("format", ["text", "json"])
def test_a_crash_is_in_syslog_and_on_stderr(with_fault, is_new, format):
    """H-02 The last line goes to the syslog server in the form of the lines before it, also to one that was started since."""
    postern = with_fault("bad-fault", {"at": "rcpt", "act": "crash", "if": "bad"}, kind=Logged,
                         more={"log": {"to": "syslog:local3", "format": format}})
    pid = postern.process.pid
    if is_new:
        postern.syslog.close()
        postern.listen_as_syslog()
    say(postern, "rcpt")
    assert postern.process.wait(60) == -signal.SIGSEGV
    postern.process = None
    last, wanted = "", r"crashed" if format == "text" else r'"event":"crashed"'
    while wanted not in last:
        before, last = last, postern.syslog.recv(8192).decode()
    head = r"<%d>([A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d) posternd\[%d\]: "
    found = re.match(head % (19 * 8 + 3, pid), last)  # local3.err
    assert found and any(re.match(head % (19 * 8 + level, pid), before) for level in (4, 6, 7)), (before, last)
    crashed = time.mktime(time.strptime("%d %s" % (time.localtime().tm_year, found[1]), "%Y %b %d %H:%M:%S"))
    assert abs(time.time() - crashed) < 60
    text = last[found.end():]
    if format == "text":
        assert re.fullmatch(r"error: crashed signal=SIGSEGV thread=\S+ tid=\d+ plugin=bad-fault stage=rcpt session=\S+ queue=\S+", text), text
    else:
        assert json.loads(text)["plugin"] == "bad-fault"
    assert text in postern.stderr()


@not_sanitized
def test_a_core_dump_is_left_to_the_system(with_fault):
    """The process dies by the fault itself, not by exit(): the parent sees the signal, and a core would be of the fault."""
    postern = with_fault("bad-fault", {"at": "rcpt", "act": "crash", "if": "bad"})
    say(postern, "rcpt")
    died(postern)


@not_sanitized
@pytest.mark.parametrize("stage", ["route", "deliver"])
def test_a_message_of_two_crashes_is_held(with_fault, sink, stage):
    """H-02 The first crash is tried again, the second holds the message, others flow; a release begins the count anew."""
    more = {"route all": {"next-hop": "plugin:bad-fault", "tls": None}} if stage == "deliver" else {}
    postern = with_fault("bad-fault", {}, more=more)
    with postern.session() as dialog:
        dialog.expect("250", "NOOP")
    postern.change({"plugin bad-fault": {"at": stage, "act": "crash", "if": "bad"}})
    postern.reload()
    queue_id = send_bad(postern)
    [line] = died(postern)
    assert "stage=%s" % stage in line and "queue=%s" % queue_id in line, line
    postern.begin()  # dies again before anybody can ask it
    lines = died(postern)
    assert len(lines) == 2
    postern.start()
    [row] = postern.wait_queue(1, "state=held")
    assert row["id"] == queue_id
    assert "two crashes: plugin bad-fault at stage " + stage in postern.ctl("queue", "show", queue_id)
    wait_alarm(postern, "crash.held", r"%s is held.*plugin bad-fault at stage %s" % (queue_id, stage))
    postern.wait_log(r"message held.*queue=%s.*plugin=bad-fault" % queue_id)
    if stage == "route":
        postern.send()
        sink.wait(1)
    postern.restart()  # it is held still, and the alarm comes again
    wait_alarm(postern, "crash.held", queue_id)
    release_for_two_crashes(postern, queue_id)
    postern.change({"plugin bad-fault": {"act": "none"}, "route all": {"next-hop": "smtp:[127.0.0.1]:%d" % sink.port}})
    postern.start()
    wait_alarm(postern, "crash.held", queue_id)
    postern.ctl("queue", "release", queue_id)
    sink.wait(2 if stage == "route" else 1)
    wait_no_alarm(postern, "crash.held")
    postern.stop()


@not_sanitized
def test_one_crash_holds_nothing(with_fault, sink):
    """A message that was there once, and is delivered afterwards, leaves nothing behind."""
    postern = with_fault("bad-fault", {})
    postern.change({"plugin bad-fault": {"at": "route", "act": "crash", "if": "bad"}})
    postern.reload()
    send_bad(postern)
    died(postern)
    postern.change({"plugin bad-fault": {"act": "none"}})
    postern.start()
    sink.wait(1)
    postern.settle()
    assert "crash.held" not in postern.alarms()
    postern.restart()
    assert not re.search(r"[0-9A-Z]{13}$", (postern.place / "crashes").read_text(), re.M)  # no message is named
    wait_alarm(postern, "crash", "bad-fault at stage route")
    postern.stop()


@not_sanitized
def test_a_damaged_record_of_crashes(with_fault, sink):
    """It does not prevent a start, and is made anew."""
    postern = with_fault("bad-fault", {})
    postern.stop()
    (postern.place / "crashes").write_bytes(b"crash\ncrash x y\n\0\xff\nheld 1 - - - - - 0000000000000\ncrash 99999999999999999999 - ")
    postern.start()
    assert postern.alarms() == {}
    wait_until(lambda: (postern.place / "crashes").read_bytes() == b"", "an empty record")
    postern.stop()


# ---- hangs ----

def test_a_stuck_loop_is_an_alarm(with_fault):
    """H-03 An inline hook that does not return: alarm, log and STATUS= name it, WATCHDOG=1 ends; all of it is over when it goes on."""
    postern = with_fault("bad-inline", {"at": "mail", "act": "hang", "if": "bad"})
    postern.wait_status("READY=1")
    postern.wait_status("STATUS=serving")
    assert postern.lives(2) >= 2
    with postern.session() as dialog:
        dialog.send("MAIL FROM:<bad@example.net>")
        wait_alarm(postern, "thread.stuck", r"thread loop \(\d+\) is in plugin bad-inline, stage mail")
        postern.wait_log(r"thread stuck thread=loop tid=\d+ plugin=bad-inline stage=mail session=\w+ .*seconds=\d")
        postern.wait_status("STATUS=stuck: thread loop")
        assert postern.lives(2) == 0
        postern.release.touch()
        dialog.expect("451")  # it missed its deadline
    wait_no_alarm(postern, "thread.stuck")
    postern.wait_log("thread goes on thread=loop")
    postern.wait_status("WATCHDOG=1")
    assert postern.log().count("alarm raised alarm=thread.stuck") == 1
    postern.stop()
    assert "STATUS=starting: reading the queue" not in postern.notified  # cleared above
    assert "STOPPING=1" in postern.notified


@not_sanitized
def test_who_kills_a_stuck_daemon_learns_of_the_plugin(with_fault):
    """The service manager's SIGABRT goes to the process, and the report is about the thread that is stuck."""
    postern = with_fault("bad-inline", {"at": "mail", "act": "hang", "if": "bad"})
    with postern.session() as dialog:
        dialog.send("MAIL FROM:<bad@example.net>")
        wait_alarm(postern, "thread.stuck", "bad-inline")
        postern.process.send_signal(signal.SIGABRT)
        [line] = died(postern, signal.SIGABRT)
    assert "thread=loop" in line and "plugin=bad-inline stage=mail" in line and "it was stuck" in line, line
    postern.start()
    wait_alarm(postern, "crash", r"plugin bad-inline at stage mail \(SIGABRT\)")
    postern.stop()


def test_the_main_loop_is_watched(with_fault):
    """A reload by SIGHUP whose plugin does not start is an alarm of its own; a stop is not kept up by one in a command."""
    postern = with_fault("bad-fault", {})
    postern.change({"plugin bad-fault": {"at": "start", "act": "hang"}})
    postern.process.send_signal(signal.SIGHUP)
    postern.wait_log(r"thread stuck thread=main .*plugin=bad-fault stage=start")
    postern.wait_log(r"alarm raised alarm=thread.stuck text=.*thread main .* is in plugin bad-fault, stage start")
    postern.send()  # mail flows
    postern.release.touch()
    postern.wait_log("thread goes on thread=main")
    postern.stop()


def test_orphaned_hooks_are_an_alarm(with_fault):
    """H-04 Hooks that were given up: named until they return."""
    postern = with_fault("bad-fault", {"at": "mail", "act": "hang", "if": "bad"})
    with postern.session() as dialog:
        dialog.send("MAIL FROM:<bad@example.net>")
        dialog.expect("421")
    wait_alarm(postern, "hooks.orphaned", r"plugin bad-fault \(stage mail\)")
    postern.wait_log("hook does not return thread=worker .*plugin=bad-fault stage=mail session=")
    assert "thread.stuck" not in postern.alarms()
    assert postern.lives(2) >= 2  # the loops come round
    postern.release.touch()
    wait_no_alarm(postern, "hooks.orphaned")
    postern.wait_log("hook has returned thread=worker")
    postern.stop()


def test_a_stuck_route_is_an_alarm(with_fault, sink):
    """The scheduler waits for it, so nothing is delivered: somebody has to know."""
    postern = with_fault("bad-fault", {"at": "route", "act": "hang", "if": "bad"})
    queue_id = postern.send(sender="bad@example.net")
    wait_alarm(postern, "hooks.orphaned", r"plugin bad-fault \(stage route\)")
    postern.wait_log("hook does not return thread=schedule .*plugin=bad-fault stage=route queue=" + queue_id)
    postern.release.touch()
    wait_no_alarm(postern, "hooks.orphaned")
    postern.stop()


def test_a_plugin_that_is_at_once_everywhere(with_fault):
    """at-once is exhausted: an alarm until workers are free again."""
    postern = with_fault("bad-fault", {"at": "mail", "act": "hang", "if": "bad", "at-once": "2", "deadline": "60s"})
    with postern.session() as one, postern.session() as two, postern.session() as three:
        one.send("MAIL FROM:<bad@example.net>")
        two.send("MAIL FROM:<bad@example.net>")
        wait_alarm(postern, "hooks.at-once", r"plugin bad-fault holds all the 2 workers")
        three.expect("451", "MAIL FROM:<bad@example.net>")
        postern.release.touch()
        one.expect("250")
        two.expect("250")
    wait_no_alarm(postern, "hooks.at-once")
    postern.stop()


# ---- the stop ----

@pytest.mark.parametrize("name, stage", [("bad-inline", "mail"), ("bad-fault", "mail"), ("bad-fault", "route"),
                                         ("bad-fault", "queued"), ("bad-fault", "tick"), ("bad-fault", "stop"),
                                         ("bad-fault", "background")])
def test_a_stop_names_what_it_waits_for(with_fault, name, stage):
    """H-05 Whatever hook hangs, the stop ends within its bound, and says for whom it waits."""
    postern = with_fault(name, {"at": stage, "act": "hang", "if": "bad" if stage != "tick" else ""})
    if stage == "mail":
        dialog = postern.session()
        dialog.send("MAIL FROM:<bad@example.net>")
    elif stage in ("route", "queued"):
        postern.send(sender="bad@example.net")
    elif stage == "background":
        postern.ctl("bad-fault", "behind")
    if stage != "stop":
        wait_until(lambda: "plugin.%s.hangs" % name in postern.ctl("metrics"), "the hook")
    began = time.monotonic()
    postern.process.terminate()
    postern.wait_log(r'stopping waits for="plugin %s \(stage %s\)"' % (name, stage), 60)
    postern.wait_status("STATUS=stopping: waiting for plugin %s (stage %s)" % (name, stage))
    if time.monotonic() - began < 3:
        postern.process.terminate()  # not all of the bound: see below
    assert postern.process.wait(115) == 0
    postern.process = None
    postern.wait_log(r"stopped with work left behind.*hooks=\"plugin %s \(stage %s\)" % (name, stage))


def test_a_stop_ends_without_being_hurried(with_fault, sink):
    """One SIGTERM is enough: a loop and a worker that hang; what was acknowledged is there afterwards."""
    postern = with_fault("bad-inline", {"at": "mail", "act": "hang", "if": "bad"},
                         more={"route all": {"next-hop": "smtp:[127.0.0.1]:1"}})
    queue_id = postern.send()
    dialog = postern.session()
    dialog.send("MAIL FROM:<bad@example.net>")
    wait_until(lambda: "plugin.bad-inline.hangs" in postern.ctl("metrics"), "the hook")
    began = time.monotonic()
    postern.process.terminate()
    assert postern.process.wait(110) == 0
    assert time.monotonic() - began < 100
    postern.process = None
    dialog.close()
    postern.change({"route all": {"next-hop": "smtp:[127.0.0.1]:%d" % sink.port}})
    postern.start()
    postern.ask("queue", "retry", queue_id)
    sink.wait(1)
    postern.stop()


# ---- the stack ----

STAGES = ["connect", "tls", "helo", "auth", "authenticated", "mail", "rcpt", "data", "message", "route", "deliver", "queued",
          "reply", "reset", "disconnect", "delivered", "tick", "start", "command", "background"]


@pytest.mark.parametrize("name, stage", [("bad-fault", stage) for stage in STAGES] +
                         [("bad-inline", stage) for stage in STAGES[:9]] + [("bad-heavy", "auth"), ("bad-heavy", "message")])
def test_a_hook_may_use_much_stack(with_fault, sink, name, stage):
    """H-06 1.5 MiB at every stage, on every kind of thread: libraries that recurse (std::regex) do."""
    more = {"route all": {"next-hop": "plugin:bad-fault", "tls": None}} if stage == "deliver" else {}
    postern = with_fault(name, {"at": stage, "act": "stack", "deadline": "10s"}, kind=Postern, more=more)
    if stage in ("command", "background"):
        postern.ctl("bad-fault", "here" if stage == "command" else "behind")
    with postern.smtp() as dialog:
        dialog.hello()
        dialog.starttls()
        dialog.login()
        dialog.expect("250", "MAIL FROM:<user@example.net>")
        dialog.expect("250", "RSET")
        dialog.mail()
        dialog.expect("5", "NONSENSE")
        dialog.expect("221", "QUIT")
    wait_until(lambda: "plugin.%s.stack.%s" % (name, stage) in postern.ctl("metrics"), "the count of " + stage)
    postern.stop()
