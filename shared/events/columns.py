"""Events as the columns that profiles are folded from: numbers, and codes that stand for texts."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.events.attributes import regions
from shared.events.channels import channel_code
from shared.events.event import Event
from shared.events.judging import Rules
from shared.events.texts import Texts
from shared.features.attributes import Attributes
from shared.features.codec import category_hash
from shared.features.columns import (
    ARMS,
    CAMPAIGN_EXPOSURE,
    DEVICES,
    EVENT_TYPES,
    MONEY_UNITS,
    NO_ARM,
    OTHER,
    OTHER_DEVICE,
    OWN_TYPES,
    PURCHASE,
    REFUND,
    UNKNOWN_DEVICE,
    EventColumns,
    Rows,
)
from shared.features.ordering import FINGERPRINT_BITS
from shared.identity.keys import customer_key, visitor_key

_KINDS = {name: code for code, name in enumerate(EVENT_TYPES)}
_DEVICE_CODES = {"": UNKNOWN_DEVICE, **{name: code for code, name in enumerate(DEVICES)}}
FINGERPRINT_MASK = (1 << FINGERPRINT_BITS) - 1


def to_columns(
    events: Sequence[Event],
    keys: Sequence[str],
    time_ms: Sequence[int],
    net: Sequence[int],
    known: Sequence[Mapping[str, str]] = (),
    own_types: tuple[str, ...] = (),
) -> EventColumns:
    """Events, with the profile, the time and the worth of each, and what each says of its customer [n each].

    Those without an id have that of no text. `own_types` are told apart as `Rules` has it.
    """
    codes = _kind_codes(own_types)
    kind = np.array([codes.get(event.event_type, OTHER) for event in events], np.uint8)
    discount = np.array([event.discount or 0.0 for event in events])
    engagement = np.array([event.engagement_seconds or 0.0 for event in events])
    names: dict[int, str] = {}
    categories = _Memo(lambda name: add_name(names, name))
    channels = _Memo(channel_code)
    devices = _Memo(_device_code)
    distinct, profile = _positions(keys)
    times = np.array(time_ms, np.int64)
    exposed = kind == CAMPAIGN_EXPOSURE
    exposures = [events[at] for at in np.flatnonzero(exposed).tolist()]
    rows = Rows(
        time_ms=times,
        kind=kind,
        fingerprint=event_fingerprints(Texts.of([event.event_id or "" for event in events])),
        session=text_codes(Texts.of([event.session_id or "" for event in events])),
        order=text_codes(Texts.of([event.order_id or "" for event in events])),
        category=np.array([categories[event.category] for event in events], np.uint32),
        brand=text_codes(Texts.of([event.brand or "" for event in events])),
        net=np.where((kind == PURCHASE) | (kind == REFUND), np.array(net, np.int64), 0),
        discount=np.where(kind == PURCHASE, whole(discount, MONEY_UNITS), 0),
        engagement_ms=whole(engagement, 1_000),
        device=np.array([devices[event.device] for event in events], np.uint8),
        channel=np.array([channels[event.channel] for event in events], np.uint8),
        product=text_codes(Texts.of([event.product_id or "" for event in events])),
        campaign=_of_some(exposed, [categories[event.campaign] for event in exposures], np.uint32),
        arm=_of_some(exposed, [ARMS.index(event.arm) for event in exposures], np.uint8),
    )
    said = regions(profile, times, Texts.of([event.region or "" for event in events]))
    return EventColumns(distinct, profile, rows, names, _with_known(said, profile, times, known))


def concatenated(parts: list[EventColumns]) -> EventColumns:
    """The events of all parts, one part after the other."""
    keys: dict[str, int] = {}
    names: dict[int, str] = {}
    ids: dict[int, str] = {}
    profile = [np.zeros(0, np.int64)]
    places = []
    for part in parts:
        own = np.array([keys.setdefault(key, len(keys)) for key in part.keys], np.int64)
        profile.append(own[part.profile])
        places.append(own)
        for name in part.category_names.values():
            add_name(names, name)
        add_product_ids(ids, part.product_ids)
    rows = Rows.concatenate([part.rows for part in parts])
    attributes = Attributes.united([part.attributes for part in parts], places)
    return EventColumns(list(keys), np.concatenate(profile), rows, names, attributes, ids)


def _of_some(some: NDArray[np.bool_], values: Sequence[int], dtype: type[np.generic]) -> NDArray[Any]:
    """The values where `some` is set, and 0 elsewhere [n]."""
    column = np.zeros(len(some), dtype)
    column[some] = values
    return column


def _with_known(
    regions: Attributes, profile: NDArray[np.int64], time_ms: NDArray[np.int64], known: Sequence[Mapping[str, str]]
) -> Attributes:
    """The `regions` and what else rows say of their customers."""
    entries = [(at, name, value) for at, said in enumerate(known) for name, value in said.items()]
    if not entries:
        return regions
    at, names, values = zip(*entries, strict=True)
    rows = np.array(at)
    rest = Attributes.said(profile[rows], time_ms[rows], names, values)
    both = np.arange(profile.max() + 1)
    return Attributes.united([regions, rest], [both, both])


def _positions(keys: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The different keys in order of first appearance, and which of them each is [n]."""
    position = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return list(position), np.fromiter(map(position.__getitem__, keys), np.int64, len(keys))


