"""A real clamd with a signature of a test."""
import contextlib
import signal
import socket
import subprocess
import threading

from postern import free_port, wait_until

VIRUS = b"POSTERN-TEST-SIGNATURE"


class Clamd:
    """A real one, on a Unix socket and on a port, with signatures in its own directory; may be stopped and started again."""

    def __init__(self, place, nice=0):
        self.place, self.port, self.process, self.nice = place, free_port(), None, nice
        self.socket = place / "clamd.ctl"
        (place / "db").mkdir()
        (place / "db" / "postern.ndb").write_text("Postern.Test:0:*:%s\n" % VIRUS.hex())
        (place / "clamd.conf").write_text("".join(line + "\n" for line in (
            "DatabaseDirectory %s/db" % place, "LocalSocket %s" % self.socket, "TCPSocket %d" % self.port,
            "TCPAddr 127.0.0.1", "Foreground yes", "User root", "TemporaryDirectory %s" % place, "StreamMaxLength 25M",
            "AlertEncryptedArchive yes", "SelfCheck 0", "MaxThreads 4")))
        self.start()

    def start(self):
        with open(self.place / "clamd.log", "ab") as log:
            command = ["nice", "-n", str(self.nice), "clamd", "-c", str(self.place / "clamd.conf")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self.answers, "clamd: " + (self.place / "clamd.log").read_text())

    def answers(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(1)
                s.connect(str(self.socket))
                s.sendall(b"nPING\n")
                return s.recv(10) == b"PONG\n"
        except OSError:
            return False

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        self.process = None


class Hanging:
    """Accepts, reads, and never answers."""

    def __init__(self):
        self.listener, self.connections, self.open = socket.create_server(("127.0.0.1", 0)), 0, set()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.open.add(connection)
            self.connections += 1
            threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, connection):
        with connection, contextlib.suppress(OSError):
            while connection.recv(65536):
                pass
        self.open.discard(connection)

    def close(self):
        """Who still waits for an answer sees the end of the connection."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
