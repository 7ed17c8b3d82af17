"""Exit codes for programs that watch: status --check as Nagios and load balancers read it, and alarms."""
import subprocess

from postern import BUILD, wait_until


def asked(postern, *words):
    done = postern.ask(*words)
    return done.returncode, done.stdout.decode()


def test_health(make_postern, sink):
    postern = make_postern(sink=sink)
    code, line = asked(postern, "status", "--check")
    assert code == 0 and line.startswith("OK - ") and line.count("\n") == 1
    assert asked(postern, "alarms")[0] == 0

    text = postern.config.read_text()   # a warning: mail flows
    postern.config.write_text(text.replace("[spool]\n", "[spool]\nlarge = 512K\n"))
    postern.ctl("reload")
    code, line = asked(postern, "status", "--check")
    assert code == 1 and line.startswith("WARNING - ") and "config.restart: [spool] large" in line and line.count("\n") == 1
    code, table = asked(postern, "alarms")
    assert code == 1 and "config.restart" in table

    postern.stop()
    code, line = asked(postern, "status", "--check")
    assert code == 2 and line.startswith("CRITICAL - posternd cannot be reached")
    assert asked(postern, "status")[0] == 1


def test_full_disk_is_critical(make_postern, sink):
    postern = make_postern({"spool": {"keep-free": "900T"}}, sink=sink)
    with postern.session() as dialog:
        dialog.expect("452", "MAIL FROM:<user@example.net>")
    wait_until(lambda: "spool.full" in postern.ctl("alarms"), "the alarm")
    code, line = asked(postern, "status", "--check")
    assert code == 2 and line.startswith("CRITICAL - ") and "spool.full" in line


def test_check_is_of_status_alone(make_postern, sink):
    postern = make_postern(sink=sink)
    done = subprocess.run([BUILD / "core/daemon/posternctl", "-c", postern.config, "queue", "--check"], capture_output=True, text=True)
    assert done.returncode == 1 and "takes no --check" in done.stderr
