"""The thin thread: a message goes in by submission, and out to the next hop."""
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


def test_ordinary_clients_submit_with_tls(postern, sink):
    for listener in ("submission", "smtps"):
        with postern.smtplib(listener) as client:
            if listener == "submission":
                client.starttls(context=client_tls())
            client.login(LOGIN, PASSWORD)
            client.sendmail(LOGIN, "rcpt@example.org", "Subject: x\r\n\r\ny\r\n")
    sink.wait(2)
