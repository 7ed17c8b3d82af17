"""make install and make uninstall leave the administrator's files alone."""
import os
import subprocess

import pytest

from postern import BUILD, SOURCE

SAMPLE = (SOURCE / "etc/postern.conf").read_text()
HELD = (SOURCE / "etc/templates/held").read_text()


class Staged:
    """A DESTDIR.  Configuration goes to /etc, whatever prefix the build has."""

    def __init__(self, place):
        self.place = place

    def make(self, *targets):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(["make", "--quiet", "-C", BUILD, *targets, "DESTDIR=%s" % self.place, "prefix=/usr",
                               "sysconfdir=/etc"], check=True, env=environment, capture_output=True, text=True).stdout

    def __truediv__(self, path):
        return self.place / "etc" / path

    def files(self):
        return sorted(str(path.relative_to(self.place / "etc")) for path in (self.place / "etc").rglob("*") if not path.is_dir())


@pytest.fixture
def staged(tmp_path):
    """Configuration alone."""
    staged = Staged(tmp_path)
    staged.make("install-data-local")
    return staged


@pytest.fixture
def whole(tmp_path):
    """All of it."""
    staged = Staged(tmp_path)
    staged.make("install")
    return staged


def test_install_again(staged):
    """Y-02 what is absent is installed; what was changed stays, with the new version beside it; what is as it was gets no copy."""
    files = staged.files()
    assert "postern/postern.conf" in files and "postern/templates/held" in files and "logrotate.d/postern" in files
    assert (staged / "postern/postern.conf").read_text() == SAMPLE
    assert (staged / "postern/postern.conf").stat().st_mode & 0o777 == 0o644
    (staged / "postern/postern.conf").write_text("# mine\n")
    (staged / "postern/postern.conf").chmod(0o640)
    (staged / "postern/templates/held").write_text("Subject: mine\n\nMine.\n")
    (staged / "logrotate.d/postern").write_text("# mine\n")
    (staged / "postern/templates/limit").unlink()
    said = staged.make("install-data-local")
    assert staged.files() == sorted(files + ["postern/postern.conf.new", "postern/templates/held.new", "logrotate.d/postern.dpkg-dist"])
    assert (staged / "postern/postern.conf").read_text() == "# mine\n"
    assert (staged / "postern/postern.conf").stat().st_mode & 0o777 == 0o640
    assert (staged / "postern/postern.conf.new").read_text() == SAMPLE
    assert (staged / "postern/templates/held").read_text() == "Subject: mine\n\nMine.\n"
    assert (staged / "postern/templates/held.new").read_text() == HELD
    assert (staged / "postern/templates/limit").exists()
    assert "kept: %s; the new version is %s" % (staged / "postern/postern.conf", staged / "postern/postern.conf.new") in said


def test_stale_copy_goes(staged):
    """A copy of a new version is renewed, and goes once the administrator has that version."""
    (staged / "postern/postern.conf").write_text("# mine\n")
    (staged / "postern/postern.conf.new").write_text("# of an older version\n")
    staged.make("install-data-local")
    assert (staged / "postern/postern.conf.new").read_text() == SAMPLE
    (staged / "postern/postern.conf").write_text(SAMPLE)
    assert "kept" not in staged.make("install-data-local")
    assert not (staged / "postern/postern.conf.new").exists()


def test_links_are_files_of_the_administrator(staged, tmp_path):
    """A link is kept, wherever it leads, also to nowhere."""
    elsewhere = tmp_path / "elsewhere.conf"
    (staged / "postern/postern.conf").unlink()
    (staged / "postern/postern.conf").symlink_to(elsewhere)
    staged.make("install-data-local")
    assert (staged / "postern/postern.conf").is_symlink() and not elsewhere.exists()
    elsewhere.write_text("# mine\n")
    staged.make("install-data-local")
    assert (staged / "postern/postern.conf").is_symlink() and elsewhere.read_text() == "# mine\n"
    assert (staged / "postern/postern.conf.new").read_text() == SAMPLE


def test_uninstall(whole):
    """Y-02 takes away what is as it was installed, and nothing that was changed or added."""
    (whole / "postern/postern.conf").write_text("# mine\n")
    (whole / "postern/conf.d").mkdir()
    (whole / "postern/conf.d/relay.conf").write_text("# mine\n")
    whole.make("install")
    whole.make("uninstall")
    assert whole.files() == ["postern/conf.d/relay.conf", "postern/postern.conf"]
    assert (whole / "postern/postern.conf").read_text() == "# mine\n"
    assert not (whole.place / "usr/sbin/posternd").exists()


def test_uninstall_leaves_nothing(whole):
    """Where nothing was changed nothing is left."""
    whole.make("uninstall")
    assert not [path for path in whole.place.rglob("*") if not path.is_dir()]
    assert not (whole / "postern").exists()
