"""Customers, domains and accounts by posternctl: what an administrator may do, and what it does to clients."""
import subprocess

import pytest

from postern import LOGIN, PASSWORD, SOURCE, Dialog, wait_until


def reply_to_login(postern, login=LOGIN, password=PASSWORD):
    with postern.smtp() as dialog:
        dialog.hello()
        return dialog.auth(login, password)


def test_P_01_three_types_of_account_can_be_made(shared):  # P-01
    shared.add_account("single@example.net", "secret1")
    shared.add_account("@example.net", "secret2")
    answer = shared.add_account("example.net", "secret3", "type=server")
    assert "may not submit yet" in answer
    rows = {row["account"]: row["type"] for row in shared.ctl("account", "list", json=True)}
    assert rows == {LOGIN: "single", "single@example.net": "single", "@example.net": "any", "example.net": "server"}
    for login, password in (("single@example.net", "secret1"), ("@example.net", "secret2"), ("example.net", "secret3")):
        assert reply_to_login(shared, login, password).code == 235
        shared.ctl("account", "remove", login)


def test_P_02_the_login_names_address_or_domain_and_the_type_follows(shared):  # P-02
    assert "needs type=server" in shared.ctl("account", "add", "example.net", "--password-file", "-", input="secret\n", code=1)
    assert "form of type" in shared.ctl("account", "add", "x@example.net", "type=any", "--password-file", "-", input="secret\n",
                                        code=1)
    shared.add_account("@example.net", "secret")
    assert shared.options("account", "@example.net")["domain"] == ("example.net", "account")
    shared.ctl("account", "remove", "@example.net")


def test_P_03_the_domain_must_be_one_of_the_customer(shared):  # P-03
    shared.ctl("customer", "add", "other")
    shared.ctl("domain", "add", "other.example", "customer=other", "mode=outbound-only")
    assert "no domain" in shared.ctl("account", "add", "x@nowhere.example", "--password-file", "-", input="secret\n", code=1)
    complaint = shared.ctl("account", "add", "x@other.example", "customer=acme", "--password-file", "-", input="secret\n", code=1)
    assert "of customer other" in complaint
    shared.ctl("domain", "remove", "other.example")
    shared.ctl("customer", "remove", "other")


def test_P_04_passwords_have_five_characters_which_are_code_points(shared):  # P-04
    for password, is_taken in (("abcd", False), ("äöüß", False), ("abcde", True), ("äöüßé", True)):
        words = ["account", "passwd", LOGIN, "--password-file", "-"]
        assert (shared.ask(*words, input=password + "\n").returncode == 0) == is_taken, password
        assert (reply_to_login(shared, password=password).code == 235) == is_taken
    shared.set_password(LOGIN, PASSWORD)


def test_P_05_enable_disable_and_delete(shared):  # P-05
    shared.add_account("short@example.net", "secret")
    for verb, code in (("disable", 535), ("enable", 235), ("remove", 535)):
        shared.ctl("account", verb, "short@example.net")
        assert reply_to_login(shared, "short@example.net", "secret").code == code
    assert "no account" in shared.ctl("account", "show", "short@example.net", code=1)
    assert "no account" in shared.ctl("account", "remove", "short@example.net", code=1)


def test_A_11_a_new_password_holds_at_once(shared):
    shared.set_password(LOGIN, "another password")
    assert reply_to_login(shared).text.startswith("535 5.7.8")
    assert reply_to_login(shared, password="another password").code == 235
    shared.set_password(LOGIN, PASSWORD)
    assert reply_to_login(shared, password="another password").code == 535
    assert reply_to_login(shared).code == 235


def test_P_06_the_list_has_the_login_in_column_account(shared):  # P-06
    lines = shared.ctl("account", "list").splitlines()
    assert lines[0].split()[0] == "ACCOUNT" and lines[1].split()[0] == LOGIN
    assert shared.options("account", LOGIN.upper())["type"] == ("single", "account")


