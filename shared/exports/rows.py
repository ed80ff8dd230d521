"""Rows of the tables that profiles become: columns by name, as NumPy arrays.

Texts are objects, None where there is none; lists of texts are JSON, bytes base64. All else are floats, NaN for NULL:
times are UTC milliseconds, amounts whole ten-thousandths of the currency.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.decisions.decision import Decision
from shared.features import FEATURE_NAMES, PURCHASE, REFUND, Profiles, encode, features, until
from shared.features import Rows as EventRows
from shared.features.columns import ARMS, CAMPAIGN_EXPOSURE, NO_ARM
from shared.features.history import IN_VISIT
from shared.features.time_zone import TimeZone
from shared.identity.keys import customer_id
from shared.models.manifests import TARGETS
from shared.recommending.lists import LISTS
from shared.recommending.recommender import Recommender
from shared.recommending.recommending import recommended_ids, segment_in

type Rows = Mapping[str, NDArray[Any]]
"""Of one table, all columns of one length."""
type Names = Callable[[str, int], str | None]
"""What a bundle, by its id, calls a segment."""


def texts(values: Iterable[str | None]) -> NDArray[np.object_]:
    """A column of texts."""
    listed = list(values)
    column = np.empty(len(listed), object)
    column[:] = listed
    return column


def numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    """A column of numbers, flags or times."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def lists(values: Iterable[Sequence[str] | None]) -> NDArray[np.object_]:
    """A column of lists of texts."""
    return texts(None if value is None else json.dumps(value) for value in values)


def blobs(values: Iterable[bytes | None]) -> NDArray[np.object_]:
    """A column of bytes."""
    return texts(None if value is None else b64encode(value).decode() for value in values)


def customers(
    keys: Sequence[str],
    decisions: Sequence[Decision | None],
    known: Profiles,
    names: Names,
    as_of_ms: int,
    zone: TimeZone,
) -> Rows:
    """Of each customer a row [n], who need not be in the histories `known`, of which all is before `as_of_ms`."""
    position = {key: i for i, key in enumerate(known.keys)}
    at = np.array([position.get(key, len(known)) for key in keys], np.intp)
    some = known.event_counts > 0
    first, last = np.full((2, len(known)), np.nan)
    first[some] = known.rows.time_ms[known.starts[:-1][some]]
    last[some] = known.rows.time_ms[known.starts[1:][some] - 1]
    matrix = features(known, as_of_ms, zone)

    def of(column: NDArray[Any], absent: float = np.nan) -> NDArray[Any]:
        return np.append(column, column.dtype.type(absent))[at]

    return {
        "customer_id": texts(map(customer_id, keys)),
        "snapshot_at": np.full(len(keys), float(as_of_ms)),
        "events": of(known.event_counts.astype(float), 0),
        "first_event_at": of(first),
        "last_event_at": of(last),
        "attributes": texts([*_attributes(known), None])[at],
        **_decided(decisions, names),
        **{name: of(matrix[:, j]) for j, name in enumerate(FEATURE_NAMES)},
    }


def recommended(
    keys: Sequence[str],
    decisions: Sequence[Decision | None],
    known: Profiles,
    as_of_ms: int,
    recommender: Recommender | None,
) -> Rows:
    """What is recommended to customers, who need not be in the histories `known`, as of an instant [n]."""
    if recommender is None:
        return {name: lists([None] * len(keys)) for name in LISTS}
    position = {key: i for i, key in enumerate(known.keys)}
    by_customer: list[dict[str, tuple[str, ...]]] = []
    for key, decision in zip(keys, decisions, strict=True):
        at = position.get(key)
        events = known.rows_of(at) if at is not None else EventRows.empty()
        by_customer.append(recommended_ids(recommender, events, as_of_ms, segment_in(recommender, decision)))
    return {name: lists(each[name] for each in by_customer) for name in LISTS}


def decisions(keys: Sequence[str], made: Sequence[Decision], names: Names) -> Rows:
    """The decisions made on customers [n]."""
    return {"customer_id": texts(map(customer_id, keys)), **_decided(made, names)}


def states(known: Profiles) -> Rows:
    """What is kept of each customer."""
    return {"customer_id": texts(map(customer_id, known.keys)), "state": blobs(encode(known))}


def orders(known: Profiles) -> Rows:
    """A row for each line that was bought or paid back."""
    at = np.flatnonzero((known.rows.kind == PURCHASE) | (known.rows.kind == REFUND))
    rows = known.rows.take(at)
    return {
        "customer_id": _owners(known, at),
        "line_id": rows.fingerprint.astype(float),
        "happened_at": rows.time_ms.astype(float),
        "type": np.where(rows.kind == PURCHASE, "purchase", "refund").astype(object),
        "order_code": _code(rows.order),
        "amount": rows.net.astype(float),
        "discount": rows.discount.astype(float),
        "product_code": _code(rows.product),
        "category": _named(known, rows.category),
        "brand_code": _code(rows.brand),
    }


