"""An nsd on loopback with zones of a test."""
import socket
import subprocess

from postern import free_port, wait_until

CONFIG = """server:
  ip-address: 127.0.0.1@%(port)d
  username: ""
  chroot: ""
  zonesdir: "%(place)s"
  database: ""
  pidfile: ""
  xfrdfile: "%(place)s/xfrd.state"
  zonelistfile: "%(place)s/zone.list"
  tcp-count: 500
remote-control:
  control-enable: no
"""
HEAD = """$ORIGIN %s.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
"""


class Nsd:
    """`zones`: {name: records}; SOA and NS are added to what has no $ORIGIN.  `more`: of subprocess.Popen."""

    def __init__(self, place, zones, port=None, **more):
        place.mkdir(exist_ok=True)
        self.port, self.zones = port or free_port(), list(zones)
        config = CONFIG % {"port": self.port, "place": place}
        for name, records in zones.items():
            (place / name).write_text(records if records.startswith("$ORIGIN") else HEAD % name + records)
            config += "zone:\n  name: %s\n  zonefile: %s\n" % (name, name)
        (place / "nsd.conf").write_text(config)
        self.process = subprocess.Popen(["nsd", "-d", "-c", str(place / "nsd.conf")], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, **more)
        wait_until(self.answers, "nsd")

    def answers(self):
        """Whether it answers for the last zone; it may still be reading them."""
        name = b"".join(bytes([len(label)]) + label.encode() for label in self.zones[-1].split("."))
        with socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.settimeout(0.2)
            udp.sendto(b"\xab\xcd\0\0\0\x01\0\0\0\0\0\0" + name + b"\0\0\6\0\1", ("127.0.0.1", self.port))
            try:
                return udp.recv(4096)[3] & 15 == 0
            except OSError:
                return False

    def stub_zones(self):
        """For [dns] stub-zones."""
        return " ".join("%s=127.0.0.1@%d" % (name, self.port) for name in self.zones)

    def close(self):
        self.process.terminate()
        self.process.wait()
