"""Names and sentences for segments, from what sets their customers apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from shared.features import FEATURES
from shared.reasons.wording import format_value
from training.data.preparation import Matrix
from training.segmentation.facts import DESCRIPTIONS, Facts
from training.segmentation.patterns import NAMES, WORDS, Condition, Pattern
from training.segmentation.segments import Segmentation
from training.segmentation.truth import Truth

TELLING = 3
"""Facts told in a sentence."""

UNUSUAL = "Unusual customers"
"""The segment of those who are like no others."""

WORD_PRICE = 0.5
"""What a further word takes from a name's score: a plain name is better, unless another segment has it or the word has
a weight of its own."""
WORTH = 1.5
"""What a name gains that is true of all of the segment and of nobody else."""

TELLING_SHARE = 0.05
"""Shares and indices closer to what is typical than this are not told."""
TELLING_TIMES = 1.2
"""Other facts whose ratio to what is typical is smaller than this are not told."""
LARGEST_TIMES = 20
"""Larger ratios than this are not put as one."""

TRUE = 2 / 3
"""Share of a segment's customers of whom its name is true, each by what they did themselves, at least."""

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
    """What is typical of every feature, as in `facts`; null where it is undefined for all."""
    true_of: dict[str, float] | None = None
    """Shares of customers of whom the name is true: of its `members`, and of the `others`. None for a name that the
    user gave or that says nothing."""

    def as_dict(self) -> dict[str, Any]:
        """The entry as the manifest holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Candidate:
    """A possible name of a segment, how much it says, and what makes it true."""

    name: str
    score: float
    conditions: tuple[Condition, ...]
    true_of: dict[str, float] | None = None
    """Of the members and of the others, the shares of whom it is true."""


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
    truth = Truth(segment, X)
    heights = _heights(segment, standardised)
    possible = _possible_names(truth, _neighbours(heights), unusual, before)
    segments = [
        Segment(
            i,
            chosen.name,
            sentence(own, truth.everyone, chosen.conditions, height),
            truth.sizes[n],
            {feature.name: _number(own[feature.name]) for feature in FEATURES},
            chosen.true_of,
        )
        for n, (i, own, chosen, height) in enumerate(
            zip(ids, truth.typical, unique_names(possible, ids), heights, strict=True)
        )
    ]
    return segments, heights


def _heights(segment: NDArray[np.int64], standardised: Matrix) -> NDArray[np.float64]:
    """Each segment's mean above that of everybody, in the order of ids [n_segments, n_features]."""
    means = [standardised[segment == i].mean(axis=0) for i in np.unique(segment)]
    heights = np.stack(means).astype(np.float64)
    heights -= standardised.mean(axis=0)
    return heights


def _neighbours(heights: NDArray[np.float64]) -> list[int]:
    """The segment most like each, by its place in the order of ids [n_segments]; itself where there is no other."""
    apart = cdist(heights, heights)
    np.fill_diagonal(apart, np.inf)
    return apart.argmin(axis=1).tolist()  # type: ignore[no-any-return]


def _possible_names(
    truth: Truth, neighbours: list[int], unusual: int | None, before: Previous
) -> list[list[Candidate]]:
    """For each segment the name that it keeps, or all that are true of it and that no other keeps."""
    kept = {
        n: name for n, i in enumerate(truth.ids) if i in before and (name := _kept(before[i], truth, n, i == unusual))
    }
    taken = {candidate.name for candidate in kept.values()}
    return [
        [kept[n]]
        if n in kept
        else [
            candidate for candidate in candidates(truth, n, neighbours[n], i == unusual) if candidate.name not in taken
        ]
        for n, i in enumerate(truth.ids)
    ]


def _kept(before: Mapping[str, Any], truth: Truth, n: int, unusual: bool) -> Candidate | None:
    """The name that a segment had, where the user gave it or it is true still, though another may tell more by now."""
    if before.get("edited"):
        return Candidate(before["name"], 0.0, ())
    return next(
        (candidate for candidate in candidates(truth, n, None, unusual) if candidate.name == before["name"]), None
    )