def test_P_08_a_customer_has_three_addresses(shared):  # P-08
    shared.ctl("customer", "set", "acme", "primary=it@acme.example", "postmaster=pm@acme.example", "alert=noc@acme.example")
    options = shared.options("customer", "acme")
    assert [options[name][0] for name in ("primary", "postmaster", "alert")] == [
        "it@acme.example", "pm@acme.example", "noc@acme.example"]
    assert "not a mail address" in shared.ctl("customer", "set", "acme", "alert=nobody", code=1)
    shared.ctl("customer", "set", "acme", "alert=")
    assert "alert" not in shared.options("customer", "acme")


QUOTA = """#include "plugin-api.h"
static const PtnOption options[] = {
	{ "messages", PTN_NUMBER, PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER | PTN_IN_ACCOUNT, "10", "a limit", 0, 0, NULL },
	{ 0 } };
PTN_PLUGIN(quota) = { PTN_HEAD("quota"), .version = "1", .summary = "has a limit", .options = options };
"""


def test_P_09_levels_hold_where_nothing_nearer_does_and_show_says_so(make_postern, sink):  # P-09
    postern = make_postern(sink=sink)
    source = postern.place / "quota.c"
    source.write_text(QUOTA)
    subprocess.run(["cc", "-shared", "-fPIC", "-I", SOURCE, "-o", postern.place / "plugins/quota.so", source], check=True)
    levels = {"level personal": {"quota.messages": "200"}, "level personal-plus": {"like": "personal"},
              "level standard": {"quota.messages": "2000"}}
    postern.reload({"server": {"plugins": "auth sender-rules quota"}, **levels})

    def messages():
        return postern.options("account", LOGIN)["quota.messages"]

    assert messages() == (10, "preset")
    assert "no [level unheard-of]" in postern.ctl("customer", "set", "acme", "level=unheard-of")
    assert messages() == (10, "preset")
    for level, value in (("standard", 2000), ("personal", 200), ("personal-plus", 200)):
        assert "warning" not in postern.ctl("customer", "set", "acme", "level=" + level)
        assert messages()[0] == value and "level" in messages()[1]
    postern.ctl("customer", "set", "acme", "quota.messages=300")
    assert messages() == (300, "customer")
    postern.ctl("account", "set", LOGIN, "messages=400")
    assert messages() == (400, "account")
    assert "not a number" in postern.ctl("account", "set", LOGIN, "quota.messages=many", code=1)
    assert 'did you mean "quota.messages"' in postern.ctl("account", "set", LOGIN, "quota.mesages=4", code=1)


def test_P_10_a_domain_takes_its_accounts_with_it(shared):  # P-10
    shared.ctl("domain", "add", "gone.example", "customer=acme", "mode=outbound-only")
    shared.add_account("a@gone.example", "secret")
    shared.add_account("@gone.example", "secret")
    assert "has domains" in shared.ctl("customer", "remove", "acme", code=1)
    answer = shared.ctl("domain", "remove", "gone.example")
    assert "account a@gone.example" in answer and "account @gone.example" in answer and "domain gone.example" in answer
    assert reply_to_login(shared, "a@gone.example", "secret").code == 535


@pytest.mark.parametrize("off, on", [(["set", "acme", "outbound=no"], ["set", "acme", "outbound="]),
                                     (["disable", "acme", "reason=listed on XBL"], ["enable", "acme"])])
def test_P_11_a_customer_that_is_stopped_stops_all_its_accounts_at_once(shared, off, on):  # P-11
    with shared.session() as dialog:
        dialog.mail()
        shared.ctl("customer", *off)
        reply = dialog.ask("MAIL FROM:<%s>" % LOGIN)
        assert reply.code >= 400 and dialog.is_closed()
    assert reply_to_login(shared).text.startswith("535 5.7.13")
    shared.ctl("customer", *on)
    assert reply_to_login(shared).code == 235


def test_P_12_a_name_is_given_once(shared):  # P-12
    for words in (["customer", "add", "acme"], ["customer", "add", "ACME"],
                  ["domain", "add", "Example.NET", "customer=acme", "mode=hold"],
                  ["account", "add", LOGIN.upper(), "--password-file", "-"]):
        assert "there is a" in shared.ctl(*words, input="new secret\n", code=1)
    assert reply_to_login(shared).code == 235


