"""posternctl backup and restore: a node from nothing, and everything that must not count as a backup."""
import grp
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from postern import LOGIN, PASSWORD, Postern, for_every_user, free_port, wait_until
from test_redis import redis  # noqa: F401

PLUGINS = "auth sender-rules limits iphelper blocking"
OLD = "198.51.100.0/24"


def options(place, mx):
    secret = place / "secret"
    secret.write_text("support@example.net\n")
    secret.chmod(0o600)
    (place / "templates").mkdir(exist_ok=True)
    (place / "templates/note.txt").write_text("not ours\n")
    return {"server": {"plugins": PLUGINS, "support": "@%s" % secret, "templates": place / "templates"},
            "listener mx": {"addresses": "127.0.0.1", "ports": mx, "auth": "no", "inbound": "yes"},
            "plugin limits": {"messages": "1000/1d"}}


@pytest.fixture
def node(make_postern, sink, tmp_path):
    """A daemon with something of everything; node.forwarded is the sender of a message that was forwarded."""
    mx, place = free_port(), tmp_path / "etc"
    place.mkdir()
    node = make_postern(options(place, mx), sink=sink)
    node.ports["mx"], node.etc, node.mx = mx, place, sink
    node.add_account("late@example.net", "secret", "reason=too late, see C:\\new\\ten \u00fc", "enabled=no")
    for name, more in (("old.example", ["mode=forward", "forward-to=joe@new.example"]),
                       ("shop.example", ["mode=hold", "valid-recipients=yes"])):
        node.ctl("domain", "add", name, "customer=acme", *more)
    node.ctl("recipient", "add", "info@shop.example")
    node.ctl("iphelper", "add", "shop.example", "host=home.dyn.example", "port=2525")
    node.ctl("block", "add", OLD, "reason=open relay")
    node.send()
    node.send()
    with node.smtp("mx") as dialog:
        dialog.hello()
        dialog.mail("stranger@elsewhere.example", "any@old.example")
    node.forwarded = wait_until(lambda: [m.sender for m in sink.messages if m.sender.startswith("SRS0=")], "the copy")[0]
    return node


def state_of(node):
    rows = node.ctl("iphelper", "list", json=True)
    blocks = node.ctl("block", "list", json=True)
    return (node.ctl("export"), [(row["domain"], row["host"]) for row in rows],
            [(row["network"], row["reason"]) for row in blocks], re.findall(r"\b2 of 1000\b", node.ctl("usage", LOGIN)))


def destroy(node):
    """All that a dead disk takes."""
    node.stop()
    for path in [*node.place.glob("*.db*"), *node.place.glob("own-*"), node.config, node.etc / "secret"]:
        path.unlink()
    for path in (node.place / "spool", node.etc / "templates"):
        shutil.rmtree(path)


def check_works(node, before):
    assert state_of(node) == before
    with node.session(LOGIN, PASSWORD):
        pass
    with node.smtp() as dialog:
        dialog.hello()
        assert "too late" in dialog.auth("late@example.net", "secret")
    n = len(node.mx.messages)
    with node.smtp("mx") as dialog:
        dialog.hello()
        dialog.mail("", node.forwarded)
    assert node.mx.wait(n + 1)[n].recipients == ["stranger@elsewhere.example"]
    with node.smtp("mx") as dialog:
        dialog.hello()
        dialog.expect("250", "MAIL FROM:<a@b.example>")
        dialog.expect("250", "RCPT TO:<info@shop.example>")
        dialog.expect("550", "RCPT TO:<other@shop.example>")


