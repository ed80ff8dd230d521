"""Lines of event files that are right, and all ways known to us in which they are odd or wrong."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.support.examples import sampled

_LONG = "x" * 129
VALUES: dict[str, list[str]] = {
    "event_id": ["e1", "e2", "", "ü", "a/b", 'x"y', "a\\", "😀", "\x00", _LONG, "ü" * 100, "e\n", "e\tx"],
    "event_type": ["purchase", "page_view", "refund", "odd", "campaign_exposure", "", _LONG],
    "timestamp": [
        *("2017-10-01", "2017-10-01T10:00:00Z", "2017-10-01 10:00:00", "2017-10-01T10:00:00.123Z", "20171001"),
        *("2017-10-01T10:00:00.123456+02:00", "2016-02-29T23:59:59-00:30", "1506852000", "1506852000123"),
        *("2017-02-29", "2017-10-01T24:00:00Z", "1969-12-31T23:00:00-02:00", "0000-01-01", "soon", "9999-12-31"),
        *("2017-10-01T10:00:60Z", "2017-10-01T10:00:00,123Z", "2017-10-01T10:00:00z", "999999999999999", "2017-W40"),
        *("2017-10-01T10:00", "1970-01-01T00:00:00+00:01", "2017-10-01T10:00:00.1234567Z", "2017-10-01x10:00:00"),
        *("\u0662017-10-01", "2017-10-01T10:00:00+24:00", "2017-10-01T10:00:00+23:60", "1506852000.5", " 2017-10-01"),
    ],
    "customer_id": ["c1", "c2", "889", "", "a b", "😀", _LONG],
    "anonymous_id": ["", "v", "889"],
    "session_id": ["s", "", "x" * 1_025],
    "order_id": ["o", ""],
    "category": ["Hats", "Hüte, Mützen", "", 'a "b"', "},{", "a\nb", "a\rb", '"', "x\r", " ", "x" * 1_025, "/"],
    "currency": ["USD", "EUR", "usd", "", "USD\n"],
    "device": ["mobile", "MOBILE", "fridge", ""],
    "channel": ["email", "Paid Social", ""],
    "campaign": ["spring", "", "x" * 129, "ü" * 70],
    "arm": ["treatment", "control", "none", "", "both"],
    "region": ["DE", "", "x" * 300, '"', "ü"],
    "product_id": ["p1", ""],
    "attributes": ["", '{"tier":"gold"}', "gold", "{}"],
    "consent": ["", "true", "false", "1", "yes"],
    "größe": ["x", "", "é"],
}
"""Texts by field, the usual one first."""
NUMBERS: dict[str, list[str]] = {
    "timestamp": ["1506852000", "1506852000123", "1506852000.5", "20171001", "-5", "1e12", "1e400", "253402300800000"],
    "price": [
        *("1", "1.5", "0", "-0", "-0.0", "-1", "1e9", "1e10", "0.1", "0.30000000000000004", "1E2", "1e-400", "1e999"),
        *("NaN", "Infinity", "01", "1.", ".5", "9007199254740993", "1" * 21, "1_0", "0.00005", "2.67495", "1" * 400),
        *(" 1", "1 ", "+1", "nan", "inf", "\u0663", "0x1", ""),
    ],
    "quantity": ["1", "2.0", "0", "-1", "1e6", "1000001", "0.5", "3e-1"],
    "attributes": ["null", '{"tier":"gold","born":1987}', "{}", "[]", '{"a":[]}'],
    "campaign": ["7", "null"],
    "arm": ["1", "true"],
    "discount": ["0", "0.5", "1e9", "1000000000.1"],
    "engagement_seconds": ["5", "0.0005", "1e9"],
    "extra": [
        *(
            "1",
            "true",
            "null",
            "[1,2]",
            '[1,{"a":2}]',
            "{}",
            '{"price":3}',
            '{"a":[1,"x"],"b":null}',
            "[[[]]]",
            "[1,2,]",
        ),
        *("nul", "12345678901234567890123", '{"a":1,"a":2}', "-", "1e", '{"":1}', "NaN", "{" * 9, "[" * 2_000),
    ],
}
"""What stands without quotes in JSON, by field, the usual one first."""
_ESCAPES = {
    "/": "\\/",
    "ü": "\\u00fc",
    "😀": "\\ud83d\\ude00",
    "a": "\\u0061",
    "x": "\\x",
    "o": "\\ud800",
    "e": "\\u00E9",
}
_BYTES = (b"", b"\x00", b"\xff", b'"', b"\\", b",", b"\r", b"\t", b" ", b"{", b"}", b"\xef\xbb\xbf", b"\xc3", b"\x7f")
_ALWAYS = {"event_id", "event_type", "timestamp", "customer_id"}


@cache
def _mostly(values: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.just(values[0]) | st.just(values[0]) | st.just(values[0]) | st.sampled_from(values)


def _columns(names: Any) -> st.SearchStrategy[list[str]]:
    optional = st.lists(st.sampled_from(sorted(set(names) - _ALWAYS)), unique=True)
    return optional.map(lambda further: [*sorted(_ALWAYS), *further])


@st.composite
def _damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """The line as it is, or with a few bytes that are not its own."""
    if draw(st.integers(0, 9)):
        return line
    at = draw(st.integers(0, len(line)))
    return line[:at] + draw(sampled(_BYTES)) + line[at + draw(st.integers(0, 1)) :]


def _file(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    ending = draw(sampled((b"\n", b"\n", b"\r\n")))
    mark = draw(sampled((b"", b"", b"\xef\xbb\xbf")))
    return mark + ending.join(lines) + draw(sampled((b"", b"\n")))


def _json_text(draw: st.DrawFn, text: str) -> str:
    written = text.replace("\\", "\\\\").replace('"', '\\"')
    if draw(st.integers(0, 5)) == 0:
        written = "".join(_ESCAPES.get(character, character) for character in written)
    return f'"{written}"'


def _json_value(draw: st.DrawFn, name: str) -> str:
    if draw(st.integers(0, 15)) == 0:
        return draw(sampled(("null", "7", "true", "{}", '["a"]', '"9.99"', '""')))
    if name in NUMBERS and (name not in VALUES or draw(st.booleans())):
        return draw(_mostly(tuple(NUMBERS[name])))
    text = draw(_mostly(tuple(VALUES[name])))
    return "null" if not text and draw(st.booleans()) else _json_text(draw, text)


@st.composite
def ndjson_files(draw: st.DrawFn) -> bytes:
    """Lines of JSON, many of them with the same names in the same order."""
    names = draw(_columns({**VALUES, **NUMBERS}))
    comma, colon = draw(sampled(((",", ":"), (", ", ": "))))
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        own = draw(st.sampled_from((names, names, names, names[1:], names[::-1], [*names, names[0]])))
        line = "{" + comma.join(f'"{name}"{colon}{_json_value(draw, name)}' for name in own) + "}"
        ending = draw(sampled(("", "", "", " ", ",", "x", "\r")))
        lines.append(draw(_damaged((line + ending).encode())))
    return _file(draw, lines)


def _csv_value(draw: st.DrawFn, text: str, quoting: int) -> str:
    odd = any(mark in text for mark in ',"\r\n')
    if quoting == 2 or (quoting == 1 and draw(st.booleans())) or (odd and draw(st.integers(0, 9))):
        return '"' + text.replace('"', '""') + '"'
    return text


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    """Records of CSV, with quotes around no, some or all values."""
    texts = {name: (*VALUES.get(name, []), *NUMBERS.get(name, [])) for name in {**VALUES, **NUMBERS}}
    names = draw(_columns(texts))
    quoting = draw(st.integers(0, 2))
    rows = [names] + [[draw(_mostly(texts[name])) for name in names] for _ in range(draw(st.integers(1, 12)))]
    lines = [",".join(_csv_value(draw, value, quoting) for value in row).encode() for row in rows]
    ragged = [line + draw(sampled((b"",) * 9 + (b",", b"\r", b",x,y"))) for line in lines[1:]]
    blank = draw(st.sampled_from(([], [], [b""], [b" "], [b"\r"])))
    return _file(draw, [lines[0], *[draw(_damaged(line)) for line in ragged], *blank])
