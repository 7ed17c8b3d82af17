"""The kit for authors of plugins: template and guide work with the installed files alone."""
import re
import shutil
import subprocess

import pytest

from kit import blocks
from postern import BUILD, LOGIN, SOURCE, free_port

pytestmark = pytest.mark.skipif(not list(BUILD.glob("plugins/*/.libs/*.so")), reason="plugins are linked in")


@pytest.fixture
def template(installed, tmp_path):
    """A copy of examples/plugin, as it was installed."""
    folder = tmp_path / "plugin"
    shutil.copytree(installed.prefix / "share/doc/postern/examples/plugin", folder)
    return folder


def test_what_is_installed(installed):
    """Headers, test host, .pc files, manual, examples; the .pc files say where plugins go, and nothing of GLib."""
    for name in ("include/plugin-api.h", "include/plugin-test.h", "lib/libpostern-test.a", "lib/pkgconfig/postern.pc",
                 "lib/pkgconfig/postern-test.pc", "share/doc/postern/plugin-guide.md",
                 "share/doc/postern/examples/ldap-auth/ldap-auth.c"):
        assert (installed.prefix / name).exists(), name
    assert not list(installed.plugins.glob("*.la"))
    ask = lambda *words: installed.run("pkg-config " + " ".join(words), "/").strip()  # noqa: E731
    assert ask("--variable=plugindir", "postern") == str(installed.plugins)
    assert ask("--cflags", "postern") == "-I%s/include" % installed.prefix
    assert ask("--libs", "postern") == ""
    assert "-lpostern-test" in ask("--libs", "postern-test")


def test_the_headers_stand_alone(installed, tmp_path):
    """They compile by themselves, in C and, for those who like it, in C++."""
    (tmp_path / "one.c").write_text('#include "plugin-test.h"\n#include "plugin-api.h"\n')
    installed.run("cc -std=c17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pkg-config --cflags postern) one.c", tmp_path)
    if shutil.which("c++"):
        installed.run("c++ -x c++ -Wall -Werror -fsyntax-only $(pkg-config --cflags postern) one.c", tmp_path)


def test_template(installed, template, make_postern, sink):
    """The template builds against the installed files, its test passes, and the installed posternd loads it."""
    installed.run("make && make check", template)
    installed.run("make install DESTDIR=%s/stage" % template, template)
    staged = template / "stage" / str(installed.plugins)[1:]
    assert [file.name for file in staged.iterdir()] == ["daily-limit.so"]
    needed = subprocess.run(["nm", "-D", "--defined-only", staged / "daily-limit.so"], capture_output=True, text=True, check=True)
    assert re.findall(r" ([A-Za-z_]\w*)$", needed.stdout, re.M) == ["ptn_plugin_daily_limit"]
    shutil.copy(installed.plugins / "auth.so", staged)
    postern = make_postern({"server": {"plugins": "auth daily-limit", "plugin-directory": staged},
                            "plugin daily-limit": {"most": "1"}}, sink=sink, bin=installed.bin)
    hooks = subprocess.run([installed.bin / "posternd", "-c", postern.config, "--hooks"], capture_output=True, text=True, check=True)
    assert re.search(r"^message\n  daily-limit +inline", hooks.stdout, re.M), hooks.stdout
    postern.send()
    sink.wait(1)
    with postern.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        dialog.expect("250", "RCPT TO:<x@example.org>")
        assert dialog.data("Subject: more\n\nMore.\n").text.startswith("450 4.7.1 %s: more than 1 messages today" % LOGIN)
    assert postern.ctl("daily-limit", "show", LOGIN, json=True) == [{"login": LOGIN, "today": 2}]


def test_template_is_what_the_guide_builds():
    """The guide's last word on each file is examples/plugin."""
    last = {rest: text for language, rest, text in blocks((SOURCE / "doc/plugin-guide.md").read_text())
            if language in ("c", "make")}
    assert set(last) == {"Makefile", "daily-limit.c", "test-daily-limit.c"}
    for name, text in last.items():
        assert (SOURCE / "examples/plugin" / name).read_text() == text, name


def test_examples_have_one_makefile():
    """That of ldap-auth differs from the template's in its head only."""
    own, template = ((SOURCE / "examples" / name / "Makefile").read_text() for name in ("ldap-auth", "plugin"))
    assert own.split("\nPKG_CONFIG")[1] == template.split("\nPKG_CONFIG")[1]


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_guide(installed, tmp_path):
    """Every command of doc/plugin-guide.md, in an empty folder: files are written, scripts run, outputs compared."""
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (installed.prefix / "share/doc/postern/plugin-guide.md").read_text().replace("2525", str(free_port()))
    output, scripts = "", 0
    try:
        for language, rest, inner in blocks(text):
            if language == "sh":
                output = installed.run(inner, folder, code=1 if rest == "fails" else 0)
                scripts += 1
            elif language == "text":
                for line in inner.splitlines():
                    assert line in output, "%s is not in\n%s" % (line, output)
            else:
                (folder / rest).write_text(inner)
    finally:
        subprocess.run(["posternctl", "-c", folder / "try.conf", "stop"], env=installed.environment, capture_output=True, check=False)
        (installed.plugins / "daily-limit.so").unlink(missing_ok=True)
    assert scripts >= 8
