"""A network namespace for one test: its ports and addresses are nobody else's."""
import functools
import threading

import netns


def in_own_network(*addresses):
    """The test runs in a thread that has a network namespace of its own, as all that it starts has, with these addresses."""
    def decorate(test):
        @functools.wraps(test)
        def run(*arguments, **more):
            failure = []

            def body():
                try:
                    netns.enter_new(*["%s/32" % address for address in addresses])
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
