"""The thin thread: a message goes in by submission, and out to the next hop."""
import socket
import time

from postern import LOGIN, PASSWORD, client_tls


def test_a_message_is_delivered(postern, sink):
    queue_id = postern.send("rcpt@example.org", "Subject: Hi\n\n.dot\nend\n")
    message = sink.wait(1)[0]
    assert (message.sender, message.recipients) == (LOGIN, ["rcpt@example.org"])
    assert message.header("Subject") == ["Hi"]
    assert message.body == ".dot\r\nend\r\n"
    postern.wait_log("delivered.*" + queue_id)


def test_a_message_outlives_a_crash(make_postern, make_sink):
    sink = make_sink({"MAIL": ["450 4.3.2 later"]})
    postern = make_postern({"delivery": {"retry": "1s .. 1s"}}, sink=sink)
    postern.send()
    postern.kill()
    postern.start()
    assert sink.wait(1)[0].recipients == ["rcpt@example.org"]


def test_a_silent_client_of_the_control_socket_does_not_delay_the_stop(make_postern):
    postern = make_postern(with_account=False)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(postern.place / "control"))
        assert postern.ctl("status")
        start = time.monotonic()
        postern.ctl("stop")
        assert postern.process.wait(30) == 0
        assert time.monotonic() - start < 9
        assert b"ended too early" in silent.recv(1000)


def test_ordinary_clients_submit_with_tls(postern, sink):
    for listener in ("submission", "smtps"):
        with postern.smtplib(listener) as client:
            if listener == "submission":
                client.starttls(context=client_tls())
            client.login(LOGIN, PASSWORD)
            client.sendmail(LOGIN, "rcpt@example.org", "Subject: x\r\n\r\ny\r\n")
    sink.wait(2)