def test_A_09_a_disabled_account_is_told_why_but_only_with_its_password(shared):
    shared.ctl("account", "disable", LOGIN, "reason=stolen password, ticket 812")
    wrong, unknown = reply_to_login(shared, password="wrong one"), reply_to_login(shared, "nobody@example.net")
    assert wrong.text == unknown.text and wrong.text.startswith("535 5.7.8")
    right = reply_to_login(shared)
    assert right.text.startswith("535 5.7.13") and "stolen password, ticket 812" in right
    assert shared.options("account", LOGIN)["reason"][0] == "stolen password, ticket 812"
    shared.ctl("account", "enable", LOGIN)
    assert reply_to_login(shared).code == 235
    assert "reason" not in shared.options("account", LOGIN)


def test_A_10_a_deleted_account_is_unknown(shared):
    shared.add_account("deleted@example.net", "secret")
    assert reply_to_login(shared, "deleted@example.net", "secret").code == 235
    shared.ctl("account", "remove", "deleted@example.net")
    assert reply_to_login(shared, "deleted@example.net", "secret").text.startswith("535 5.7.8")


def test_passwords_are_nowhere_to_be_read(make_postern, sink):
    postern = make_postern(sink=sink)
    reply_to_login(postern, password="a wrong secret")
    postern.set_password(LOGIN, "the new secret")
    reply_to_login(postern, password="the new secret")
    shown = postern.ctl("account", "show", LOGIN) + postern.ctl("account", "list") + postern.ctl("export")
    postern.stop()
    for secret in (PASSWORD, "a wrong secret", "the new secret"):
        for path in postern.place.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path
        assert secret not in shown
    assert "$y$" not in postern.log()


def test_a_password_is_no_word_of_the_command_line(shared):
    for words in (["account", "add", "x@example.net", "password=secret"], ["account", "set", LOGIN, "password=secret"]):
        assert "others may see" in shared.ctl(*words, *(["--password-file", "-"] if words[1] == "add" else []), input="secret\n",
                                              code=1)
    assert "--password-file" in shared.ctl("account", "add", "x@example.net", code=1)
    assert "password" not in shared.options("account", LOGIN)


def test_what_is_not_known_is_refused(shared):
    for words, complaint in (
            (["frob"], "no command"), (["account", "frob"], "account knows"), (["customer", "passwd", "acme"], "customer knows"),
            (["account", "set", LOGIN, "frob=1"], "no option"), (["account", "set", LOGIN, "enabld=no"], 'did you mean "enabled"'),
            (["account", "set", LOGIN], "nothing to set"), (["account", "set", LOGIN, "word"], "not NAME=VALUE"),
            (["account", "set", LOGIN, "reason=two\nlines"], "one line"), (["account", "remove", LOGIN, "--dry-run"], "--dry-run"),
            (["customer", "remove", "acme", "--yes"], "takes no --yes"), (["status", "--frob"], "no option --frob"),
            (["queue", "--al"], "no option --al"), (["-x", "status"], "no option -x"), (["import"], "one file"),
            (["domain", "disable", "example.net"], "not enabled or disabled"), (["account", "show"], "which account")):
        assert complaint in shared.ctl(*words, code=1), words
    assert reply_to_login(shared).code == 235


def test_help_without_a_daemon(shared, tmp_path):
    text = shared.ctl("--help")
    assert all(word in text for word in ("hold|release|retry", "  why ADDRESS", "  import FILE", "  spool [adopt DIRECTORY]"))
    assert "posternctl" in shared.ctl("--version")
    assert "cannot be reached" in shared.ctl("--socket", tmp_path / "nowhere", "status", code=1)
    assert "queue" in [row["command"] for row in shared.ctl("help", json=True)]


def test_the_last_message_of_a_stopped_account_is_not_taken(shared):
    """Facts of the account are read anew at each MAIL."""
    with shared.session() as dialog:
        shared.ctl("account", "disable", LOGIN)
        dialog.expect("4", "MAIL FROM:<%s>" % LOGIN)
    shared.ctl("account", "enable", LOGIN)
    with Dialog(shared.ports["submission"]) as dialog:
        dialog.login()
        dialog.mail()


