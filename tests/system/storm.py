"""The weather for tools/storm: what tests/fault/disk-storm.c makes fail below a directory, changed while the daemon runs."""
import collections
import contextlib
import mmap
import os
import struct

from judgement import Burst
from postern import BUILD

LIBRARY = BUILD / "tests/fault/.libs/disk-storm.so"
# The layout of StormControl: magic and seed, then three tables by kind.
KINDS = ("write_eio", "write_full", "write_short", "sync", "read_eio", "read_short", "rename", "unlink", "open")
HEAD, MAGIC, MILLION = 8, 0x6d726f74, 1_000_000
SIZE = HEAD + 3 * 4 * len(KINDS)
CHANCE, FAILED, CALLS = (HEAD + i * 4 * len(KINDS) for i in range(3))
# The layout of StormLost.
LOST_ENTRY = struct.Struct("=QQQII")
LOST, SAFE, GONE = 1, 2, 3
PAGE = 4096
# So that results cannot be written, sometimes at least.
UNWRITABLE = {"write_eio", "write_full", "write_short", "sync", "rename", "open"}


class Control:
    """The mapped file that says how often which kind of call fails, and counts."""

    def __init__(self, path, under, seed):
        self.path, self.under = path, under
        path.write_bytes(struct.pack("=II", MAGIC, seed % (1 << 32)) + bytes(SIZE - HEAD))
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), SIZE)

    def environment(self):
        return {"LD_PRELOAD": str(LIBRARY), "STORM_UNDER": str(self.under), "STORM_CONTROL": str(self.path)}

    def set(self, chances):
        """`chances`: kind: from 0 to 1; the others become 0."""
        for i, kind in enumerate(KINDS):
            struct.pack_into("=I", self.map, CHANCE + 4 * i, int(chances.get(kind, 0) * MILLION))

    def table(self, start):
        return dict(zip(KINDS, struct.unpack_from("=%dI" % len(KINDS), self.map, start)))

    def failed(self):
        """Calls that were made to fail, by kind."""
        return self.table(FAILED)

    def calls(self):
        """Calls that might have failed, by kind: 0 says that the library does not see them."""
        return self.table(CALLS)


class Loss:
    """Pages whose sync failed: clean for the system, and gone once they leave the cache."""

    def __init__(self, control):
        self.path, self.under = control.path.with_name(control.path.name + ".lost"), control.under

    def pages(self):
        """{(inode, page): what the disk has, None: zeros}"""
        pages = collections.OrderedDict()
        octets = self.path.read_bytes() if self.path.exists() else b""
        at = 0
        while at + LOST_ENTRY.size <= len(octets):
            inode, offset, size, what, has_data = LOST_ENTRY.unpack_from(octets, at)
            at += LOST_ENTRY.size
            before = octets[at:at + size] if has_data else None
            at += size if has_data else 0
            if at > len(octets):
                break  # killed while it wrote this: the daemon did not learn of the failure
            touched = [(inode, number) for number in range(offset // PAGE, (offset + size) // PAGE)]
            if what == LOST:
                for i, page in enumerate(touched):
                    pages.setdefault(page, before[i * PAGE:(i + 1) * PAGE] if before else None)
            for page in touched if what == SAFE else [page for page in pages if page[0] == inode] if what == GONE else ():
                pages.pop(page, None)
        return pages

    def forget(self):
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def happen(self, luck, share):
        """Between two lives of the daemon: that share of the pages leaves the cache.  How many did."""
        pages, n = self.pages(), 0
        self.forget()
        paths = {entry.stat().st_ino: entry.path for folder in ("log", "content") for entry in os.scandir(self.under / folder)}
        for (inode, number), before in pages.items():
            if inode not in paths or luck.random() >= share:
                continue
            with open(paths[inode], "r+b") as file:
                room = os.fstat(file.fileno()).st_size - number * PAGE
                os.pwrite(file.fileno(), (before or bytes(PAGE)).ljust(PAGE, b"\0")[:max(0, room)], number * PAGE)
            n += 1
        return n


class Weather:
    """Sets moods, and keeps when results could not be written."""

    def __init__(self, control, luck, now):
        """`now`: a function, the time in ns."""
        self.control, self.luck, self.now, self.bursts = control, luck, now, []
        self.kind, self.began, self.failed_before = "calm", now(), 0

    def unwritten(self):
        return sum(n for kind, n in self.control.failed().items() if kind in UNWRITABLE)

    def set(self, chances):
        """A mood without a fault is no burst."""
        changed = self.now()
        self.control.set(chances)
        failed = self.unwritten()
        if failed > self.failed_before:
            self.bursts.append(Burst(self.kind, self.began, changed))
        self.kind = "dead" if chances.get("write_eio", 0) >= 1 else "faults"
        self.began, self.failed_before = self.now(), failed

    def calm(self):
        self.set({})

    # -- moods --

    def single(self):
        """One kind of fault, seldom."""
        self.set({self.luck.choice(KINDS): self.luck.choice((0.002, 0.01, 0.05))})

    def changeable(self):
        """All of them, seldom."""
        self.set({kind: self.luck.choice((0, 0.002, 0.01)) for kind in KINDS})

    def syncs(self):
        """Some syncs fail, and all else is well."""
        self.set({"sync": 0.1})

    def burst(self):
        """Some kinds, often."""
        self.set({kind: self.luck.uniform(0.1, 0.6) for kind in self.luck.sample(KINDS, 3)})

    def dead(self):
        """Nothing works."""
        self.set({kind: 1 for kind in KINDS if not kind.endswith("short")})

    def read_only(self):
        """What is there can be read, and nothing be written."""
        self.set({"write_eio": 1, "sync": 1})