def test_node_from_nothing(node, tmp_path):
    """Y-17 backed up while mail flows, destroyed, restored: logins, forwarded bounces, blocks, counters, files, modes."""
    before, target = state_of(node), tmp_path / "backup"
    own = (node.place / "own-key.pem").read_bytes()
    files = {path: path.read_bytes() for path in (node.config, node.etc / "secret", node.etc / "templates/note.txt")}
    done = threading.Event()

    def flow():
        while not done.is_set():
            with node.smtp("mx") as dialog:
                dialog.hello()
                dialog.mail("stranger@elsewhere.example", "info@shop.example")
    mail = threading.Thread(target=flow)
    mail.start()
    try:
        said = node.ctl("backup", target)
    finally:
        done.set()
        mail.join()
    assert "backup of mail.example.net (node 0" in said and "not in it: the queue" in said
    for path in [target, *target.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert not list(tmp_path.glob("backup.*"))
    assert "is whole" in node.ctl("restore", target, "--dry-run")
    assert "posternd runs: stop it first" in node.ctl("restore", target, "--yes", code=1)
    assert PASSWORD not in (target / "directory.items").read_text() and "secret/" in (target / "directory.items").read_text()
    destroy(node)
    assert "whole; nothing was written" in node.ctl("restore", target, "--dry-run")
    assert not node.config.exists() and not list(node.place.glob("*.db"))
    said = node.ctl("restore", target)
    assert "restored: node 0 of mail.example.net" in said and "all compared" in said
    assert {path: path.read_bytes() for path in files} == files
    assert (node.place / "own-key.pem").read_bytes() == own
    assert stat.S_IMODE((node.etc / "secret").stat().st_mode) == 0o600
    node.start()
    check_works(node, before)


def test_from_sqlite_to_redis(node, tmp_path, redis):  # noqa: F811
    """Y-17 the backup of SQLite stores goes into a Redis, that of the Redis into another; a Redis in use is refused."""
    before, target = state_of(node), tmp_path / "backup"
    node.ctl("backup", target)
    destroy(node)
    (node.etc / "secret").write_text("support@example.net\n")
    node.change(redis.options())
    assert "differs from the backup" in node.ctl("restore", target, code=1)
    assert redis.ask("DBSIZE") == "0"
    said = node.ctl("restore", target, "--keep-config")
    assert "configuration of this machine was kept" in said and not (node.etc / "templates").exists()
    (node.etc / "templates").mkdir()
    node.start()
    check_works(node, before)
    second = tmp_path / "second"
    node.ctl("backup", second)
    assert "posternd runs" in node.ctl("restore", second, "--yes", code=1)
    node.kill()
    (node.place / "control").unlink()
    refused = node.ctl("restore", second, "--yes", code=1)
    assert "in use by node/0" in refused and "nothing was restored" in refused
    redis.ask("FLUSHALL")
    assert "all compared" in node.ctl("restore", second)
    node.start()
    check_works(node, before)


def test_restore_replaces_with_yes_alone(node, tmp_path):
    """Y-17 what is there is replaced with --yes alone; files stay as .before-restore, and conf.d gets no stranger."""
    before, target = state_of(node), tmp_path / "backup"
    node.ctl("backup", target)
    node.ctl("domain", "remove", "old.example")
    node.add_account("new@example.net", "secret")
    changed = node.ctl("export")
    node.stop()
    (node.place / "conf.d").mkdir()
    stranger, note = node.place / "conf.d/x.conf", node.etc / "templates/note.txt"
    stranger.write_text("[tls]\n")
    note.write_text("mine\n")
    refused = node.ctl("restore", target, code=1)
    for sentence in ("[directory] sqlite:", "[store] sqlite:", "%s is there, and differs" % note,
                     "%s is there, would count" % stranger, "--yes replaces it", "nothing was restored"):
        assert sentence in refused, refused
    stranger.rename(tmp_path / "x.conf")
    node.start()
    assert node.ctl("export") == changed
    node.stop()
    (tmp_path / "x.conf").rename(stranger)
    node.ctl("restore", target, "--yes")
    assert note.read_text() == "not ours\n" and (note.parent / "note.txt.before-restore").read_text() == "mine\n"
    assert not stranger.exists() and (node.place / "conf.d/x.conf.before-restore").exists()
    node.start()
    check_works(node, before)


def test_restore_wants_the_configuration_of_the_backup(node, tmp_path):
    """Y-17 -c of another file is refused, unless that is to rule."""
    node.ctl("backup", tmp_path / "backup")
    node.stop()
    other = tmp_path / "other.conf"
    other.write_text("[directory]\nat = sqlite:%s\n[store]\nat = memory:\n[server]\ncontrol = %s\nuser = root\n[spool]\n"
                     "directory = %s\n" % (tmp_path / "new/directory.db", tmp_path / "no", tmp_path / "spool"))
    ctl = [node.bin / "posternctl", "-c", other, "restore", tmp_path / "backup"]
    done = subprocess.run(ctl, capture_output=True, text=True)
    assert done.returncode == 1 and "--keep-config" in done.stderr and not (tmp_path / "new").exists()
    done = subprocess.run([*ctl, "--keep-config"], capture_output=True, text=True)
    assert done.returncode == 0 and "store: not restored" in done.stdout, done.stderr
    assert (tmp_path / "new/own-key.pem").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root")
def test_what_is_restored_belongs_to_the_daemons_user(sink):
    """Y-17 restored by root, read and written by the daemon's user."""
    place = Path(tempfile.mkdtemp(prefix="restored-", dir="/tmp"))
    try:
        shutil.chown(place, "daemon")
        place.chmod(0o755)
        (place / "node").mkdir()
        shutil.chown(place / "node", "daemon")
        node = Postern(place / "node", {"server": {"user": "daemon"}}, sink=sink)
        try:
            node.ctl("backup", place / "backup")
            node.stop()
            before = {path.name: path.owner() for path in node.place.glob("*.*")}
            node.ctl("store", "copy", "store", "sqlite:%s" % (node.place / "copied.db"))
            assert {path.owner() for path in node.place.glob("copied.db*")} == {"daemon"}
            for path in [*node.place.glob("*.db*"), *node.place.glob("own-*")]:
                path.unlink()
            before = {name: owner for name, owner in before.items() if not name.startswith("copied")}
            node.ctl("restore", place / "backup")
            assert {path.name: path.owner() for path in node.place.glob("*.*")} == before
            assert before["directory.db"] == before["own-key.pem"] == "daemon"
            node.start()
            node.add_account("second@example.net", "secret")
            with node.session():
                pass
        finally:
            node.stop()
    finally:
        shutil.rmtree(place)


# ---- what is no backup ----

def damage(backup, name, change):
    path = backup / name
    path.write_bytes(change(path.read_bytes()))


def sign(backup):
    """A forged manifest has a checksum, too."""
    path = backup / "MANIFEST"
    text = path.read_bytes().rpartition(b"end ")[0]
    path.write_bytes(text + b"end " + hashlib.sha256(text).hexdigest().encode() + b"\n")


def forge(backup, old, new):
    damage(backup, "MANIFEST", lambda octets: octets.replace(old, new, 1))
    sign(backup)


BROKEN = {
    "no manifest": (lambda b: (b / "MANIFEST").unlink(), "is no backup"),
    "foreign": (lambda b: (b / "MANIFEST").write_text("Manifest-Version: 1.0\n"), "is not that of a backup of Postern"),
    "later": (lambda b: forge(b, b"backup 1\n", b"backup 2\n"), "of format 2, made by a later version; this one reads format 1"),
    "manifest truncated": (lambda b: damage(b, "MANIFEST", lambda o: o[:-20]), "damaged or truncated"),
    "manifest changed": (lambda b: damage(b, "MANIFEST", lambda o: o.replace(b"node 0", b"node 1")), "damaged or truncated"),
    "items truncated": (lambda b: damage(b, "store.items", lambda o: o[:-10]), "octets, and had"),
    "items changed": (lambda b: damage(b, "directory.items", lambda o: o.replace(b"acme", b"bcme", 1)), "its checksum is another"),
    "items missing": (lambda b: (b / "directory.items").unlink(), "the backup is not whole"),
    "file missing": (lambda b: next(b.rglob("postern.conf")).unlink(), "the backup is not whole"),
    "path that leaves": (lambda b: forge(b, b" files/", b" files/../../"), "makes no sense"),
    "link": (lambda b: ((b / "store.items").rename(b.parent / "x"), (b / "store.items").symlink_to(b.parent / "x")), "symbolic link"),
}


@pytest.fixture(scope="module")
def saved(shared, tmp_path_factory):
    target = tmp_path_factory.mktemp("saved") / "backup"
    shared.ctl("backup", target)
    return target


@pytest.mark.parametrize("name", BROKEN)
def test_broken_backup_is_refused(shared, saved, tmp_path, name):
    """Y-17 damaged, truncated, foreign, of a later format: a sentence, and nothing is written."""
    backup, change = tmp_path / "backup", BROKEN[name][0]
    shutil.copytree(saved, backup)
    change(backup)
    refused = shared.ctl("restore", backup, "--yes", code=1)
    assert BROKEN[name][1] in refused and "nothing was restored: " in refused


def test_items_without_their_end_are_refused(shared, saved, tmp_path):
    """Y-17 checksums that fit do not make half a store a whole one."""
    backup = tmp_path / "backup"
    shutil.copytree(saved, backup)
    items = backup / "directory.items"
    old = items.read_bytes()
    for new, sentence in ((old[:old.rindex(b"end ")], "without its last line"), (old.replace(b"\nend ", b"\nend 1"), "does not count"),
                          (b"x\n" + old, "line 1 is no item"), (b"x\t-\ta\\q\n" + old, "line 1 is no item"),
                          (b"\0" + old, "holds a NUL")):
        items.write_bytes(new)
        text = (saved / "MANIFEST").read_text()
        line = re.search(r"file items \w+ \d+( \S+ \S+ \S+ directory.items)", text)
        mine = "file items %s %d%s" % (hashlib.sha256(new).hexdigest(), len(new), line[1])
        (backup / "MANIFEST").write_text(text.replace(line[0], mine))
        sign(backup)
        assert sentence in shared.ctl("restore", backup, code=1)


# ---- where it is written ----

def test_where_a_backup_may_be_written(shared, tmp_path):
    """Y-17 an empty directory and an older backup of ours are taken, nothing else; what an interrupted one left is, too."""
    target = tmp_path / "backup"
    target.mkdir()
    shared.ctl("backup", target)
    first = (target / "MANIFEST").read_text()
    left = tmp_path / "backup.new"
    left.mkdir()
    (left / "directory.items").write_text("half")
    shared.ctl("customer", "add", "later")
    shared.ctl("backup", target)
    assert (target / "MANIFEST").read_text() != first and "later" in (target / "directory.items").read_text()
    assert not left.exists()
    (target / "notes.txt").write_text("of the administrator")
    assert "neither empty nor a backup" in shared.ctl("backup", target, code=1)
    assert (target / "notes.txt").exists() and not left.exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter").write_text("dear")
    assert "neither empty nor a backup" in shared.ctl("backup", foreign, code=1)
    shutil.copytree(foreign, tmp_path / "third.new")
    assert "of no backup" in shared.ctl("backup", tmp_path / "third", code=1)
    assert (tmp_path / "third.new/letter").exists()
    assert "is no directory" in shared.ctl("backup", foreign / "letter", code=1)
    assert "wants one directory" in shared.ctl("backup", code=1)
    assert "wants one directory" in shared.ctl("backup", "a", "b", code=1)
    shared.ctl("customer", "remove", "later")


@pytest.fixture
def tiny_volume(tmp_path):
    """A volume of 64 KB."""
    place = tmp_path / "tiny"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root")
def test_full_disk_leaves_no_half_backup(shared, tiny_volume):
    """Y-17 a disk that fills up: a sentence; the older backup is as it was, and nothing else is left."""
    target = tiny_volume / "backup"
    shared.ctl("backup", target)
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    fill = tiny_volume / "fill"
    with pytest.raises(OSError), open(fill, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    refused = shared.ctl("backup", target, code=1)
    assert "no backup was made: cannot" in refused and "No space left" in refused
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tiny_volume.iterdir()) == ["backup", "fill"]
    refused = shared.ctl("backup", tiny_volume / "other", code=1)
    assert "no backup was made" in refused and not list(tiny_volume.glob("other*"))


def test_a_store_that_is_away_is_no_empty_store(make_postern, sink, tmp_path, redis):  # noqa: F811
    """Y-17 with a Redis that does not answer there is no backup, and the older one stays."""
    postern = make_postern(redis.options(), sink=sink)
    target = tmp_path / "backup"
    postern.ctl("backup", target)
    before = (target / "MANIFEST").read_bytes()
    redis.signal(signal.SIGSTOP)
    try:
        refused = postern.ctl("backup", target, code=1)
        assert "no backup was made: [directory] cannot be read now" in refused
        assert (target / "MANIFEST").read_bytes() == before and not list(tmp_path.glob("backup.*"))
    finally:
        redis.signal(signal.SIGCONT)


# ---- who may ask ----

@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root")
def test_members_of_the_control_group_get_no_secrets(make_postern, sink, tmp_path):
    """Y-17 a member of [server] control-group may give commands, but not take hashes and secrets away."""
    postern = make_postern({"server": {"control-group": "daemon"}}, sink=sink)
    for path in [tmp_path, *tmp_path.parents]:
        if path.owner() == "root" and path != path.parent:
            path.chmod(path.stat().st_mode | 0o011)
    posternctl = for_every_user(postern.bin / "posternctl", tmp_path)

    def ask(*words):
        return subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=daemon", posternctl, "-s",
                               postern.place / "control", *words], capture_output=True, text=True)
    assert ask("status").returncode == 0
    place = tmp_path / "nobody"
    place.mkdir()
    place.chmod(0o777)
    refused = ask("backup", place / "backup")
    assert refused.returncode == 1 and "only root and the daemon's user may" in refused.stderr and not list(place.iterdir())
    for words in (["describe"], ["items", "directory"], ["items", "store"], ["anything"]):
        assert b"only root and the daemon" in raw(postern.place / "control", ["backup", *words])


