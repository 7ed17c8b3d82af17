"""Network namespaces: the tests' own, so that no port is taken by anything else on this machine, and those of what they start."""
import contextlib
import ctypes
import functools
import os
import subprocess
import threading

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
machine = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)  # the one that the process began in


def enter(file):
    """What this thread does from now on, and the threads and programs that it starts, belongs to that namespace."""
    if libc.setns(file, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns: %s" % os.strerror(ctypes.get_errno()))


def enter_new(*addresses):
    """A namespace with nothing but loopback, with these addresses, too; OSError if that is not permitted."""
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare: a network namespace takes root: %s" % os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        subprocess.run(["ip", "addr", "add", address, "dev", "lo"], check=True)


@contextlib.contextmanager
def inside(file):
    """enter() for a while; this thread only."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(file)
        try:
            yield
        finally:
            enter(here)
    finally:
        os.close(here)


@contextlib.contextmanager
def of_process(pid):
    """inside() the network of a process."""
    with open("/proc/%d/ns/net" % pid, "rb") as there, inside(there.fileno()):
        yield


def in_own_network(*addresses):
    """A decorator of tests: the test runs in a thread that has a new namespace with these addresses, as has all that it starts."""
    def decorate(test):
        @functools.wraps(test)
        def run(*arguments, **more):
            failure = []

            def body():
                try:
                    enter_new(*["%s/32" % address for address in addresses])
                    test(*arguments, **more)
                except BaseException as error:  # raised again in pytest's own thread
                    failure.append(error)
            thread = threading.Thread(target=body)
            thread.start()
            thread.join()
            if failure:
                raise failure[0]
        return run
    return decorate