def test_O_08_outside_of_automatic_mail_may_be_lost_and_it_says_so(shared):  # O-08
    shared.add_account("action@example.net", PASSWORD)
    assert "mail may be lost" in shared.ctl("account", "set", "action@example.net", "on-refusal=reject")
    assert "mail may be lost" in shared.ctl("account", "set", "action@example.net", "on-refusal=defer")
    assert "lost" not in shared.ctl("account", "set", "action@example.net", "on-refusal=automatic")
    assert "automatic, reject" in shared.ctl("account", "set", "action@example.net", "on-refusal=never", code=1)


@pytest.fixture
def moved(shared):
    """Domain moved.example with two accounts, just set from customer acme to customer new."""
    shared.ctl("customer", "add", "new", "postmaster=pm@new.example")
    shared.ctl("domain", "add", "moved.example", "customer=acme", "mode=outbound-only")
    for login in ("u@moved.example", "@moved.example"):
        shared.add_account(login, PASSWORD)
    shared.ctl("recipient", "add", "r@moved.example")
    shared.ctl("domain", "set", "moved.example", "customer=NEW")
    yield shared
    shared.ctl("domain", "remove", "moved.example")
    shared.ctl("customer", "remove", "new")


def test_P_13_accounts_follow_their_domain_to_another_customer(moved):  # P-13
    for kind, name in (("account", "u@moved.example"), ("account", "@moved.example"), ("recipient", "r@moved.example")):
        assert moved.options(kind, name)["customer"] == ("new", kind)
    assert {row["account"] for row in moved.ctl("account", "list", "customer=new", json=True)} == {
        "u@moved.example", "@moved.example"}
    moved.ctl("account", "disable", "u@moved.example")
    assert reply_to_login(moved, "u@moved.example").code == 535
    moved.ctl("account", "enable", "u@moved.example")
    moved.set_password("u@moved.example", "another secret")
    assert reply_to_login(moved, "u@moved.example", "another secret").code == 235
    text = moved.ctl("export")
    assert "0 added, 0 changed" in moved.ctl("import", "-", input=text)


def test_P_13_the_new_customer_rules_sessions_that_are_open(moved):  # P-13
    moved.ctl("domain", "set", "moved.example", "customer=acme")
    with moved.session("u@moved.example") as dialog:
        dialog.mail("u@moved.example")
        moved.ctl("domain", "set", "moved.example", "customer=new")
        moved.ctl("customer", "disable", "new")
        assert dialog.ask("MAIL FROM:<u@moved.example>").code >= 400 and dialog.is_closed()
    assert reply_to_login(moved, "u@moved.example").code == 535
    assert reply_to_login(moved).code == 235
    moved.ctl("customer", "enable", "new")


def test_P_13_waiting_mail_belongs_to_the_customer_of_now(make_postern, sink):  # P-13
    postern = make_postern(sink=sink)
    postern.ctl("customer", "add", "new")
    sink.replies["RCPT"] = "450 4.2.1 later"
    postern.send()
    postern.wait_queue(1, "customer=acme")
    postern.ctl("domain", "set", "example.net", "customer=new")
    assert len(postern.queue("customer=new")) == 1 and not postern.queue("customer=acme")


def test_P_14_names_of_owners_are_in_one_form(shared):  # P-14
    shared.ctl("customer", "add", "Bell")
    shared.ctl("domain", "add", "Bell.Example", "customer=BELL", "mode=outbound-only")
    shared.ctl("domain", "add", "bücher.example", "customer=Bell", "mode=hosted", "valid-recipients=1")
    shared.add_account("u@bell.example", PASSWORD)
    shared.ctl("recipient", "add", "r@BÜCHER.example")
    assert shared.options("domain", "bell.example")["customer"] == ("bell", "domain")
    for domain in ("BÜCHER.example", "bücher.example", "XN--BCHER-KVA.EXAMPLE", "domain=Bücher.example"):
        assert len(shared.ctl("recipient", "list", domain, json=True)) == 1, domain
    assert len(shared.ctl("domain", "list", "customer=BeLL", json=True)) == 2
    assert "has domains" in shared.ctl("customer", "remove", "BELL", code=1)
    for domain in ("bell.example", "bücher.example"):
        shared.ctl("domain", "remove", domain)
    shared.ctl("customer", "remove", "bell")


