"""servers.py - what tools/bench measures, and where it stands: posternd, Postfix, the sinks, and their volume."""
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOGIN, PASSWORD, RECIPIENT = "user@bench.test", "bench-password", "rcpt@sink.test"
NAMES = {"posternd": "posternd", "postfix": "Postfix", "durable": "durable floor", "sink": "sink", "plugins": "all plugins", "redis": "on Redis"}


class CannotRun(Exception):
    """One server cannot be measured, or the whole cannot: the message says why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise CannotRun(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def write(path, text, mode=0o644):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, what, seconds=15):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process is not None and process.poll() is not None:
            raise CannotRun(f"{what} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise CannotRun(f"{what} does not listen on port {port}")


# ---- servers -----------------------------------------------------------------------------------------

class Server:
    """What takes mail on `port`; `sink_port` is the next hop of those that relay."""
    name, relays, has_auth, extra = "", False, True, ""   # extra: more words for smtp-load

    def __init__(self, place):
        self.place, self.process, self.port, self.sink_port = place, None, free_port(), free_port()
        self.log = os.path.join(place.work, f"{self.name}.log")

    def spawn(self, *command):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True)

    def start(self):
        raise NotImplementedError

    def stop(self):
        if self.process is None:
            return
        group = self.process.pid
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        try:
            os.killpg(group, signal.SIGKILL)   # what Postfix's master leaves behind holds the volume
        except ProcessLookupError:
            pass
        self.process = None

    def tail(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()[-600:].strip()
        except OSError:
            return ""


class Sink(Server):
    name = "sink"

    def start(self):
        place = self.place
        store = ["--store", os.path.join(place.volume, "floor")] if self.name == "durable" else []
        self.spawn(place.program("smtp-sink"), "-p", str(self.port), "-a", "-C", place.certificate, "-k", place.key, *store)
        wait_for_port(self.port, self.process, NAMES[self.name], 60)


class Durable(Sink):
    name = "durable"


class Posternd(Server):
    """Adapt configuration() and accounts() here when the server's own change."""
    name, relays = "posternd", True

    def configuration(self):
        place = self.place
        spool = os.path.join(place.volume, "posternd")   # the name by which PosterndWithPlugins finds it
        os.makedirs(spool, exist_ok=True)
        return f"""
[server]
hostname = bench.test
user = root
plugins = auth sender-rules
control = {spool}/control
max-connections = 60000
max-message = 209715200

[clients]
connections = 60000
connection-rate = 100000000
commands = 1000000000
work = 60000

[listener bench]
addresses = 127.0.0.1
ports = {self.port}
tls = starttls
auth = yes
auth-without-tls = yes

[tls]
certificate = {place.certificate}
key = {place.key}

[spool]
directory = {spool}
keep-free = 64M

[directory]
at = sqlite:{spool}/directory.db

[store]
at = sqlite:{spool}/store.db

[log]
to = {os.path.join(place.volume, "posternd.log")}
refusals = {spool}/refusals

[route sink]
to = sink.test
next-hop = smtp://[127.0.0.1]:{self.sink_port}
"""

    def accounts(self):
        secret = write(os.path.join(self.place.work, "password"), PASSWORD + "\n", 0o600)
        return [["customer", "add", "bench", "primary=root@bench.test", "postmaster=root@bench.test"],
                ["domain", "add", "bench.test", "customer=bench", "mode=outbound-only"],
                ["account", "add", LOGIN, "--password-file", secret]]

    def prepare(self, control, config):
        """Before the daemon starts."""

    def wait_for_control(self):
        until = time.monotonic() + 10
        while not os.path.exists(os.path.join(self.place.volume, self.name, "control")):
            if time.monotonic() > until:
                raise CannotRun("posternd has no control socket")
            time.sleep(0.05)

    def start(self):
        config = write(os.path.join(self.place.work, f"{self.name}.conf"), self.configuration())
        daemon, control = self.place.installed("sbin/posternd"), self.place.installed("sbin/posternctl")
        self.prepare(control, config)
        self.spawn(daemon, "-c", config)
        wait_for_port(self.port, self.process, "posternd")
        self.wait_for_control()
        if not os.path.exists(os.path.join(self.place.work, f"{self.name}.accounts")):
            for command in self.accounts():
                run(control, "-c", config, *command)
            write(os.path.join(self.place.work, f"{self.name}.accounts"), "")


