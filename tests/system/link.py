"""A link between a daemon and a server on loopback, which a test cuts, stops and delays."""
import queue
import random
import socket
import threading
import time


class Link:
    """Forwards connections to `target`; the daemon connects to `port`."""

    def __init__(self, target):
        self.target, self.delay = target, (0.0, 0.0)
        self.is_up = True
        self.flows = {"out": threading.Event(), "back": threading.Event()}
        self.lock, self.pairs = threading.Lock(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.go()
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, database=1):
        return "redis://127.0.0.1:%d/%d" % (self.port, database)

    # -- what a test does with it --

    def go(self):
        """All is well again."""
        self.is_up, self.delay = True, (0.0, 0.0)
        for flow in self.flows.values():
            flow.set()

    def stop(self, *flows):
        """Nothing moves ("out": to the server, "back": from it), and nothing is lost."""
        for flow in flows or ("out", "back"):
            self.flows[flow].clear()

    def cut(self):
        """Connections end; new ones end at once."""
        with self.lock:
            self.is_up = False
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                self.close_end(end)

    def slow_down(self, least, most):
        """Each piece of data takes so long, in seconds."""
        self.delay = (least, most)

    def close(self):
        self.go()
        self.cut()
        self.listener.close()

    # -- how --

    @staticmethod
    def close_end(end):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.is_up:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                is_up = self.is_up  # it may have been cut meanwhile
                if is_up:
                    self.pairs.append((near, far))
            if not is_up:
                near.close()
                far.close()
                continue
            self.forward(near, far, "out")
            self.forward(far, near, "back")

    def forward(self, source, sink, flow):
        pieces = queue.Queue()

        def read():
            data = b"x"
            while data:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                pieces.put((time.monotonic() + random.uniform(*self.delay), data))

        def write():
            while True:
                due, data = pieces.get()
                time.sleep(max(due - time.monotonic(), 0))
                self.flows[flow].wait()
                try:
                    sink.sendall(data)
                except OSError:
                    data = b""
                if not data:
                    self.close_end(sink)
                    self.close_end(source)
                    return

        for run in (read, write):
            threading.Thread(target=run, daemon=True).start()