@pytest.mark.parametrize("reason", ["two\nlines", "cr\rhere", "x\n[account evil@example.net]\npassword = *", "tab\there", "x" * 201,
                                    "x" * 1000, "ä" * 101, "\x1b[2J", "\u202egnitirw"])
def test_P_15_a_reason_is_one_line_through_every_door(shared, reason):  # P-15
    before = shared.ctl("export")
    for words in (["account", "disable", LOGIN, "reason=" + reason], ["account", "set", LOGIN, "reason=" + reason],
                  ["customer", "disable", "acme", "reason=" + reason], ["customer", "set", "acme", "reason=" + reason],
                  ["block", "add", "192.0.2.77", "reason=" + reason],
                  ["customer", "set", "acme", "level=" + reason + "\n"]):
        complaint = shared.ctl(*words, code=1)
        assert "one line" in complaint or "at most 200" in complaint, words
    if len(reason) > 200:
        assert "at most 200" in shared.ctl("import", "-", input="[account %s]\nreason = %s\n" % (LOGIN, reason), code=1)
    assert shared.ctl("export") == before
    assert reply_to_login(shared).code == 235


def test_P_15_the_longest_reason_is_told_at_login(shared):  # P-15
    reason = "x" * 200
    shared.ctl("account", "disable", LOGIN, "reason=" + reason)
    reply = reply_to_login(shared)
    assert reply.code == 535 and reason in reply
    shared.ctl("account", "enable", LOGIN)


def test_P_16_yes_and_no_in_all_their_words(shared):  # P-16
    for word, value in (("1", True), ("on", True), ("TRUE", True), ("yes", True), ("0", False), ("off", False), ("false", False)):
        shared.ctl("account", "set", LOGIN, "clear-received=" + word)
        assert shared.options("account", LOGIN)["clear-received"] == (value, "account"), word
        shared.ctl("account", "set", LOGIN, "enabled=" + word)
        assert reply_to_login(shared).code == (235 if value else 535), word
        assert (LOGIN in [row["account"] for row in shared.ctl("account", "list", "enabled=" + word, json=True)])
    shared.ctl("account", "set", LOGIN, "enabled=", "clear-received=")
    assert "yes or no" in shared.ctl("account", "set", LOGIN, "enabled=2", code=1)


def test_P_19_a_domain_that_mail_is_held_for_is_not_removed_by_a_slip(make_postern, sink):  # P-19
    postern = make_postern(sink=sink)
    postern.ctl("domain", "add", "held.example", "customer=acme", "mode=hold")
    postern.send("r@held.example")
    wait_until(lambda: postern.options("domain", "held.example")["held"][0] == 1, "held mail")
    complaint = postern.ctl("domain", "remove", "HELD.example", code=1)
    assert "1 held message for it would be bounced" in complaint and "--yes" in complaint
    assert postern.options("domain", "held.example")["held"][0] == 1
    assert "removed domain" in postern.ctl("domain", "remove", "held.example", "--yes")
    assert "takes no --yes" in postern.ctl("domain", "set", "example.net", "mode=hold", "--yes", code=1)


def test_P_19_targets_of_forwards_stay(shared):  # P-19
    shared.ctl("domain", "add", "boxes.example", "customer=acme", "mode=hosted")
    shared.ctl("domain", "add", "to-box.example", "customer=acme", "mode=forward-mailbox", "forward-to=box@Boxes.example")
    for words in (["remove", "boxes.example"], ["remove", "boxes.example", "--yes"], ["set", "BOXES.example", "mode=hold"]):
        complaint = shared.ctl("domain", *words, code=1)
        assert "to-box.example" in complaint, words
    shared.ctl("domain", "set", "to-box.example", "valid-recipients=yes")
    shared.ctl("domain", "set", "to-box.example", "mode=forward")
    assert "mail of to-box.example is forwarded to it" in shared.ctl("domain", "remove", "boxes.example", code=1)
    shared.ctl("domain", "remove", "boxes.example", "--yes")
    shared.ctl("domain", "set", "to-box.example", "valid-recipients=no")
    shared.ctl("domain", "remove", "to-box.example")
