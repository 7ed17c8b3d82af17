"""Half a minute of all abuse at once; "tools/abuse" under ASan does ten minutes, and wants the honest clients' latency."""
import re
import shutil
import subprocess
import sys

import pytest

from abuse_acts import ABUSERS
from abuse_limits import LogReader, limits
from postern import BUILD, SOURCE

CANNOT = 77


@pytest.mark.skipif(not (BUILD / "tests/bench/smtp-sink").exists() or not shutil.which("nsd"),
                    reason='needs "make bench-tools" and nsd')
def test_all_abuse_at_once():
    """Every limit holds, each honest message is accepted and arrives once, and the daemon ends well."""
    done = subprocess.run([sys.executable, SOURCE / "tools/abuse", "24", "--build", BUILD, "--factor", "100", "--least", "0"],
                          capture_output=True, text=True, timeout=400)
    if done.returncode == CANNOT:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [re.search(r"^%s  .*" % name, done.stdout, re.M).group().split() for name in ABUSERS]
    active = [row for row in rows if float(row[4]) > 0]
    assert len(active) > len(rows) / 2, done.stdout   # a busy machine leaves little to weight 1
    assert done.stdout.count("  ok  ") == len(limits(1, 1, 1, False)) and "all limits held" in done.stdout


def test_judgement_finds_what_is_exceeded(monkeypatch, capsys):
    """A limit that is passed, a message that is lost or comes twice, and a slow client are found."""
    import abuse_judge
    from abuse import Sent

    class Run:
        names, faults, metrics, alarms, complaints = [], [], {}, [], []
        silence, seconds, times = 10, 10, [0, 100, 200]
        account, acts = {"enabled": True}, {}
        highest = {limit.name: limit.most for limit in limits(2, 1, 20 / 60, False)}
        sent = {"submission": [Sent(1, 10, 5, "DATA", "250"), Sent(2, 110, 10, "DATA", "250")],
                "inbound": [Sent(3, 10, 5, "DATA", "250"), Sent(4, 110, 10, "DATA", "250")]}
        came = {1: 1, 2: 1, 3: 1, 4: 1}

        class cage:
            about = "nothing"

        class trap:
            connections = 0

        def arrived(self):
            return dict(self.came)

    def faults(**changes):
        run = Run()
        for name, value in changes.items():
            setattr(run, name, value)
        judge = abuse_judge.Judge(run)
        assert judge.judge() == (not judge.faults)
        return judge.faults

    monkeypatch.setattr(abuse_judge, "is_sanitized", lambda: False)
    assert faults() == []
    for name in Run.highest:
        found, = faults(highest={**Run.highest, name: Run.highest[name] + 1})
        assert found.startswith(name)
    slow = [Sent(1, 10, 5, "DATA", "250"), Sent(2, 110, 11, "DATA", "250")]
    assert "grew by a factor of 2.20" in faults(sent={**Run.sent, "submission": slow})[0]
    assert faults(came={1: 1, 2: 0, 3: 1, 4: 2, 5: 1}) == [
        "message 2 of honest client submission arrived 0 times", "message 4 of honest client inbound arrived 2 times",
        "1 messages arrived that nobody sent"]
    refused = [Sent(1, 10, 5, "DATA", "250"), Sent(2, 110, 10, "DATA", "451 4.3.2 busy")]
    assert faults(sent={**Run.sent, "submission": refused}, came={1: 1, 3: 1, 4: 1}) == [
        "1 messages of honest client submission were not accepted: 451 4.3.2 busy"]
    assert "forged complaints" in faults(account={"enabled": False})[0]
    assert "FAULT" in capsys.readouterr().out


def test_log_reader(tmp_path):
    """Lines about mail are not counted, nor is one that is not written to its end."""
    (tmp_path / "log").write_text("t info: refused client=x\nt info: message accepted queue=1\nt info: refus")
    reader = LogReader(tmp_path / "log")
    reader.read()
    assert sum(reader.by_minute.values()) == 1
    with open(tmp_path / "log", "a", encoding="ascii") as log:
        log.write("ed client=y\n")
    reader.read()
    assert sum(reader.by_minute.values()) == 2
