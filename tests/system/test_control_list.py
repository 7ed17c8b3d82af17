"""posternctl: lists with filters and columns; and no word is passed over by any command."""
import pytest

from postern import LOGIN, ControlError


@pytest.fixture(scope="module")
def filled(request, tmp_path_factory):
    from postern import Postern
    postern = Postern(tmp_path_factory.mktemp("list") / "postern",
                      {"server": {"plugins": "auth sender-rules limits"}, "level big": {}, "level small": {}})
    postern.ctl("customer", "set", "acme", "level=big")
    postern.ctl("customer", "add", "other", "level=small", "primary=boss@other.example")
    postern.ctl("domain", "add", "other.example", "customer=other", "mode=redirect", "destination=mx.other.example")
    postern.ctl("domain", "add", "third.example", "customer=other", "mode=outbound-only")
    postern.add_account("a@other.example", "secret-of-a")
    postern.add_account("b@third.example", "secret-of-b", "sender-rules.identities=yes")
    postern.ctl("account", "disable", "b@third.example")
    yield postern
    postern.stop()


def names(postern, kind, *words):
    return {row[kind] for row in postern.ctl(kind, "list", *words, json=True)}


@pytest.mark.parametrize("kind, words, expected", [
    ("account", [], {LOGIN, "a@other.example", "b@third.example"}),
    ("account", ["customer=other"], {"a@other.example", "b@third.example"}),
    ("account", ["customer=OTHER", "enabled=yes"], {"a@other.example"}),
    ("account", ["domain=third.example"], {"b@third.example"}),
    ("account", ["level=small"], {"a@other.example", "b@third.example"}),
    ("account", ["enabled=no"], {"b@third.example"}),
    ("account", ["type=single", "customer=nobody"], set()),
    ("account", ["identities=yes"], {"b@third.example"}),
    ("account", ["sender-rules.identities=no"], {LOGIN, "a@other.example"}),
    ("domain", ["mode=redirect"], {"other.example"}),
    ("domain", ["customer=other", "mode=outbound-only"], {"third.example"}),
    ("domain", ["level=big"], {"example.net"}),
    ("customer", ["level=small"], {"other"}),
    ("customer", ["primary=boss@other.example"], {"other"}),
])
def test_filters(filled, kind, words, expected):
    assert names(filled, kind, *words) == expected


@pytest.mark.parametrize("kind, words, expected", [
    ("domain", ["port=0025"], {"third.example"}),
    ("account", ["limits.bytes=1G/24h"], {"b@third.example"}),
    ("account", ["limits.bytes=1048576K/1d"], {"b@third.example"}),
    ("account", ["limits.messages=10/60m"], {"b@third.example"}),
    ("account", ["enabled=TRUE", "customer=other"], {"a@other.example"}),
    ("account", ["identities=On"], {"b@third.example"}),
    ("customer", ["outbound=1"], {"acme", "other"}),
    ("customer", ["outbound=0"], set()),
    ("account", ["clear-received=off", "customer=acme"], {LOGIN}),
    ("domain", ["valid-recipients=no", "customer=acme"], {"example.net"}),
    ("account", ["on-refusal=automatic", "customer=acme"], {LOGIN}),
])
def test_P_21_filters_compare_values(filled, kind, words, expected):
    """P-21 one value in several forms, and what holds where nothing is set, as `show` has it."""
    filled.ctl("domain", "set", "third.example", "port=25")
    filled.ctl("account", "set", "b@third.example", "limits.bytes=1024M/1d", "limits.messages=10/1h")
    assert names(filled, kind, *words) == expected


@pytest.mark.parametrize("words, complaint", [
    (["account", "list", "enabled=maybe"], 'enabled: "maybe"'), (["account", "list", "identities=maybe"], 'identities: "maybe"'),
    (["domain", "list", "mode=redirected"], 'mode: "redirected"'), (["account", "list", "type=many"], 'type: "many"'),
    (["domain", "list", "port=smtp"], "port"), (["account", "list", "limits.messages=many"], "limits.messages"),
    (["domain", "list", "on-missing-host=drop"], "defer, bounce"), (["account", "list", "on-refusal=x"], "automatic"),
])
def test_P_21_filters_that_nothing_can_match(filled, words, complaint):
    """P-21 a value that the option cannot have is a mistake, not an empty list."""
    assert complaint in filled.ctl(*words, code=1)


def test_a_kind_has_its_article(filled):
    assert 'an account has no option "custmer"' in filled.ctl("account", "list", "custmer=x", code=1)
    assert "there is an account %s already" % LOGIN in filled.ctl(
        "account", "add", LOGIN, "--password-file", "-", input="secret of nobody\n", code=1)


def test_columns(filled):
    rows = filled.ctl("account", "list", "customer=other", "columns=enabled,level,identities,domain", json=True)
    assert rows == [
        {"account": "a@other.example", "enabled": True, "level": "small", "sender-rules.identities": False, "domain": "other.example"},
        {"account": "b@third.example", "enabled": False, "level": "small", "sender-rules.identities": True, "domain": "third.example"}]


@pytest.mark.parametrize("words", [
    ["account", "list", "x"], ["account", "list", "custmer=x"], ["account", "list", "columns=nosuch"], ["domain", "list", "mode"],
    ["account", "show", LOGIN, "x"], ["account", "remove", LOGIN, "x"], ["customer", "remove", "acme", "x"],
    ["account", "passwd", LOGIN, "x"], ["account", "disable", LOGIN, "x"], ["account", "enable", LOGIN, "reason=x"],
    ["account", "set", LOGIN, "x"], ["status", "x"], ["reload", "x"], ["plugins", "x"], ["hooks", "x"], ["metrics", "x"],
    ["listeners", "x"], ["doctor", "x"], ["export", "x"], ["clients", "192.0.2.1", "x"], ["clients", "x"], ["block", "list", "x"],
    ["block", "show", "192.0.2.1", "x"], ["block", "lift", "192.0.2.1", "x"], ["block", "add", "192.0.2.1", "x"],
    ["queue", "list", "x"], ["queue", "x"], ["spool", "x"], ["why"], ["why", "a", "b"], ["usage", "acme", "x"], ["usage"],
    ["recipient", "show", "r@example.net", "x"], ["recipient", "remove", "r@example.net", "x"], ["queue", "show", "0", "x"],
    ["queue", "cat", "0", "x"], ["limits", "x"], ["limits", "usage", "acme", "x"], ["stop", "x"], ["help", "x"], ["nosuch"], ["import", "-", "x"],
])
def test_no_word_is_passed_over(filled, words):
    with pytest.raises(ControlError, match="ended with 1"):
        filled.ctl(*words, *(["--password-file", "-"] if "passwd" in words else []), input="secret of nobody\n")
    assert names(filled, "account") == {LOGIN, "a@other.example", "b@third.example"}
    filled.ctl("status")


def test_alarms_take_no_word(filled):
    assert b"takes no" in filled.ask("alarms", "x").stderr


def test_short_list_of_recipients(filled):
    filled.ctl("domain", "set", "other.example", "valid-recipients=yes")
    filled.ctl("recipient", "add", "r@other.example")
    for words in (["other.example"], ["Other.Example"], ["domain=other.example"], []):
        assert names(filled, "recipient", *words) == {"r@other.example"}
    assert names(filled, "recipient", "third.example") == set()
