"""A Dovecot of ours that stores mail by LMTP over a Unix socket, with Sieve and quotas; see test_lmtp.py."""
import os
import shutil
import subprocess
import tempfile
from email import message_from_bytes
from pathlib import Path

from postern import wait_until

CONFIG = """
base_dir = {place}/run
state_dir = {place}/run
instance_name = postern-test
log_path = {place}/log
protocols = lmtp
ssl = no
default_internal_user = {internal}
default_login_user = {internal}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_plugins = quota
lda_mailbox_autocreate = yes
postmaster_address = postmaster@example.net
hostname = store.example.net
service lmtp {{
  unix_listener {place}/lmtp {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {place}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {place}/users
}}
protocol lmtp {{
  mail_plugins = quota sieve
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_grace = 0%%
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
"""


class Dovecot:
    """users: {"user@hosted.example": quota in octets, or None}."""

    def __init__(self, users):
        is_root = os.geteuid() == 0
        self.place = Path(tempfile.mkdtemp(prefix="dovecot."))
        self.place.chmod(0o755)
        self.owner = (65534, 65534) if is_root else (os.getuid(), os.getgid())
        (self.place / "run").mkdir()
        for user in users:
            self.home(user).mkdir(parents=True)
            os.chown(self.home(user), *self.owner)
        (self.place / "users").write_text("".join(
            "%s:x:%d:%d::%s::%s\n" % (user, *self.owner, self.home(user),
                                      "userdb_quota_rule=*:bytes=%d" % quota if quota else "")
            for user, quota in users.items()))
        names = [subprocess.run(["id", flag], capture_output=True, text=True, check=True).stdout.strip()
                 for flag in ("-un", "-gn")]
        internal, group = ("dovecot", "dovecot") if is_root else names
        (self.place / "dovecot.conf").write_text(CONFIG.format(place=self.place, internal=internal, group=group))
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.place / "dovecot.conf"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.is_ready, "Dovecot")
        self.next_hop = "lmtp:unix:%s/lmtp" % self.place

    def is_ready(self):
        assert self.process.poll() is None, "Dovecot ended: %s" % self.log()
        return (self.place / "lmtp").exists()

    def log(self):
        path = self.place / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def home(self, user):
        return self.place / "homes" / user

    def sieve(self, user, script):
        """What is done with the user's mail from now on."""
        path = self.home(user) / ".dovecot.sieve"
        path.write_text(script)
        os.chown(path, *self.owner)

    def mail(self, user, folder="INBOX"):
        """What lies in a folder: email messages."""
        box = self.home(user) / "Maildir" / ("" if folder == "INBOX" else "." + folder)
        return [message_from_bytes(path.read_bytes()) for path in sorted(box.glob("new/*"))]

    def wait(self, user, n=1, folder="INBOX"):
        return wait_until(lambda: (lambda found: found if len(found) >= n else None)(self.mail(user, folder)),
                          "%d messages for %s in %s; the log ends with %s" % (n, user, folder, self.log()[-500:]))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.place, ignore_errors=True)
