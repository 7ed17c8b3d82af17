"""posternctl export and import."""
import random

import pytest

from postern import LOGIN, PASSWORD

FILE = """# accounts stand first, on purpose
[account new@shop.example]
password = %s
reason   = "late  #3"
enabled  = no
[domain shop.example]
customer = shop
mode = outbound-only
[customer shop]
level = standard    # a comment
primary = it@shop.example
"""


@pytest.fixture
def hashed(postern):
    return next(line.partition(" = ")[2] for line in postern.ctl("export").splitlines() if line.startswith("password"))


def imported(postern, text, *words, code=0):
    path = postern.place / "customers.ini"
    path.write_text(text)
    return postern.ctl("import", path, *words, code=code)


def test_what_was_exported_makes_another_directory(postern, make_postern, sink):
    postern.ctl("customer", "set", "acme", "primary=it@acme.example")
    postern.ctl("account", "disable", LOGIN, 'reason="quoted" and #1 # 2')
    postern.add_account("@example.net", "secret")
    text = postern.ctl("export")
    assert text.index("[customer acme]") < text.index("[domain example.net]") < text.index("[account @example.net]")
    assert PASSWORD not in text and "password = $y$" in text
    other = make_postern(sink=sink, with_account=False)
    assert other.ctl("export") == ""
    assert "4 added, 0 changed" in imported(other, text)
    assert other.ctl("export") == text
    assert "0 added, 0 changed, 4 were so already" in imported(other, text)
    with other.session("@example.net", "secret") as dialog:
        dialog.mail("any@example.net")
    with other.smtp() as dialog:
        dialog.hello()
        assert '"quoted" and #1 # 2' in dialog.auth()


def test_dry_run_says_what_would_be_done_and_does_nothing(postern, hashed):
    before = postern.ctl("export")
    text = FILE % hashed + "[customer acme]\nalert = noc@acme.example\n"
    answer = imported(postern, text, "--dry-run")
    assert "3 would be added, 1 changed" in answer and "nothing was written" in answer
    assert [line.split()[:3] for line in answer.splitlines()[1:5]] == [
        ["add", "customer", "shop"], ["change", "customer", "acme"], ["add", "domain", "shop.example"],
        ["add", "account", "new@shop.example"]]
    assert postern.ctl("export") == before
    assert "3 added, 1 changed" in imported(postern, text)
    assert postern.options("account", "new@shop.example")["customer"] == ("shop", "account")
    assert postern.options("account", "new@shop.example")["reason"][0] == "late  #3"
    assert postern.options("customer", "acme")["alert"][0] == "noc@acme.example"


def test_dry_run_may_stand_anywhere_and_the_file_may_be_stdin(postern, hashed):
    before = postern.ctl("export")
    assert "3 would be added" in postern.ctl("import", "--dry-run", "-", input=FILE % hashed)
    assert postern.ctl("export") == before


def test_what_is_not_named_stays_and_an_empty_value_unsets(postern):
    postern.ctl("customer", "set", "acme", "primary=it@acme.example", "alert=noc@acme.example")
    assert "1 changed" in imported(postern, '[customer acme]\nalert = ""\npostmaster = pm@acme.example\n')
    options = postern.options("customer", "acme")
    assert "alert" not in options and options["primary"][0] == "it@acme.example" and options["postmaster"][0] == "pm@acme.example"


def test_every_mistake_is_named_with_its_line_and_nothing_is_written(postern, hashed):
    before = postern.ctl("export")
    text = FILE % hashed + """[customer bad name]
[customer fine]
prmary = x@example.org
primary = nobody
[thing x]
[domain fine.example]
customer = missing
mode = outbound-only
[account plain@shop.example]
password = plaintext
[account without@shop.example]
[account x@nowhere.example]
password = %s
no equals sign
[domain second.example]
customer = fine
mode = nonsense
""" % hashed
    errors = imported(postern, text, code=1)
    named = [line.partition("customers.ini:")[2] for line in errors.splitlines() if "customers.ini" in line]
    lines = dict(line.partition(": ")[::2] for line in named)
    assert list(lines) == sorted(lines)
    first = FILE.count("\n")
    for number, complaint in ((1, "cannot name a customer"), (3, 'did you mean "primary"'), (5, "none of"), (6, "no customer"),
                              (9, "not a crypt(3) hash"), (11, "no password"), (12, "no domain"), (14, "key = value"),
                              (15, "is none of: redirect")):
        assert complaint in lines.pop(str(first + number)), errors
    assert not lines, lines
    assert "9 mistakes; nothing was written" in errors
    assert postern.ctl("export") == before


def test_a_mistake_of_one_entry_shows_in_those_that_need_it(postern):
    errors = imported(postern, "[domain x.example]\ncustomer = new\nmode = hold\n[customer new]\nprimary = nobody\n", code=1)
    assert "customers.ini:1" in errors and "customers.ini:4" in errors