class PosterndWithPlugins(Posternd):
    """The same with every plugin that judges by itself: lists, verification and restrictions ask a name server and an
    exchanger of ours once, and then their caches.  clamd is left out: what it takes is not ours."""
    name, extra = "plugins", "-x 198.18.0.9"
    exchanger = "127.0.2.77"
    ZONES = {"bench.test": "@ IN MX 10 mx\nmx IN A %s", "sink.test": "@ IN MX 10 mx.bench.test.",
             "xbl.test": "2.0.0.127 IN A 127.0.0.4", "uri.test": "2.0.0.127 IN A 127.0.0.14",
             "198.in-addr.arpa": "9.0.18 IN PTR client.bench.test."}

    def __init__(self, place):
        super().__init__(place)
        self.dns_port, self.others = free_port(), []

    def configuration(self):
        stubs = " ".join(f"{zone}=127.0.0.1@{self.dns_port}" for zone in self.ZONES)
        text = super().configuration().replace(
            "plugins = auth sender-rules", "plugins = auth sender-rules ipfilter dnsbl nullsender-rewrite restrictions "
            "senderverify limits uribl attachments bcc-mirror blocking iphelper").replace("auth-without-tls = yes", "auth-without-tls = yes\nproxies = 127.0.0.1")
        return text.replace("/posternd", f"/{self.name}") + f"""
[dns]
stub-zones = {stubs}

[delivery]
private-networks = 127.0.0.0/8

[plugin dnsbl/xbl]
zone = xbl.test
codes = 127.0.0.4-127.0.0.7

[plugin senderverify]
probe-sender = postmaster@bench.test

[plugin limits]
messages = 1000000000/1h 1000000000/1d
recipients = 1000000000/1h 1000000000/1d
bytes = 1000000G/1d

[plugin blocking]
connections = 1000000/10m
probes = off

[plugin bcc-mirror]
bounce-domain = bcc.bench.test
secret = 0123456789abcdef0123456789abcdef

[plugin uribl/black]
zone = uri.test
bits = 2
[plugin uribl/grey]
zone = uri.test
bits = 4
"""

    def start_others(self):
        """A name server, and an exchanger to be asked about the sender."""
        if shutil.which("nsd") is None or os.geteuid() != 0:
            raise CannotRun("the plugins need nsd, and root for an exchanger on port 25")
        folder = os.path.join(self.place.work, "zones")
        os.makedirs(folder, exist_ok=True)
        config = (f'server:\n  ip-address: 127.0.0.1@{self.dns_port}\n  username: ""\n  chroot: ""\n  zonesdir: "{folder}"\n'
                  f'  database: ""\n  pidfile: ""\n  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/list"\n'
                  "remote-control:\n  control-enable: no\n")
        for zone, rows in self.ZONES.items():
            rows = rows.replace("%s", self.exchanger)
            write(os.path.join(folder, zone), f"$ORIGIN {zone}.\n$TTL 3600\n@ IN SOA ns hostmaster 1 3600 600 86400 3600\n"
                  f"@ IN NS ns\nns IN A 127.0.0.1\n{rows}\n")
            config += f"zone:\n  name: {zone}\n  zonefile: {zone}\n"
        write(os.path.join(folder, "nsd.conf"), config)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.others = [subprocess.Popen(["nsd", "-d", "-c", os.path.join(folder, "nsd.conf")], **quiet),
                       subprocess.Popen([self.place.program("smtp-sink"), "-H", self.exchanger, "-p", "25"], **quiet)]
        time.sleep(1)

    def start(self):
        if not self.others:
            self.start_others()
        super().start()

    def stop(self):
        super().stop()
        for other in self.others:
            other.terminate()
            other.wait()
        self.others = []


