"""doc/backup.md under the shipped unit: the node is saved while it runs, all of it is taken away, and it is made again."""
import re

import pytest

from postern import SOURCE

pytestmark = pytest.mark.usefixtures("unharmed")
BACKUP = "/var/backups/postern"


def commands():
    """The lines of the page that are ours, in its order."""
    return re.findall(r"^ +(posternctl .*)$", (SOURCE / "doc/backup.md").read_text(), re.M)


def test_backup_page(world):
    """Y-17 root saves, an operator may not; restored as the page says, the daemon's user owns what it needs, and mail goes out."""
    machine = world.machine
    save, look, restore, elsewhere = commands()
    assert "--dry-run" in look and "--yes" in restore and "--keep-config" in elsewhere
    before = machine.run("posternctl export").out
    refused = machine.run("posternctl backup /tmp/mine", user="olivia", code=1)
    assert "only root and the daemon's user" in refused.err
    assert "directory, store, secrets" in machine.run(save).out
    assert not machine.run("find %s ! -type d ! -perm 600 -o -type d ! -perm 700" % BACKUP).out
    cron = re.search(r"\* \* \* root (.*)$", (SOURCE / "doc/backup.md").read_text(), re.M)[1].replace("\\%", "%")
    machine.run(cron)
    assert "is whole" in machine.run(look).out
    machine.run("systemctl stop postern")
    owners = machine.run("find /var/lib/postern -name '*.db*' -o -name 'own-*' | sort | xargs stat -c '%n %U:%G'").out
    machine.run("mkdir /root/lost && mv /var/lib/postern/* /root/lost/ && cp /etc/postern/postern.conf.new /etc/postern/postern.conf")
    try:
        assert "only with --yes: /etc/postern/postern.conf is there, and differs" in machine.run(look).out
        assert "restored: node 0" in machine.run(restore).out
        assert machine.run("find /var/lib/postern -name '*.db*' -o -name 'own-*' | sort | xargs stat -c '%n %U:%G'").out == owners
        machine.run("posternd -t")
    finally:
        machine.run("systemctl start postern")
    assert machine.run("posternctl export").out == before
    n = len(world.sinks["relay"].messages)
    world.send()
    world.sinks["relay"].wait(n + 1)
    machine.run("systemctl stop postern")
    machine.run(elsewhere + " --yes")
    machine.run("systemctl start postern")
    assert machine.run("posternctl export").out == before