def candidates(truth: Truth, n: int, neighbour: int | None, unusual: bool = False) -> list[Candidate]:
    """Every name that is true of the nth segment, and truer of it than of the segment `neighbour`, if one is given."""
    possible = [Candidate(UNUSUAL, 100.0, ())] if unusual else []
    words = [word for word in WORDS if truth.shares(truth.holds(word))[n] >= TRUE]
    for noun in NAMES:
        if truth.shares(truth.holds(noun))[n] < TRUE:
            continue
        fitting = [word for word in words if not word.topics & noun.topics]
        pairs = [(a, b) for a, b in combinations(fitting, 2) if not a.topics & b.topics]
        for before in ((), *((word,) for word in fitting), *pairs):
            if (candidate := _candidate(truth, n, neighbour, (*before, noun))) is not None:
                possible.append(candidate)
    return possible


def _candidate(truth: Truth, n: int, neighbour: int | None, parts: tuple[Pattern, ...]) -> Candidate | None:
    """The name of words and a noun, where it is true of the nth segment, and truer of it than of its neighbour."""
    *words, noun = parts
    name = _upper(" ".join(part.name for part in words) + f" {_lower(noun.name)}") if words else noun.name
    conditions = tuple(condition for part in (noun, *words) for condition in part.conditions)
    if not conditions:
        return Candidate(name, noun.weight, ())
    true = np.logical_and.reduce([truth.holds(part) for part in parts])
    shares = truth.shares(true)
    is_telling = neighbour in (None, n) or shares[n] > shares[neighbour]
    if shares[n] < TRUE or not is_telling:
        return None
    others = truth.share_of_others(true, n)
    score = noun.weight + sum(word.weight for word in words) + WORTH * (shares[n] - others)
    score -= WORD_PRICE * (len(words) * (len(words) + 1) / 2)
    return Candidate(name, score, conditions, {"members": round(float(shares[n]), 4), "others": round(others, 4)})


def unique_names(candidates: Sequence[Sequence[Candidate]], ids: Sequence[int]) -> list[Candidate]:
    """For each segment one of its candidates, no name twice, so that together they say the most.

    A segment for which none is left is numbered.
    """
    best = [_best_by_name(own) for own in candidates]
    names = sorted({name for own in best for name in own})
    column = {name: j for j, name in enumerate(names)}
    score = np.full((len(best), len(names) + len(best)), -1e6)
    score[:, len(names) :] = 0.0
    for n, own in enumerate(best):
        for name, candidate in own.items():
            score[n, column[name]] = candidate.score
    chosen = linear_sum_assignment(-score)[1]
    return [
        best[n][names[j]] if j < len(names) else Candidate(f"Segment {ids[n]}", 0.0, ()) for n, j in enumerate(chosen)
    ]


def _best_by_name(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    return {candidate.name: candidate for candidate in sorted(candidates, key=lambda candidate: candidate.score)}


# ---- Sentences -------------------------------------------------------------------------------------------------------


def sentence(own: Facts, everyone: Facts, conditions: Sequence[Condition], heights: NDArray[np.float64]) -> str:
    """What sets a segment apart: what makes its name true, then what differs most [n_features]."""
    clauses: list[str] = []
    topics: set[str] = set()
    others = (FEATURES[j].name for j in np.argsort(-np.abs(heights), kind="stable"))
    for fact in (*dict.fromkeys(condition.fact for condition in conditions), *others):
        words = fact_in_words(fact, own[fact], everyone[fact])
        topic = _topic(fact)
        if words is None or topic in topics:
            continue
        topics.add(topic)
        clauses.append(words)
        if len(clauses) == TELLING:
            break
    return f"{_upper('; '.join(clauses))}." if clauses else "Close to the average customer in every respect."


def fact_in_words(fact: str, own: float, usual: float) -> str | None:
    """One fact beside what is typical of everybody; None where it is undefined or the same."""
    description, unit = DESCRIPTIONS[fact]
    here = format_value(unit, own)
    typical = format_value(unit, usual)
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
