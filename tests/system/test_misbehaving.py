"""Plugins that do not return, or hold all workers; and password guessing: other mail flows on."""
import threading
import time

import pytest

from postern import BUILD, LOGIN, PASSWORD, PATIENCE, client_tls, wait_until

BAD = BUILD / "tests/plugins/.libs/misbehaving.so"
pytestmark = pytest.mark.skipif(not BAD.exists(), reason="tests/plugins/misbehaving.la is not built")


@pytest.fixture
def with_plugin(make_postern, sink, tmp_path):
    """A daemon that has these misbehaving plugins behind its own; options are those of [plugin NAME]."""
    def make(name, options, server=None):
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        for plugin in BUILD.glob("plugins/*/.libs/*.so"):
            (folder / plugin.name).symlink_to(plugin)
        for bad in ("bad-stuck", "bad-flooder", "bad-liar", "bad-start", "bad-major", "bad-waiter", "bad-sleeper"):
            (folder / (bad + ".so")).symlink_to(BAD)
        return make_postern({"server": {"plugins": "auth " + name, "plugin-directory": folder, **(server or {})},
                             "plugin " + name: options}, sink=sink)
    return make


def in_threads(n, work):
    """Runs work(i) n times at once; their results."""
    results = [None] * n

    def run(i):
        try:
            results[i] = work(i)
        except (OSError, AssertionError) as error:
            results[i] = error
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    return results


def test_a_plugin_that_never_returns(with_plugin, sink, tmp_path):
    """The loop says 421 after the deadline, the log names plugin and stage, other sessions flow meanwhile; with eight
    that have not returned the plugin is not called any more."""
    release = tmp_path / "release"
    postern = with_plugin("bad-stuck", {"deadline": "500ms", "release": release})
    stuck = [postern.session() for _ in range(8)]
    try:
        begun = time.monotonic()
        for dialog in stuck:
            dialog.send("MAIL FROM:<stuck@example.net>")
        postern.send()  # flows beside them
        for dialog in stuck:
            assert dialog.reply().code == 421
            assert dialog.is_closed()
        assert time.monotonic() - begun < PATIENCE
        postern.wait_log(r"does not return.*plugin=bad-stuck.*stage=mail")
        with postern.session() as dialog:  # not even asked any more: on-error = defer
            dialog.expect("451 4.3.0", "MAIL FROM:<user@example.net>")
        postern.wait_log(r"too many of its hooks have not returned")
    finally:
        release.touch()
        for dialog in stuck:
            dialog.close()

    def flows_again():
        with postern.session() as dialog:
            return dialog.ask("MAIL FROM:<user@example.net>").code == 250
    wait_until(flows_again, "mail to flow again")
    sink.wait(1)


def test_a_plugin_that_holds_all_workers(with_plugin, sink):
    """at-once: what is beyond it is put off at once, and mail that does not need the plugin's time flows."""
    postern = with_plugin("bad-flooder", {"at-once": "2", "deadline": "10s"})

    def slow(_):
        with postern.session() as dialog:
            begun = time.monotonic()
            return dialog.ask("MAIL FROM:<slow@example.net>").code, time.monotonic() - begun
    results = in_threads(8, slow)
    codes = [result[0] for result in results]
    assert codes.count(451) >= 1 and codes.count(250) >= 2 and codes.count(250) + codes.count(451) == 8, results
    assert all(taken < 3 for code, taken in results if code == 451), results
    postern.wait_log(r"plugin=bad-flooder.*it holds all the workers it may")
    postern.send()
    sink.wait(1)


def test_a_hook_that_lies_about_waiting(with_plugin, sink):
    """An inline hook that would have waited is run again on a worker; what it did before is dropped."""
    postern = with_plugin("bad-liar", {})
    postern.send()
    assert len(sink.wait(1)[0].header("X-Once")) == 1