class PosterndOnRedis(PosterndWithPlugins):
    """All plugins, and a Redis beside it in place of the embedded store and directory."""
    name, exchanger = "redis", "127.0.2.78"

    def configuration(self):
        text = super().configuration()
        for section, database in (("directory", 0), ("store", 1)):
            text = re.sub(rf"(\[{section}\]\nat = ).*", rf"\1redis://127.0.0.1:{self.redis_port}/{database}", text)
        return text

    def start_others(self):
        if shutil.which("redis-server") is None:
            raise CannotRun("needs redis-server")
        super().start_others()
        self.redis_port, folder = free_port(), os.path.join(self.place.volume, "redis-data")
        os.makedirs(folder)
        self.others.append(subprocess.Popen(
            ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes",
             "--appendfsync", "everysec"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_for_port(self.redis_port, self.others[-1], "redis-server")

    def prepare(self, control, config):
        run(control, "-c", config, "store", "init")


class Postfix(Server):
    """An instance of its own: nothing of the installed one's configuration or queue is touched."""
    name, relays = "postfix", True

    def __init__(self, place):
        super().__init__(place)
        self.notes = []
        self.directory = os.path.join(place.volume, "postfix")
        self.config = os.path.join(self.directory, "config")

    def main_cf(self, auth):
        place = self.place
        return f"""
compatibility_level = 3.6
queue_directory = {self.directory}/queue
data_directory = {self.directory}/data
command_directory = /usr/sbin
daemon_directory = {self.daemons}
myhostname = bench.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{self.sink_port}
message_size_limit = 209715200
mailbox_size_limit = 0
default_process_limit = 250
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
maillog_file_prefixes = {self.directory}
maillog_file = {self.directory}/mail.log
smtpd_tls_security_level = may
smtpd_tls_cert_file = {place.certificate}
smtpd_tls_key_file = {place.key}
smtpd_sasl_auth_enable = {"yes" if auth else "no"}
smtpd_sasl_local_domain = bench.test
cyrus_sasl_config_path = {self.config}/sasl
"""

    def master_cf(self):
        services = [f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        for row in ("pickup unix n 60 1", "cleanup unix n - 0", "qmgr unix n 300 1", "tlsmgr unix - 1000? 1",
                    "rewrite unix - - - trivial-rewrite", "bounce unix - - 0", "defer unix - - 0 bounce",
                    "trace unix - - 0 bounce", "verify unix - - 1", "flush unix n 1000? 0", "proxymap unix - - -",
                    "smtp unix - - -", "relay unix - - - smtp", "showq unix n - -", "error unix - - -",
                    "retry unix - - - error", "discard unix - - -", "anvil unix - - 1", "scache unix - - 1",
                    "postlog unix-dgram n - 1 postlogd"):
            name, kind, private, wakeup, limit, command = (row.split() + row.split()[:1])[:6]
            services.append(f"{name} {kind} {private} - n {wakeup} {limit} {command}")
        return "\n".join(services) + "\n"

    def make_auth(self):
        """Accounts for AUTH by Cyrus SASL; False: Postfix goes without."""
        if shutil.which("saslpasswd2") is None:
            self.notes.append("saslpasswd2 is not installed: Postfix went without AUTH, the others with it")
            return False
        os.makedirs(f"{self.config}/sasl")
        database = f"{self.config}/sasl/sasldb2"
        user, domain = LOGIN.split("@")
        run("saslpasswd2", "-c", "-p", "-f", database, "-u", domain, user, input=PASSWORD)
        shutil.chown(database, "postfix")
        write(f"{self.config}/sasl/smtpd.conf", f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
              f"sasldb_path: {database}\nmech_list: PLAIN LOGIN\n")
        return True

    def prepare(self):
        if os.geteuid() != 0:
            raise CannotRun("Postfix has to be started by root")
        self.daemons = next((d for d in ("/usr/lib/postfix/sbin", "/usr/libexec/postfix") if os.path.exists(f"{d}/master")), None)
        if self.daemons is None:
            raise CannotRun("Postfix is not installed")
        os.makedirs(self.config)
        os.makedirs(f"{self.directory}/data")
        os.makedirs(f"{self.directory}/queue/pid")
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"):
            os.makedirs(f"{self.directory}/queue/{name}", 0o700)
            shutil.chown(f"{self.directory}/queue/{name}", "postfix")
        for name in ("maildrop", "public"):
            os.makedirs(f"{self.directory}/queue/{name}")
            shutil.chown(f"{self.directory}/queue/{name}", "postfix", "postdrop")
            os.chmod(f"{self.directory}/queue/{name}", 0o1730 if name == "maildrop" else 0o2710)
        shutil.chown(f"{self.directory}/data", "postfix")
        self.has_auth = self.make_auth()
        write(f"{self.config}/main.cf", self.main_cf(self.has_auth))
        write(f"{self.config}/master.cf", self.master_cf())

    def start(self):
        if not os.path.exists(self.config):
            self.prepare()
        self.spawn(f"{self.daemons}/master", "-d", "-c", self.config)
        wait_for_port(self.port, self.process, "Postfix")


# ---- where all of it stands ----------------------------------------------------------------------------

class Place:
    """The build, and a working directory with the volume, both removed at the end."""

    def __init__(self, arguments):
        self.build = arguments.build
        self.work = tempfile.mkdtemp(prefix="postern-bench-", dir=arguments.directory)
        os.chmod(self.work, 0o755)
        self.volume, self.device, self.notes = os.path.join(self.work, "volume"), None, []

    def program(self, name):
        return os.path.join(self.build, "tests/bench", name)

    def installed(self, path):
        return os.path.join(self.build, "installed", path)

    def make(self):
        os.makedirs(self.build, exist_ok=True)
        if not os.path.exists(os.path.join(SOURCE, "configure")):
            run("./autogen.sh", cwd=SOURCE)
        if not os.path.exists(os.path.join(self.build, "Makefile")):
            run(os.path.join(SOURCE, "configure"), "--quiet", "CFLAGS=-O2 -g", f"--prefix={self.build}/installed", cwd=self.build)
        with open(os.path.join(self.build, "config.status"), encoding="utf-8") as status:
            if f"--prefix={self.build}/installed" not in status.read():   # it would be installed into the system
                raise SystemExit(f"bench: {self.build} was not configured by the bench; give it a directory of its own")
        jobs = f"-j{os.cpu_count()}"
        run("make", "--quiet", jobs, "bench-tools", cwd=self.build)
        run("make", "--quiet", jobs, "install", cwd=self.build)

    def make_certificate(self):
        self.key, self.certificate = os.path.join(self.work, "key.pem"), os.path.join(self.work, "certificate.pem")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=bench.test", "-keyout", self.key, "-out", self.certificate)

    def make_volume(self, size_mib):
        """Direct I/O over an image that is written in full, so that a sync costs what it costs."""
        os.makedirs(self.volume)
        image = os.path.join(self.work, "image")
        try:
            if os.geteuid() != 0:
                raise CannotRun("not root")
            run("dd", "if=/dev/zero", f"of={image}", "bs=4M", f"count={size_mib // 4}", "oflag=direct", "status=none")
            run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", "-J", "size=128", image)
            self.device = run("losetup", "--find", "--show", "--direct-io=on", image).strip()
            run("mount", "-o", "noatime,nodiscard", self.device, self.volume)
            self.notes.append("volume: journalled ext4 on a loop device with direct I/O")
        except (CannotRun, OSError) as error:
            self.release()
            self.notes.append(f"volume: a plain directory ({error})")

    def release(self):
        if self.device is None:
            return
        for _ in range(50):
            if subprocess.run(["umount", self.volume], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.2)
        subprocess.run(["losetup", "-d", self.device], check=False)
        self.device = None

    def remove(self):
        self.release()
        if not os.path.ismount(self.volume):
            shutil.rmtree(self.work, ignore_errors=True)


def raise_limits():
    for limit in (65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return
        except (ValueError, OSError):
            pass
