"""A network namespace for one test: its ports and addresses are nobody else's."""
import ctypes
import functools
import os
import subprocess
import threading

import pytest

CLONE_NEWNET = 0x40000000


def in_own_network(*addresses):
    """The test runs in a thread that has a network namespace of its own, as all that it starts has, with these addresses."""
    def enter():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip("needs network namespaces: %s" % os.strerror(ctypes.get_errno()))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for address in addresses:
            subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)

    def decorate(test):
        @functools.wraps(test)
        def run(*arguments, **more):
            failure = []

            def body():
                try:
                    enter()
                    test(*arguments, **more)
                except BaseException as error:  # told to pytest by the thread that waits
                    failure.append(error)
            thread = threading.Thread(target=body)
            thread.start()
            thread.join()
            if failure:
                raise failure[0]
        return run
    return decorate
