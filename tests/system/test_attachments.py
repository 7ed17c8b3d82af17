"""Attachments (X-03, X-04 of BEHAVIOURS.md) against the real daemon, with archives of real programs."""
import gzip
import io
import shutil
import subprocess
import tarfile
import zipfile
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from postern import LOGIN, Postern, Sink

sys.path.insert(0, str(Path(__file__).parent.parent / "content"))
from archives import ARCHIVES, HARMLESS  # noqa: E402

KIND = "(files of this kind are not accepted)"


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    sink = Sink()
    options = {"server": {"plugins": "auth sender-rules attachments"}, "plugin attachments": {"encrypted": "reject"}}
    daemon = Postern(tmp_path_factory.mktemp("attachments"), options, sink=sink)
    yield daemon
    daemon.stop()
    sink.close()


def answer(gate, message, recipients=("rcpt@example.org",)):
    """The reply to the message; a refused one is not in the queue."""
    before = gate.accepted()
    with gate.session() as dialog:
        dialog.expect("250", "MAIL FROM:<%s>" % LOGIN)
        for recipient in recipients:
            dialog.expect("250", "RCPT TO:<%s>" % recipient)
        reply = dialog.data(bytes(message))
    assert gate.accepted() == before + (reply.code == 250)
    return reply


def message_with(filename, octets=b"hello", maintype="application", subtype="octet-stream"):
    message = EmailMessage()
    message["From"], message["Subject"] = LOGIN, "documents"
    message.set_content("as you asked for")
    message.add_attachment(octets, maintype=maintype, subtype=subtype, filename=filename)
    return message


def zip_of(*names):
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w") as archive:
        for name in names:
            archive.writestr(name, "hello")
    return octets.getvalue()


def tar_of(*names):
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"hello"))
    return octets.getvalue()


@pytest.mark.parametrize("message, start", [
    (message_with("report.pdf"), "250 2.0.0"),
    (message_with("setup.exe"), "550 5.7.1 Message contains setup.exe " + KIND),
    (message_with("Invoice.pdf.SCR "), "550 5.7.1 Message contains Invoice.pdf.SCR"),
    (message_with("\u00fcbersicht.vbs"), "550 5.7.1 Message contains ?bersicht.vbs " + KIND),
    (message_with("x" * 100 + ".\u0435\u0445\u0435.exe"), "550 5.7.1"),
    (message_with("page.txt", subtype="hta"), "550 5.7.1 Message contains page.txt " + KIND),
    (message_with("a.zip", zip_of("readme.txt", "b/setup.exe")), "550 5.7.1 Message contains b/setup.exe in a.zip " + KIND),
    (message_with("a.zip", zip_of("readme.txt")), "250 2.0.0"),
    (message_with("a.doc", zip_of("x.exe")), "550 5.7.1 Message contains x.exe in a.doc"),
    (message_with("a.tar", tar_of("x.exe")), "550 5.7.1 Message contains x.exe in a.tar"),
    (message_with("a.tgz", gzip.compress(tar_of("y.txt", "x.exe"))), "550 5.7.1 Message contains x.exe in a.tgz"),
    (message_with("a.txt.gz", gzip.compress(b"hello")), "250 2.0.0")])
def test_attachment(gate, message, start):
    """X-03 refused by name or type, in archives too, and the reply names the file."""
    reply = answer(gate, message)
    assert reply.text.startswith(start), reply


def test_nested(gate):
    """X-03 in a forwarded message in a forwarded message."""
    message = message_with("setup.exe")
    for _ in range(3):
        outer = EmailMessage()
        outer["From"], outer["Subject"] = LOGIN, "fwd"
        outer.set_content("see below")
        outer.add_attachment(message)
        message = outer
    assert answer(gate, message).text.startswith("550 5.7.1 Message contains setup.exe " + KIND)


@pytest.mark.skipif(not shutil.which("zip"), reason="needs zip")
def test_encrypted(gate, tmp_path):
    """X-03 what Info-ZIP encrypts is known as encrypted, and its names are read all the same."""
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "a.exe").write_text("hello")
    for name, start in (("notes.txt", "550 5.7.1 Message contains x.zip (encrypted"), ("a.exe", "550 5.7.1 Message contains a.exe in")):
        (tmp_path / "x.zip").unlink(missing_ok=True)
        subprocess.run(["zip", "-q", "-P", "secret", "x.zip", name], cwd=tmp_path, check=True)
        reply = answer(gate, message_with("x.zip", (tmp_path / "x.zip").read_bytes()))
        assert reply.text.startswith(start), reply


@pytest.mark.parametrize("recipients, code", [
    (["abuse@anywhere.example"], 250), (["quick.abc@spam.spamcop.net", "abuse@example.org"], 250),
    (["abuse@anywhere.example", "rcpt@example.org"], 550)])
def test_exempt(gate, recipients, code):
    """X-04 reports of abuse pass, if nobody else gets them."""
    assert answer(gate, message_with("setup.exe"), recipients).code == code


@pytest.mark.parametrize("name", [
    "two zip archives, the first holds", "zip archive with octets behind", "300 KiB before a zip archive", "text before a rar archive",
    "name with NUL before and behind", "name of its own before the data", "zip64 archive", "zip archive without an end"])
def test_archives_that_hide_a_file(gate, name):
    """X-07 names in archives that programs read in different ways, and behind other octets."""
    reply = answer(gate, message_with("a.dat", ARCHIVES[name]))
    assert reply.text.startswith("550 5.7.1 Message contains shown.exe in a.dat " + KIND), reply


@pytest.mark.parametrize("name", [
    "ZipCrypto", "AES", "one encrypted file among others", "encrypted directory", "7z with encrypted content", "7z with encrypted names",
    "rar with encrypted content", "rar with encrypted names", "old rar with encrypted content", "old rar with encrypted names"])
def test_encrypted_archives(gate, name):
    """X-07 all that programs encrypt is known as encrypted."""
    reply = answer(gate, message_with("a.dat", ARCHIVES[name]))
    assert reply.text.startswith("550 5.7.1 Message contains a.dat (encrypted archives are not accepted)"), reply


def test_harmless_archives(gate):
    """X-07 archives without mistakes pass, and what only looks like one."""
    for name, octets in HARMLESS.items():
        assert answer(gate, message_with("a.dat", octets)).code == 250, name
