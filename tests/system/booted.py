"""A Debian 12 that boots with its own systemd in namespaces of its own, for tests of the installed unit; see boot.sh.

The system is made once by debootstrap, from the mirror of this machine, and kept in a cache; each machine works on a
copy-on-write layer over it.  Needs root, debootstrap, a cgroup 2 hierarchy that may be written, and overlayfs."""
import contextlib
import fcntl
import hashlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path

import netns
from postern import PATIENCE, SOURCE, wait_until

SUITE = "bookworm"
# beside what an installed Postern needs (tools/packages run): the system, and the programs of the tests and of doc/install.md
PACKAGES = ["systemd", "systemd-sysv", "openssl", "ca-certificates", "curl", "logrotate"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "/var/cache")) / "postern-tests"


class Impossible(Exception):
    """This machine cannot boot another."""


# ---- the system ----

def mirror():
    """Where this machine has its packages from."""
    text = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                           "Codename: %s" % SUITE, "Component: main"], capture_output=True, text=True, check=True).stdout
    if not text.split():
        raise Impossible("the sources of apt do not name Debian's %s" % SUITE)
    return text.split()[0]


def packages():
    needed = subprocess.run([SOURCE / "tools/packages", "run", "--list"], capture_output=True, text=True, check=True).stdout
    return PACKAGES + needed.split()


def make_image(place):
    """By debootstrap; packages that apt of this machine has are not fetched again."""
    archives = subprocess.run(["apt-config", "shell", "d", "Dir::Cache::archives/d"], capture_output=True, text=True, check=True)
    words = ["debootstrap", "--variant=minbase", "--include=" + ",".join(packages())]
    found = re.search(r"d='(.*)'", archives.stdout)
    if found and Path(found[1]).is_dir():
        words.append("--cache-dir=" + found[1])
    with open(str(place) + ".log", "wb") as log, netns.inside(netns.machine):
        code = subprocess.run([*words, SUITE, place, mirror()], stdout=log, stderr=log, check=False).returncode
    assert code == 0, "debootstrap ended with %d: %s" % (code, Path(str(place) + ".log").read_text(errors="replace")[-3000:])
    for name in ("etc/hostname", "etc/resolv.conf"):  # debootstrap copies those of this machine
        (place / name).unlink(missing_ok=True)


def image():
    """The directory of the system, made if its list of packages is new; others are removed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(" ".join([SUITE, *sorted(packages())]).encode()).hexdigest()[:16]
    place = CACHE / ("debian-" + key)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            for old in CACHE.glob("debian-*"):
                shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink()
            making = CACHE / ("debian-%s-making" % key)
            make_image(making)
            making.rename(place)
    return place


def cgroup():
    """A path for a new cgroup below that of this process."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[words.index("-") + 1] == "cgroup2" and "rw" in words[5].split(","):
            own = re.search(r"^0::(.*)$", Path("/proc/self/cgroup").read_text(encoding="ascii"), re.M)
            return Path(words[4] + own[1].rstrip("/")) / ("postern-test-%d" % os.getpid())
    raise Impossible("there is no cgroup 2 hierarchy that may be written")


def check_possible():
    """Raises Impossible with what is missing."""
    if os.geteuid() != 0:
        raise Impossible("to boot a Debian in namespaces takes root")
    if not shutil.which("debootstrap"):
        raise Impossible("needs debootstrap (tools/packages test)")
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        subprocess.run(["modprobe", "overlay"], capture_output=True, check=False)
        if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
            raise Impossible("this kernel has no overlayfs")
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--net", "true"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Impossible("namespaces are not permitted: " + done.stderr.strip())
    cgroup()


# ---- networks ----

class Neighbour:
    """Another host, as far as the network goes: `network()`, joined to the machine by a cable of their own."""

    def __init__(self, machine, address, machine_address):
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])
        here = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink("/proc/%d/ns/net" % self.holder.pid) != here, "the network of a neighbour")
        with machine.network():
            self.ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.holder.pid)
            self.ip("address", "add", machine_address, "dev", "cable")
            self.ip("link", "set", "cable", "up")
        with self.network():
            self.ip("address", "add", address, "dev", "cable")
            self.ip("link", "set", "cable", "up")

    def ip(self, *words):
        subprocess.run(["ip", *map(str, words)], check=True)

    def network(self):
        return netns.of_process(self.holder.pid)

    def close(self):
        self.holder.kill()
        self.holder.wait()