@lru_cache(maxsize=16)
def _kind_codes(own_types: tuple[str, ...]) -> Mapping[str, int]:
    return {name: OWN_TYPES + i for i, name in enumerate(own_types)} | _KINDS


def _device_code(device: str) -> int:
    return _DEVICE_CODES.get(device.lower(), OTHER_DEVICE)


class _Memo(dict[str | None, int]):
    """A code for each text, made when the text is first met."""

    def __init__(self, code: Callable[[str], int]) -> None:
        super().__init__()
        self._code = code

    def __missing__(self, text: str | None) -> int:
        code = self[text] = self._code(text or "")
        return code


def text_codes(texts: Texts) -> NDArray[np.uint32]:
    """What stands for sessions, orders, brands or products among their customer's: 32 bits, 0 for none [n]."""
    codes = texts.hashes().astype(np.uint32)
    codes[codes == 0] = 1
    codes[texts.sizes == 0] = 0
    return codes


def product_code(product_id: str) -> int:
    """The value of `Rows.product` for a product's id; 0 for none."""
    return int(text_codes(Texts.of([product_id]))[0])


def product_ids(texts: Texts, rules: Rules) -> dict[int, str]:
    """The products' ids by their codes, where the rules ask for them."""
    ids: dict[int, str] = {}
    if rules.product_ids:
        texts = texts.take(texts.distinct()[0])
        for code, product_id in zip(text_codes(texts).tolist(), texts.tolist(), strict=True):
            add_product_ids(ids, {code: product_id} if code else {})
    return ids


def add_product_ids(ids: dict[int, str], others: Mapping[int, str]) -> None:
    """Lets `ids` know `others` as well; of two ids with one code neither is known, as nobody can tell them apart."""
    for code, product_id in others.items():
        ids[code] = product_id if ids.get(code, product_id) == product_id else ""


def add_name(names: dict[int, str], category: str) -> int:
    """The code of a category or campaign, which `names` then knows; 0 for none. Of two names with one code the smaller
    stands."""
    if not category:
        return 0
    code = category_hash(category)
    names[code] = min(names.get(code, category), category)
    return code


def event_fingerprints(ids: Texts) -> NDArray[np.uint64]:
    """What stands for events among their customer's: 40 bits of the hashes of their ids [n]."""
    return ids.hashes() & np.uint64(FINGERPRINT_MASK)


def profiles_of(people: Texts, visitor: NDArray[np.uint8]) -> tuple[list[str], NDArray[np.int64]]:
    """The keys of customers, and of visitors where `visitor` says so, and which of them each row belongs to."""
    positions, person = people.distinct()
    both = 2 * person + visitor
    used = np.flatnonzero(np.bincount(both, minlength=2 * len(positions)))
    ids = people.take(positions[used // 2]).tolist()
    keys = [(customer_key, visitor_key)[code % 2](id_) for code, id_ in zip(used.tolist(), ids, strict=True)]
    rank = np.zeros(2 * len(positions), np.int64)
    rank[used] = np.arange(len(used))
    return keys, rank[both]


def name_codes(names: dict[int, str], texts: Texts) -> NDArray[np.uint32]:
    """The code of each category or campaign, which `names` then knows [n]."""
    return texts.each(lambda name: add_name(names, name)).astype(np.uint32)


def channel_codes(texts: Texts) -> NDArray[np.uint8]:
    """What stands for the names of channels [n]."""
    return texts.each(channel_code).astype(np.uint8)


def arm_codes(texts: Texts) -> NDArray[np.uint8]:
    """What stands for who was approached and who was held back: NO_ARM for all other words [n]."""
    return texts.each(lambda name: ARMS.index(name) if name in ARMS else NO_ARM).astype(np.uint8)


def device_codes(texts: Texts) -> NDArray[np.uint8]:
    """What stands for the names of devices [n]."""
    return texts.each(_device_code).astype(np.uint8)


def kinds(texts: Texts, own_types: tuple[str, ...] = ()) -> NDArray[np.uint8]:
    """What stands for the names of event types, of which `own_types` are told apart [n]."""
    codes = _kind_codes(own_types)
    return texts.each(lambda name: codes.get(name, OTHER)).astype(np.uint8)


def whole(amounts: NDArray[np.float64], units: int) -> NDArray[np.int64]:
    """Amounts in whole parts, of which `units` are one [n]."""
    return np.rint(amounts * units).astype(np.int64)