def test_a_plugin_that_does_not_start(with_plugin, sink):
    """A reload with it changes nothing, and says why."""
    postern = with_plugin("bad-liar", {})
    postern.change({"server": {"plugins": "auth bad-liar bad-start"}})
    assert "the moon is not full" in postern.ctl("reload", code=1)
    postern.change({"server": {"plugins": "auth bad-liar bad-major"}})
    assert "was built for API" in postern.ctl("reload", code=1)
    postern.send()
    sink.wait(1)
    postern.change({"server": {"plugins": "auth bad-liar"}})


def test_password_guessing_beside_mail(postern, sink):
    """A-05, A-06: guessing keeps the crunchers busy, and mail of those who are in flows on."""
    with postern.session() as dialog:
        is_over = threading.Event()
        guesses = []

        def guess(i):
            while not is_over.is_set():
                with postern.smtp() as guesser:
                    guesser.hello()
                    for n in range(4):
                        guesses.append(guesser.auth("user%d@example.net" % (i % 2) if i % 2 else LOGIN, "guess%d" % n).code)
        threads = [threading.Thread(target=guess, args=(i,), daemon=True) for i in range(16)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(guesses) >= 16, "guesses")
        slowest = 0
        for _ in range(20):
            begun = time.monotonic()
            dialog.mail()
            slowest = max(slowest, time.monotonic() - begun)
        with postern.session(LOGIN, PASSWORD) as another:  # remembered: waits for no cruncher
            another.expect("221", "QUIT")
        is_over.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert set(guesses) <= {535, 454}, set(guesses)
        assert 535 in guesses
        assert slowest < 5, slowest
    sink.wait(20)


def test_a_hook_given_up_at_its_deadline_passes(with_plugin, sink):
    """on-error = pass: the mail goes on, the log says so; nobody waits longer than the deadline and some grace."""
    postern = with_plugin("bad-sleeper", {"deadline": "300ms", "on-error": "pass"})
    begun = time.monotonic()
    postern.send()
    assert time.monotonic() - begun < PATIENCE
    sink.wait(1)
    postern.wait_log(r"plugin failed, passed.*plugin=bad-sleeper.*stage=mail.*missed its deadline")


@pytest.mark.parametrize("parts", [
    ["EHLO slow.example.net\r\nSTARTTLS\r\n", "EHLO evil.example.net\r\nNOOP\r\n"],
    ["EHLO slow.example.net\r\n", "STARTTLS\r\nEHLO evil.example.net\r\nNOOP\r\n"],
    ["EHLO slow.example.net\r\nSTARTTLS\r\nEHLO evil.example.net\r\nNOOP\r\n"],
], ids=["behind a loan that holds STARTTLS", "all while lent", "in one piece"])
def test_starttls_injection_while_lent(with_plugin, parts):
    """C-14 Commands in clear behind STARTTLS are refused, whether they come with it or while the session is lent; none of
    them counts as said inside TLS."""
    postern = with_plugin("bad-waiter", {})
    with postern.smtp() as dialog:
        for part in parts:
            dialog.send_raw(part.encode())
            time.sleep(0.3)
        dialog.expect("250")  # of EHLO slow
        reply = dialog.reply()
        if reply.code == 220:
            dialog.socket = client_tls().wrap_socket(dialog.socket)
            reply = dialog.reply()
        assert reply.text.startswith("554 5.5.0"), reply
        assert dialog.is_closed()
    assert "evil" not in postern.log()


def test_starttls_behind_a_slow_hello(with_plugin):
    """C-12 What is not pipelined is not suspected."""
    postern = with_plugin("bad-waiter", {})
    with postern.smtp() as dialog:
        dialog.send_raw(b"EHLO slow.example.net\r\nSTARTTLS\r\n")
        dialog.expect("250")
        dialog.expect("220")
        dialog.socket = client_tls().wrap_socket(dialog.socket)
        assert dialog.hello().code == 250