def test_an_empty_file_is_none(postern):
    assert "something in it" in imported(postern, "", code=1)
    assert "No such file" in postern.ctl("import", postern.place / "nowhere", code=1)


def test_P_18_entries_may_refer_to_later_ones(make_postern, sink):
    """P-18 a domain forwards into one that stands behind it: the export makes the same directory, in any order."""
    postern = make_postern(sink=sink)
    postern.ctl("domain", "add", "zz.example", "customer=acme", "mode=hosted")
    postern.ctl("domain", "add", "aa.example", "customer=acme", "mode=forward-mailbox", "forward-to=box@zz.example")
    postern.ctl("recipient", "add", "r@zz.example")
    text = postern.ctl("export")
    sections = ["[" + part for part in text.split("[")[1:]]
    seen = random.Random(13)
    for n in range(4):
        other = make_postern(sink=sink, with_account=False)
        if n:
            seen.shuffle(sections)
        assert "%d would be added" % len(sections) in imported(other, "".join(sections), "--dry-run")
        assert "%d added, 0 changed" % len(sections) in imported(other, "".join(sections))
        assert other.ctl("export") == text
        assert "%d were so already" % len(sections) in imported(other, "".join(sections))


def test_P_18_all_entries_change_hands_in_one_import(postern):
    """P-18 P-13 each of the two domains is right only when the other one was written."""
    postern.ctl("domain", "add", "zz.example", "customer=acme", "mode=hosted")
    postern.ctl("domain", "add", "aa.example", "customer=acme", "mode=forward-mailbox", "forward-to=box@zz.example")
    text = "[domain aa.example]\ncustomer = New\n[domain zz.example]\ncustomer = NEW\n[customer new]\n"
    assert "1 added, 2 changed" in imported(postern, text)
    assert {row["domain"] for row in postern.ctl("domain", "list", "customer=new", json=True)} == {"aa.example", "zz.example"}


def test_P_18_a_reference_to_nothing_is_a_mistake(postern):
    """P-18 with every line, and nothing is written."""
    before = postern.ctl("export")
    errors = imported(postern, "[domain aa.example]\ncustomer = acme\nmode = forward-mailbox\nforward-to = box@zz.example\n"
                               "[domain zz.example]\ncustomer = acme\nmode = hold\n", code=1)
    assert "customers.ini:1" in errors and "zz.example is no hosted domain" in errors and "1 mistake;" in errors
    assert postern.ctl("export") == before


@pytest.mark.parametrize("value", ["x" * 201, "x" * 1000, "tab\\there\x01"])
def test_P_15_import_checks_reasons(postern, value):
    """P-15"""
    before = postern.ctl("export")
    errors = imported(postern, "[account %s]\nreason = %s\n" % (LOGIN, value), code=1)
    assert "customers.ini:2" in errors and ("at most 200" in errors or "control character" in errors)
    assert postern.ctl("export") == before


@pytest.mark.parametrize("change", ["mode = hold", "customer = new"])
def test_P_19_import_leaves_no_forward_without_its_mailbox(postern, change):
    """P-19 a domain that another one forwards into stays hosted, and of the same customer, unless that one changes in the same import."""
    postern.ctl("domain", "add", "zz.example", "customer=acme", "mode=hosted")
    postern.ctl("domain", "add", "aa.example", "customer=acme", "mode=forward-mailbox", "forward-to=box@zz.example")
    before = postern.ctl("export")
    text = "[customer new]\n[domain zz.example]\n%s\n" % change
    for words in ((), ("--dry-run",)):
        errors = imported(postern, text, *words, code=1)
        assert "customers.ini:2" in errors and "aa.example" in errors and "1 mistake; nothing was written" in errors
        assert postern.ctl("export") == before
    assert "1 added, 2 changed" in imported(postern, text + "[domain aa.example]\nmode = hold\n")
    assert postern.options("domain", "aa.example")["mode"][0] == "hold"


def test_P_19_forwards_and_mailboxes_change_places_in_one_import(postern):
    """P-18 P-19 the domain that was forwarded into forwards into the other one, whichever comes first."""
    postern.ctl("domain", "add", "zz.example", "customer=acme", "mode=hosted")
    postern.ctl("domain", "add", "aa.example", "customer=acme", "mode=forward-mailbox", "forward-to=box@zz.example")
    first = "[domain zz.example]\nmode = forward-mailbox\nforward-to = box@aa.example\n[domain aa.example]\nmode = hosted\n"
    assert "0 added, 2 changed" in imported(postern, first)
    assert postern.options("domain", "zz.example")["mode"][0] == "forward-mailbox"
    assert postern.options("domain", "aa.example")["mode"][0] == "hosted"
