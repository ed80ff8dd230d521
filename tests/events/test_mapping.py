"""Mappings as people write them: whatever is wrong is said, all at once."""

import pytest

from shared.events.mapping import InvalidMapping, read_mapping

GOOD = b'columns = {timestamp = "a", customer_id = "b"}\nconstants = {event_type = "c"}\n'


def test_all_that_is_wrong_with_a_mapping_is_said_at_once() -> None:
    document = """
        cents = ["region"]
        millionths = ["brand"]
        columns = {custmer_id = "a", price = "b"}
        times = {zone = "Mars/Olympus"}
    """
    with pytest.raises(InvalidMapping) as refusal:
        read_mapping(document.encode())
    assert str(refusal.value).split("; ") == [
        '"custmer_id" is no field of events',
        'did you mean "customer_id"?',
        "nothing says event_type",
        "nothing says timestamp",
        "nothing says customer_id or anonymous_id",
        'cents names "region", which is no amount',
        'millionths names "brand", which is no amount',
        'there is no time zone "Mars/Olympus"',
        "write one such as Europe/Berlin",
    ]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"columns = [", "not valid TOML"),
        (b"\xff", "TOML in UTF-8"),
        (b"x" * 100_001, "at most 100,000 bytes"),
        (b'columns = {}\ncolumms = "a"', 'no option "columms"; did you mean "columns"?'),
        (b"columns = {timestamp = []}", "length >= 1"),
        (b"a = " + b"[" * 9_000, "not valid TOML"),
        (GOOD + b'times = {formats = ["%d%d"]}', '"%d%d" is no format of times'),
        (GOOD + b'times = {formats = ["%Q"]}', '"%Q" is no format of times'),
        (GOOD + b'times = {formats = ["%d.%m. %H:%M"]}', "with their year, month and day"),
        (GOOD + b'optional = ["prise"]', 'optional names "prise", which is no field'),
        (GOOD + b'lists = {a = ", "}', "what parts the entries of lists is one character"),
        (
            GOOD.replace(b'"b"', b'"b", price = "c[].d", quantity = "e[].f"'),
            r"lead into several lists, c and e; give each an entry in events",
        ),
        (b"format = 2\ncolumns = {}", "Invalid enum value 2"),
    ],
)
def test_what_is_no_mapping_is_refused_in_words(document: bytes, reason: str) -> None:
    with pytest.raises(InvalidMapping, match=reason.replace("?", r"\?")):
        read_mapping(document)
