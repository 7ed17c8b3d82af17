#!/usr/bin/env python3
"""unit_filter FILE COMMAND… - runs the command under the system call filter that FILE, a unit of systemd, asks for."""
import ctypes
import ctypes.util
import errno
import os
import subprocess
import sys

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
IMPLIED = "execve exit exit_group getrlimit rt_sigreturn sigreturn".split()  # of systemd, beside @default


def members(name):
    """Of a set, or of a set in it."""
    if not name.startswith("@"):
        return {name}
    told = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], check=True, capture_output=True, text=True)
    found = set()
    for line in told.stdout.split("\n")[1:]:
        if line.strip() and not line.strip().startswith("#"):
            found |= members(line.strip())
    return found


def unit_filter(lines):
    """The names that are allowed, and what becomes of others."""
    allowed, action = set(IMPLIED) | members("@default"), KILL
    for line in lines:
        option, _, value = line.partition("=")
        if option == "SystemCallFilter":
            names = set().union(*(members(name) for name in value.lstrip("~").split()))
            allowed = allowed - names if value.startswith("~") else allowed | names
        elif option == "SystemCallErrorNumber":
            action = ERRNO | getattr(errno, value)
    return allowed, action


def install(allowed, action):
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(action)))
    for name in allowed:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            assert library.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0) == 0, name
    assert library.seccomp_load(context) == 0


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as unit:
        rules = unit_filter(unit.read().split("\n"))
    install(*rules)
    os.execv(sys.argv[2], sys.argv[2:])