def exposures(known: Profiles) -> Rows:
    """A row for each time that somebody was to be approached, with the visits around it: whatever the window, they tell
    whether somebody came in it."""
    at = np.flatnonzero(known.rows.kind == CAMPAIGN_EXPOSURE)
    rows = known.rows.take(at)
    last_visit, next_visit = _visits_around(known, at)
    arms = texts(None if arm == ARMS[NO_ARM] else arm for arm in ARMS)
    return {
        "customer_id": _owners(known, at),
        "exposure_id": rows.fingerprint.astype(float),
        "happened_at": rows.time_ms.astype(float),
        "campaign": _named(known, rows.campaign),
        "arm": arms[rows.arm],
        "last_visit_at": last_visit,
        "next_visit_at": next_visit,
    }


def _visits_around(known: Profiles, at: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of rows, when their customers were last in a visit before each, and first from then on [n each]."""
    kind, time_ms, owner = known.rows.kind, known.rows.time_ms, known.owner
    visiting = np.flatnonzero(IN_VISIT[kind] & (kind != CAMPAIGN_EXPOSURE))
    # Of what happened at the instant itself some may stand before the row: it counts as from then on.
    opens = np.append(True, (np.diff(owner) != 0) | (np.diff(time_ms) != 0))[: len(owner)]
    first = np.maximum.accumulate(np.where(opens, np.arange(len(owner)), 0))[at]
    place = np.searchsorted(visiting, first)

    def of(places: NDArray[np.intp]) -> NDArray[np.float64]:
        visits = np.append(visiting, -1)[places]
        is_own = (visits >= 0) & (owner[visits] == owner[at])
        return np.where(is_own, time_ms[visits], np.nan)

    return of(place - 1), of(place)


def before(histories: Profiles, as_of_ms: int) -> Profiles:
    """What histories hold strictly before an instant."""
    return until(histories, as_of_ms)


def predictions(made: Sequence[Mapping[str, float]]) -> Rows:
    """The predictions beside decisions or moves, in a column each, and the shop's own in one [n]."""
    own = [{name: value for name, value in one.items() if name not in TARGETS} for one in made]
    return {
        **{name: numbers(one.get(name) for one in made) for name in TARGETS},
        "own_predictions": texts(json.dumps(one, sort_keys=True) if one else None for one in own),
    }


def _decided(made: Sequence[Decision | None], names: Names) -> Rows:
    def of(value: Callable[[Decision], Any]) -> list[Any]:
        return [None if one is None else value(one) for one in made]

    changes = [one.next_change if one else None for one in made]
    return {
        "segment_id": numbers(of(lambda one: one.segment)),
        "segment_name": texts(of(lambda one: names(one.model_version, one.segment))),
        "segment_since": numbers(of(lambda one: one.since_ms)),
        "segment_margin": numbers(of(lambda one: one.margin)),
        "runner_up_segment_id": numbers(of(lambda one: one.runner_up)),
        "micro_segment_id": numbers(of(lambda one: one.micro_segment)),
        **predictions([one.predictions if one else {} for one in made]),
        "intent": texts(of(lambda one: one.intent)),
        "action": texts(of(lambda one: one.action)),
        "audiences": lists(of(lambda one: sorted(one.audiences))),
        "control_audiences": lists(of(_held_out_of)),
        "outside_training": lists(of(lambda one: sorted(one.outside_training))),
        "next_change_at": numbers(change.at_ms if change else None for change in changes),
        "next_segment_id": numbers(change.segment if change else None for change in changes),
        "automated_traffic": numbers(of(lambda one: one.automated)),
        "as_of": numbers(of(lambda one: one.as_of_ms)),
        "scored_at": numbers(of(lambda one: one.scored_at_ms)),
        "model_version": texts(of(lambda one: one.model_version)),
    }


def _held_out_of(decision: Decision) -> list[str]:
    return sorted(key for key, one in decision.audiences.items() if one.arm == ARMS[-1])


def _attributes(known: Profiles) -> list[str]:
    said: list[list[str]] = [[] for _ in known.keys]
    for owner, name, _time_ms, value in known.attributes.entries():
        said[owner].append(f"{json.dumps(name)}: {value}")  # values are JSON already
    return ["{" + ", ".join(one) + "}" for one in said]


def _owners(known: Profiles, at: NDArray[np.intp]) -> NDArray[np.object_]:
    return texts(map(customer_id, known.keys))[known.owner[at]]


def _code(column: NDArray[np.uint32]) -> NDArray[np.float64]:
    return np.where(column == 0, np.nan, column)


def _named(known: Profiles, codes: NDArray[np.uint32]) -> NDArray[np.object_]:
    distinct, at = np.unique(codes, return_inverse=True)
    return texts(known.category_names.get(code) for code in distinct.tolist())[at]