RAW = """import os, socket, sys
os.setgroups([int(sys.argv[1])]); os.setgid(65534); os.setuid(65534)
link = socket.socket(socket.AF_UNIX); link.connect(sys.argv[2])
words = sys.argv[3:]
link.sendall(b"%d\\n" % len(words) + b"".join(b"%d\\n%s" % (len(w), w.encode()) for w in words) + b"0\\n")
sys.stdout.buffer.write(b"".join(iter(lambda: link.recv(65536), b"")))
"""


def raw(path, words):
    """The answer on the wire to a member of group daemon, who uses no posternctl."""
    return subprocess.run(["python3", "-c", RAW, str(grp.getgrnam("daemon").gr_gid), str(path), *words], capture_output=True).stdout


def test_options_of_conf_d_are_known_to_posternctl(make_postern, sink):
    """Y-17 posternctl finds the control socket and the stores where conf.d names them."""
    postern = make_postern(sink=sink)
    postern.stop()
    section = postern.sections.pop("directory")
    postern.change({})
    (postern.place / "conf.d").mkdir()
    (postern.place / "conf.d/10-stores.conf").write_text("[directory]\nat = %s\n" % section["at"])
    postern.start()
    postern.ctl("backup", postern.place / "backup")
    postern.stop()
    assert "[directory] %s is not empty" % section["at"] in postern.ctl("restore", postern.place / "backup", code=1)
    assert list((postern.place / "backup").rglob("conf.d/10-stores.conf"))
