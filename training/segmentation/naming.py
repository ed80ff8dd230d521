"""Names and sentences for segments, from what sets their customers apart."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from shared.features import FEATURES
from shared.reasons.wording import format_value
from training.data.preparation import Matrix
from training.segmentation.patterns import DESCRIPTIONS, NAMES, WORDS, Facts, Is, Pattern, facts
from training.segmentation.segments import Segmentation

TELLING = 3
"""Facts told in a sentence."""

UNUSUAL = "Unusual customers"
"""The segment of those who are like no others."""

WORD_PRICE, WORD_WORTH = 0.5, 0.4
"""What a further word takes from a name's score, and what it gives back where it is as true as can be: a plain name is
better, unless another segment has it or the word has a weight of its own."""

TELLING_SHARE, TELLING_TIMES, LARGEST_TIMES = 0.05, 1.2, 20
"""Facts closer to what is typical than this, in points or as a ratio, are not told; larger ratios than the last are not
put as one."""


EASE = 0.25
"""A name once given stays while its bounds are met but for this share: small changes of the data do not change it."""

type Previous = Mapping[int, Mapping[str, Any]]
"""Entries of an earlier catalogue by id, as the manifest holds them; those `edited` have a name of the user's."""

NONE: Previous = {}


@dataclass(frozen=True)
class Segment:
    """An entry of the segment catalogue."""

    id: int
    name: str
    description: str
    size: int
    profile: dict[str, float | None]
    """Median of every feature, undefined values left out; null where all are."""

    def as_dict(self) -> dict[str, Any]:
        """The entry as the manifest holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Claim:
    """A name that is true of a segment, how much it says, and what makes it true."""

    name: str
    score: float
    tests: tuple[Is, ...]


def catalogue(
    segmentation: Segmentation, X: Matrix, before: Previous = NONE
) -> tuple[list[Segment], NDArray[np.float64]]:
    """The segments of the customers X [n, n_features], and how far each lies from the average customer in each
    feature, in standard deviations [n_segments, n_features]. Those in the catalogue `before` keep their names."""
    return describe(segmentation.segment_of(X), X, segmentation.standardised(X), segmentation.unusual, before)


def describe(
    segment: NDArray[np.int64], X: Matrix, standardised: Matrix, unusual: int | None = None, before: Previous = NONE
) -> tuple[list[Segment], NDArray[np.float64]]:
    """The same for customers whose `segment` [n] is known; that with the id `unusual` holds those like no others.

    `standardised` [n, n_features] are the prepared X.
    """
    ids = np.unique(segment).tolist()
    heights = np.stack([standardised[segment == i].mean(axis=0) for i in ids]).astype(np.float64)
    heights -= standardised.mean(axis=0)
    everyone, own = facts(X), {i: facts(X[segment == i]) for i in ids}
    kept = {i: claim for i in ids if i in before and (claim := _kept(before[i], own[i], everyone))}
    taken = {claim.name for claim in kept.values()}
    open_to = [
        [kept[i]]
        if i in kept
        else [claim for claim in claims(own[i], everyone, i == unusual) if claim.name not in taken]
        for i in ids
    ]
    segments = []
    for n, (i, claim) in enumerate(zip(ids, unique_names(open_to, ids), strict=True)):
        told, members = sentence(own[i], everyone, claim.tests, heights[n]), X[segment == i]
        segments.append(Segment(i, claim.name, told, len(members), _medians(members)))
    return segments, heights


def _kept(before: Mapping[str, Any], own: Facts, everyone: Facts) -> Claim | None:
    """The name that a segment had, where the user gave it or it is about true still."""
    if before.get("edited"):
        return Claim(before["name"], 0.0, ())
    return next((claim for claim in claims(own, everyone, True, EASE) if claim.name == before["name"]), None)


def claims(own: Facts, everyone: Facts, unusual: bool = False, ease: float = 0.0) -> list[Claim]:
    """Every name that is true of a segment, whose facts are `own`, with all bounds eased by that share."""
    words = [(word, strength) for word in WORDS if (strength := word.strength(own, everyone, ease)) is not None]
    found = [Claim(UNUSUAL, 100.0, ())] if unusual else []
    for noun in NAMES:
        strength = noun.strength(own, everyone, ease)
        if strength is None:
            continue
        found.append(Claim(noun.name, noun.weight + strength, noun.tests))
        found += [
            Claim(
                f"{word.name} {_lower(noun.name)}",
                noun.weight + strength - WORD_PRICE + WORD_WORTH * worth + word.weight,
                (*noun.tests, *word.tests),
            )
            for word, worth in words
            if not word.topics & noun.topics
        ]
        found += _with_two_words(noun, strength, words)
    return found


def _with_two_words(noun: Pattern, strength: float, words: list[tuple[Pattern, float]]) -> list[Claim]:
    """Long names, for segments that shorter ones do not tell apart."""
    return [
        Claim(
            f"{first.name} {_lower(second.name)} {_lower(noun.name)}",
            noun.weight + strength - 3 * WORD_PRICE + WORD_WORTH * min(a, b),
            (*noun.tests, *first.tests, *second.tests),
        )
        for i, (first, a) in enumerate(words)
        for second, b in words[i + 1 :]
        if not (first.topics & noun.topics or second.topics & noun.topics or first.topics & second.topics)
    ]


def unique_names(claims: Sequence[Sequence[Claim]], ids: Sequence[int]) -> list[Claim]:
    """For each segment one of its claims, no name twice, so that together they say the most.

    A segment for which none is left is numbered.
    """
    names = sorted({claim.name for own in claims for claim in own})
    column = {name: j for j, name in enumerate(names)}
    score = np.full((len(claims), len(names) + len(claims)), -1e6)
    score[:, len(names) :] = 0.0
    best: list[dict[str, Claim]] = []
    for n, own in enumerate(claims):
        best.append({})
        for claim in sorted(own, key=lambda claim: claim.score):
            best[n][claim.name] = claim
            score[n, column[claim.name]] = claim.score
    chosen = linear_sum_assignment(-score)[1]
    return [best[n][names[j]] if j < len(names) else Claim(f"Segment {ids[n]}", 0.0, ()) for n, j in enumerate(chosen)]


# ---- Sentences -------------------------------------------------------------------------------------------------------


def sentence(own: Facts, everyone: Facts, tests: Sequence[Is], heights: NDArray[np.float64]) -> str:
    """What sets a segment apart: what makes its name true, then what differs most [n_features]."""
    told: list[str] = []
    topics: set[str] = set()
    others = (FEATURES[j].name for j in np.argsort(-np.abs(heights), kind="stable"))
    for fact in (*dict.fromkeys(test.fact for test in tests), *others):
        words, topic = fact_in_words(fact, own[fact], everyone[fact]), _topic(fact)
        if words is None or topic in topics:
            continue
        topics.add(topic)
        told.append(words)
        if len(told) == TELLING:
            break
    return f"{_upper('; '.join(told))}." if told else "Close to the average customer in every respect."


def fact_in_words(fact: str, own: float, usual: float) -> str | None:
    """One fact beside what is typical of everybody; None where it is undefined or the same."""
    description, unit = DESCRIPTIONS[fact]
    here, typical = format_value(unit, own), format_value(unit, usual)
    if here == typical or "none" in (here, typical) or not _telling(unit, own, usual):
        return None
    if unit == "share" and re.match("Share of (?!the )", description):
        return f"{here} of {description.removeprefix('Share of ')} (typical: {typical})"
    if unit not in ("share", "index") and 1.5 <= own / max(usual, 1e-9) <= LARGEST_TIMES:
        return f"{_lower(description)}: {here}, {own / usual:.1f}\N{MULTIPLICATION SIGN} the typical {typical}"
    return f"{_lower(description)}: {here} (typical: {typical})"


def _telling(unit: str, own: float, usual: float) -> bool:
    if unit in ("share", "index"):
        return abs(own - usual) >= TELLING_SHARE
    low, high = sorted((abs(own), abs(usual)))
    return own * usual <= 0 or high / low >= TELLING_TIMES


def _medians(X: Matrix) -> dict[str, float | None]:
    known = (column[~np.isnan(column)] for column in X.T)
    return {f.name: _number(float(np.median(v))) if len(v) else None for f, v in zip(FEATURES, known, strict=True)}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


ALIKE: Mapping[str, str] = {
    "active_days": "visits",
    "orders": "visits",
    "order_interval_deviation": "order_interval_mean",
    "order_overdue": "missed_visits",
    "orders_trend": "visits_trend",
    "net_revenue_trend": "visits_trend",
    "days_since_first_order": "tenure",
    "visit_depth": "basket_size",
    "discounted_line_share": "discount_share",
}
"""Facts that say much the same as another: one word of them is enough."""


def _topic(fact: str) -> str:
    stem = re.sub(r"_(\d+d|lifetime)$", "", fact)
    return ALIKE.get(stem, stem)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
