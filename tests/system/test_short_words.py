"""Short words: a plugin's commands without the plugin's name, for roles, records, help and completion; whose they are."""
import subprocess

import pytest

from postern import BUILD

SHARED = BUILD / "tests/plugins/.libs/misbehaving.so"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="tests/plugins/misbehaving.la is not built")


@pytest.fixture
def with_words(make_postern, tmp_path):
    """A daemon that has these plugins of misbehaving.c behind auth."""
    def make(*names):
        folder = tmp_path / "plugins"
        folder.mkdir()
        (folder / "auth.so").symlink_to(BUILD / "plugins/auth/.libs/auth.so")
        for name in names:
            (folder / (name + ".so")).symlink_to(SHARED)
        return make_postern({"server": {"plugins": "auth short-words", "plugin-directory": folder}})
    return make


def words(daemon, *typed):
    return subprocess.run([BUILD / "core/daemon/posternctl", "completion", "words", "-s", daemon.place / "control", *typed],
                          capture_output=True, text=True, check=True).stdout.split()


def test_short_words(with_words):
    """Y-25 the word stands for the plugin's name and verb, with the same checks, role and record, and in help and completion."""
    daemon = with_words("short-words")
    assert daemon.ctl("lists", "me", json=True) == daemon.ctl("short-words", "list", "me", json=True) == [{"said": "me"}]
    assert daemon.ctl("shelf", "show", json=True) == [{"said": "nothing"}]
    assert "too many words: short-words list takes [WHO]" in daemon.ctl("lists", "me", "too", code=1)
    assert "shelf knows:" in daemon.ctl("shelf", code=1) and "shelf clear" in daemon.ctl("shelf", "hide", code=1)
    assert 'there is no command "shel"' in daemon.ctl("shel", "show", code=1)
    assert "--yes" in daemon.ctl("lists", "--yes", code=1)
    before = len(daemon.ctl("audit", json=True))
    daemon.ctl("shelf", "clear")
    rows = daemon.ctl("audit", json=True)
    assert len(rows) == before + 1 and (rows[0]["who"], rows[0]["command"]) == ("root", "shelf clear")
    rows = {row["command"]: row for row in daemon.ctl("help", json=True)}
    assert rows["lists"]["arguments"] == "[WHO]" and rows["shelf clear"]["what-it-does"] == "changes"
    assert daemon.ctl("lists", "--help").startswith("posternctl lists [WHO]\n    lists\n")
    assert daemon.ctl("help", "shelf").startswith("posternctl shelf clear\n") and "shelf show" in daemon.ctl("help", "shelf")
    assert {"lists", "shelf", "short-words"} <= set(words(daemon, ""))
    assert words(daemon, "shelf", "") == ["clear", "show"] and words(daemon, "lists", "") == []


def test_a_word_belongs_to_one(with_words):
    """Y-25 posternd -t and a reload refuse a word of the core, of a plugin's name, or of another plugin, and say whose it is."""
    daemon = with_words("short-words", "bad-core", "bad-clash", "shelf")
    for more, says in (("bad-core", "plugin bad-core has commands \"posternctl recipient\", which is one of Postern's own"),
                       ("bad-clash", "\"posternctl shelf\", which is taken by plugin short-words"),
                       ("shelf", "plugin shelf has commands \"posternctl shelf\", which is taken by plugin short-words")):
        daemon.change({"server": {"plugins": "auth short-words " + more}})
        done = subprocess.run([BUILD / "core/daemon/posternd", "-t", "-c", daemon.config], capture_output=True, text=True, check=False)
        assert done.returncode != 0 and says in done.stdout + done.stderr, done
        assert says in daemon.ctl("reload", code=1)
    assert daemon.ctl("lists", json=True) == [{"said": "nothing"}]
