import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.destinations.contract import Rate
from shared.destinations.destination_file import MOST_BYTES, NAME, InvalidDestination, read_destination

HUBSPOT = b"""
vendor = "hubspot"
identify = {email = "attributes.email"}
[fields]
tessera_segment = "segment.name"
tessera_churn = "predictions.churn_probability"
in_win_back = "audience.win_back"
"""


def test_a_destination_says_what_leaves_and_nothing_else() -> None:
    read = read_destination(HUBSPOT)
    assert read.identify_by == "email"
    assert [*read.sources] == ["email", "tessera_segment", "tessera_churn", "in_win_back"]
    assert read.all_options == {"base_url": "https://api.hubapi.com"}
    assert read.rates == (Rate(190, 10),)
    assert read_destination(HUBSPOT + b"[rate]\ncalls = 100\nseconds = 10\n").rates == (Rate(100, 10.0),)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ('vendor = "hubspott"', "did you mean hubspot"),
        ('identify = {email = "attributes."}', "'attributes.', which is none of"),
        ('identify = {email = "segment.nam"}', "did you mean segment.name"),
        ('options = {list = "x"}', "has no option 'list'"),
        ('base_url = "http://127.0.0.1:80"', "has to begin with https://"),
        ('base_url = "https://user:x@host.example"', "neither a password"),
        ('base_url = "https://host.example/ x"', "anything but ASCII"),
        ('base_url = "https://[x"', "is no address"),
        ("unknown = 1", "unknown field"),
        ("fields = {email = 'intent'}", "cannot be a field too"),
        ("rate = {calls = 0, seconds = 1}", ">= 1"),
        ("identify = {}", "length >= 1"),
    ],
)
def test_what_is_wrong_is_said_with_what_was_meant(change: str, says: str) -> None:
    lines = {"vendor": 'vendor = "hubspot"', "identify": 'identify = {email = "attributes.email"}'}
    lines[change.partition(" ")[0]] = change
    with pytest.raises(InvalidDestination) as refusal:
        read_destination("\n".join(lines.values()).encode())
    assert says in str(refusal.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidDestination) as refusal:
        read_destination(b'vendor = "klaviyo"\nidentify = {mail = "x"}\noptions = {lst = "a"}\nbase_url = "ftp://x"')
    for part in ("knows customers by external_id or email", "'x'", "did you mean list", "https://"):
        assert part in str(refusal.value)


def test_a_machine_of_ones_own_may_be_called_without_tls_and_no_other() -> None:
    at_home = b'vendor = "webhook"\nidentify = {id = "customer_id"}\nbase_url = "http://127.0.0.1:8000/x"'
    assert read_destination(at_home, is_local=True).base_url == "http://127.0.0.1:8000/x"
    for host in (b"169.254.169.254:80", b"127.0.0.1.example:80", b"example.com:80"):
        with pytest.raises(InvalidDestination):
            read_destination(at_home.replace(b"127.0.0.1:8000", host), is_local=True)
    with pytest.raises(InvalidDestination, match="only you know"):
        read_destination(b'vendor = "webhook"\nidentify = {id = "customer_id"}')


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_the_bytes_are_they_are_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(InvalidDestination):
        read_destination(body)
    with pytest.raises(InvalidDestination, match="at most"):
        read_destination(body + b" " * (MOST_BYTES + 1))


def test_a_name_is_short_and_plain() -> None:
    assert all(NAME.fullmatch(name) for name in ("hubspot", "crm2", "a_b"))
    assert not any(NAME.fullmatch(name) for name in ("", "Hub", "2a", "a-b", "a/b", "a" * 31, "ä"))