# ---- a machine ----

class Done:
    """How a command ended: `code`, `out`, `err`."""

    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    def __repr__(self):
        return "%s\nended with %d:\n%s%s" % (self.words, self.code, self.out, self.err)


class Machine:
    """Boots when it is made.  `install(root)` is called before, with the directory that its files begin in."""

    def __init__(self, place, hostname="mail.example.net"):
        check_possible()
        self.place, self.cgroup = Path(place), cgroup()
        self.changes = self.place / "changes"
        self.changes.mkdir(parents=True)
        self.hostname, self.process, self.init = hostname, None, None
        self.put("/etc/hosts", "127.0.0.1 localhost\n127.0.0.1 %s\n" % hostname)
        self.put("/etc/hostname", hostname + "\n")

    def put(self, path, text, mode=0o644):
        """A file of the machine, before it boots and after."""
        file = (Path("/proc/%d/root" % self.init) if self.init else self.changes) / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def read(self, path):
        return (Path("/proc/%d/root" % self.init) / path.lstrip("/")).read_text(errors="replace")

    def boot(self):
        with open(self.place / "console", "wb") as console:
            self.process = subprocess.Popen([SOURCE / "tests/system/boot.sh", self.cgroup, image(), self.place, self.hostname],
                                            stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            self.init = wait_until(self.find_init, "the machine's init")
            wait_until(self.is_running, "the end of the boot")
        except BaseException:
            self.close()
            raise

    def console(self):
        return (self.place / "console").read_text(errors="replace")

    def find_init(self):
        """The pid of its init as this machine sees it, once it is systemd."""
        assert self.process.poll() is None, "the machine did not boot: %s" % self.console()
        children = Path("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)).read_text(encoding="ascii").split()
        return int(children[0]) if children and \
            Path("/proc/%s/comm" % children[0]).read_text(encoding="ascii").strip() == "systemd" else None

    def is_running(self):
        return self.run("systemctl is-system-running", code=None).out.strip() in ("running", "degraded")

    # -- commands --

    def words(self, script, user="root"):
        """A command of this machine that runs a shell script in that one."""
        enter = ["nsenter", "--target", str(self.init), "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--wdns=/root",
                 "--", "env", "-i", "PATH=" + PATH, "LANG=C.UTF-8", "HOME=/root", "TERM=dumb"]
        become = [] if user == "root" else ["runuser", "--user", user, "--"]
        return [*enter, *become, "bash", "-euo", "pipefail", "-c", script]

    def run(self, script, code=0, user="root", input=""):
        """A shell script in the machine.  `code` None: it may end as it likes."""
        done = subprocess.run(self.words(script, user), input=input.encode(), capture_output=True, timeout=4 * PATIENCE, check=False)
        answer = Done(script, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        assert code is None or answer.code == code, answer
        return answer

    def type(self, script, lines):
        """The same at a terminal, at which these lines are typed, each when it is asked for."""
        master, slave = pty.openpty()
        process = subprocess.Popen(self.words(script), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        shown = b""
        try:
            for line in lines:
                while not shown.rstrip(b" ").endswith(b":"):
                    assert select.select([master], [], [], PATIENCE)[0], Done(script, -1, shown.decode(errors="replace"), "")
                    shown += os.read(master, 4096)
                os.write(master, line.encode() + b"\n")
                shown += b"\n"
            with contextlib.suppress(OSError):  # the end of a terminal
                while (more := os.read(master, 4096)):
                    shown += more
            code = process.wait(PATIENCE)
        finally:
            os.close(master)
            process.kill()
            process.wait()
        assert code == 0, Done(script, code, shown.decode(errors="replace"), "")
        return shown.decode(errors="replace")

    def show(self, unit, name):
        """A property of a unit."""
        return self.run("systemctl show --property=%s --value %s" % (name, unit)).out.strip()

    def journal(self, unit=None):
        return self.run("journalctl --no-pager --output=cat" + (" --unit=" + unit if unit else "")).out

    def network(self):
        return netns.of_process(self.init)

    # -- the end --

    def close(self):
        """As pulling the plug; the tests have stopped what they want to see stopped."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if self.init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        self.remove_cgroup()
        shutil.rmtree(self.place, ignore_errors=True)

    def remove_cgroup(self):
        def remove():
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            return not self.cgroup.exists()
        wait_until(remove, "the end of the machine's processes")
