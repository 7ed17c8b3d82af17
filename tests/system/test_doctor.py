"""posternctl doctor against the real daemon and a DNS of ours."""
from postern import make_certificate


def rows(text, check):
    return [line for line in text.splitlines() if (" " + check + " ") in line]


def ill(daemon):
    """What it finds where something is bad."""
    done = daemon.ask("doctor")
    assert done.returncode == 1 and b"bad," in done.stderr
    return done.stdout.decode()


def test_names_certificates_clock_and_disk(make_postern, sink, dns, tmp_path):
    certificate, key = make_certificate(tmp_path, "mail.example.net")
    daemon = make_postern({**dns, "delivery": {"helo": "unknown.example.net"},
                           "tls": {"certificate": certificate, "key": key}}, sink=sink)
    told = ill(daemon)
    assert "unknown.example.net has no address in the DNS" in told
    certificate = rows(told, "certificate")[0]
    assert "mail.example.net" in certificate and "signed by itself" in certificate
    assert rows(told, "clock") and rows(told, "limits")
    assert "a sync takes" in rows(told, "disk")[0]
    assert rows(told, "directory")[0].startswith("ok") and rows(told, "store")[0].startswith("ok")
    assert rows(told, "dns")[0].startswith("ok")
    assert not list(tmp_path.glob("**/spool/doctor"))


def test_certificate_of_another_name(make_postern, sink, dns, tmp_path):
    certificate, key = make_certificate(tmp_path, "other.example.net")
    daemon = make_postern({**dns, "tls": {"certificate": certificate, "key": key}}, sink=sink)
    told = ill(daemon)
    assert "BAD" in rows(told, "certificate")[0] and "is not for mail.example.net" in rows(told, "certificate")[0]


def test_public_addresses(make_postern, sink, dns):
    """R-14 the addresses that we send from are compared with the SPF record that customers include, and with their names."""
    daemon = make_postern({**dns, "delivery": {"helo": "client.example.org", "spf-record": "spf.example.org",
                                               "from-addresses": "198.18.0.9 198.18.0.10 198.18.0.11 127.0.0.1"}}, sink=sink)
    told = ill(daemon)
    reverse = rows(told, "reverse dns")
    assert "ok" in reverse[0] and "198.18.0.9 is client.example.org" in reverse[0]
    assert "BAD" in reverse[1] and "198.18.0.10 is named liar.example.org, which does not lead back" in reverse[1]
    assert "BAD" in reverse[2] and "198.18.0.11 has no name" in reverse[2]
    spf = rows(told, "spf")
    assert "ok" in spf[0] and "198.18.0.9 may send" in spf[0]
    assert "BAD" in spf[1] and "198.18.0.10 may not send" in spf[1]
    assert "127.0.0.1 is not a public address" in rows(told, "address")[0]


def test_all_is_well(make_postern, sink, dns):
    daemon = make_postern({**dns, "delivery": {"helo": "client.example.org", "spf-record": "spf.example.org",
                                               "from-addresses": "198.18.0.9"}}, sink=sink)
    told = daemon.ctl("doctor")
    assert "Nothing is bad" in told and "certificate of our own making" in told
