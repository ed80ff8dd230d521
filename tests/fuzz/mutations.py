"""What a damaged or hostile input is made of: a good one, and a few changes that a seed decides on."""

from collections.abc import Callable, Sequence
from random import Random

LONGEST = 2**18
"""Bytes of an input."""
TOKENS = (
    *(b"", b"\x00", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\xed\xa0\x80", b"\xef\xbf\xbf"),
    *(b'"', b'""', b"\\", b"\\ud800", b"\\u0000", b",", b";", b":", b"{", b"}", b"[", b"]", b"{}", b"[]", b"null"),
    *(b"true", b"-1", b"0", b"1e999", b"-0.0", b"NaN", b"Infinity", b"9" * 400, b"1" * 19, b"1e18", b"253402300800000"),
    *(
        b'{"a":' * 300,
        b"[" * 2_000,
        b"x" * 200_000,
        b'"' + b"x" * 2_000 + b'"',
        b"," * 3_000,
        b"9999-12-31",
        b"1600-01-01",
    ),
    *(b"event_type", b"timestamp", b"customer_id", b"userId", b"properties", b"products", b"event_params", b"items"),
    *(
        b'"event_type":"x",',
        b'"timestamp":1,',
        b'{"segments":[]}',
        b"PAR1",
        b"\x1f\x8b\x08",
        b"\x80\x80\x80\x80\x80\x01",
    ),
)


def mutated(random: Random, bases: Sequence[bytes]) -> bytes:
    """One of the bases after one to four changes."""
    content = random.choice(bases)
    for _ in range(random.choice((1, 1, 2, 4))):
        content = random.choice(_CHANGES)(random, content, bases)[:LONGEST]
    return content


def _place(random: Random, content: bytes) -> int:
    # What formats say of themselves stands at their beginnings and ends.
    near = random.randrange(64)
    return random.choice((min(near, len(content)), max(0, len(content) - near), random.randrange(len(content) + 1)))


def _flipped(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(content)
    for _i in range(random.choice((1, 1, 8)) if content else 0):
        changed[_place(random, content[:-1])] ^= 1 << random.randrange(8)
    return bytes(changed)


def _overwritten(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(random, content)
    bytes_new = random.randbytes(random.choice((1, 4, 32)))
    return content[:at] + bytes_new + content[at + len(bytes_new) :]


def _cut(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(random, content)
    return random.choice((content[:at], content[at:], content[:at] + content[at + random.randrange(64) :]))


def _spliced(random: Random, content: bytes, bases: Sequence[bytes]) -> bytes:
    other = random.choice(bases)
    return content[: _place(random, content)] + other[_place(random, other) :]


def _repeated(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(random, content)
    block = content[at : at + random.choice((1, 16, 256))]
    return content[:at] + block * random.choice((2, 50, 1_000)) + content[at:]


def _inserted(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(random, content)
    return content[:at] + random.choice(TOKENS) + content[at + random.choice((0, 0, 1, 8)) :]


def _encoded_anew(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    text = content.decode(errors="replace")
    return text.encode(random.choice(("latin-1", "utf-16", "utf-8-sig", "utf-7")), errors="replace")


def _replaced(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """One field's value, or name, by a token, wherever it stands."""
    parts = content.split(b'"')
    parts[random.randrange(len(parts))] = random.choice(TOKENS)
    return b'"'.join(parts)


_CHANGES: tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flipped, _flipped, _overwritten, _cut, _spliced, _repeated, _inserted, _inserted, _encoded_anew, _replaced),
)
