"""Results of experiments in words, for people who have a decision to take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.experiments.results import BLOCKED, FOUND, NO_CONTROL, NONE_FOUND, TOO_EARLY

NAMES = {
    "conversion": "customers who bought",
    "revenue": "revenue a customer",
    "orders": "orders a customer",
    "average_order_value": "value of an order",
    "churn": "buyers who bought nothing more",
    "visit": "customers who came",
}
SHARES = frozenset({"conversion", "churn", "visit"})
VERDICTS = {
    FOUND: "an effect was found",
    NONE_FOUND: "no effect of note",
    TOO_EARLY: "not enough data yet",
    BLOCKED: "blocked: nothing of this may be believed",
    NO_CONTROL: "no control group: before and after, not an effect",
}
REASONS = {
    "arms_not_as_planned": (
        "{control:.2%} are in the control group, where {planned_control:.2%} were planned{assumed}: exposures of one"
        " arm are lost, or one is chosen by more than lot"
    ),
    "arms_differed_before": "the arms differed before anybody was approached: customers were not dealt out by lot",
}
NOTABLE = 0.05
"""Of shares who were approached by other campaigns, the difference between arms that is worth a line."""


def in_words(document: Mapping[str, Any]) -> Iterator[str]:
    """Lines about all campaigns of a document."""
    for result in document["results"]:
        yield from _campaign(result, document)
    if not document["results"]:
        yield "No campaign has an exposure yet"


def _campaign(result: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    yield f"{result['campaign']}: {VERDICTS[result['state']]}{_how_long(result)}"
    customers = result["customers"]
    waiting = f"; the days of {customers['waiting']:,} more are not over" if customers["waiting"] else ""
    yield (
        f"  {customers['treatment']:,} approached, {customers['control']:,} held back, {result['window_days']:g} days"
        f" from the first exposure{waiting}"
    )
    if customers["in_both_arms"]:
        yield f"  {customers['in_both_arms']:,} customers were in both arms, and count in the first"
    if result["reason"]:
        assignment = result["assignment"]
        assumed = " (assumed: say --holdout)" if assignment["planned_by"] == "assumed" else ""
        yield f"  {REASONS[result['reason']].format(**assignment, assumed=assumed)}"
    for metric in result["metrics"]:
        yield from _metric(metric, document["currency"] or "")
    for metric in result["before_and_after"]:
        name = metric["metric"]
        before, after = (_value(name, metric[when]) for when in ("before", "after"))
        yield f"  {NAMES[name]}: {before} in as many days before, {after} after"
    if result["return"]:
        yield _return(result["return"], document["currency"] or "")
    for other in result["elsewhere"] if result["state"] != NO_CONTROL else ():
        if abs(other["treatment"] - other["control"]) >= NOTABLE:
            yield (
                f"  careful: {other['campaign']} approached {other['treatment']:.0%} of those approached here, and"
                f" {other['control']:.0%} of those held back"
            )


def _how_long(result: Mapping[str, Any]) -> str:
    if result["state"] != TOO_EARLY:
        return ""
    if result["days_more"] is not None:
        return f": about {result['days_more']:,} days more"
    return "; nobody comes into it any more"


def _metric(metric: Mapping[str, Any], currency: str) -> Iterator[str]:
    name = metric["metric"]
    values = f"{_value(name, metric['treatment'])} against {_value(name, metric['control'])}"
    if metric["effect"] is None:
        yield f"  {NAMES[name]}: {values}, too few to say more"
        return
    yield (
        f"  {NAMES[name]}: {values} {currency if name not in SHARES else ''}".rstrip()
        + f"; {_span(name, metric)}{_verdict(metric)}"
    )
    for segment in metric["segments"]:
        yield from _segment(name, segment)


def _segment(name: str, segment: Mapping[str, Any]) -> Iterator[str]:
    if segment["effect"] is None:
        yield f"    {segment['segment']}: too few to say"
        return
    nearest = _difference(name, segment["shrunk"])
    yield f"    {segment['segment']}: {_span(name, segment)}; likeliest {nearest}{_verdict(segment)}"


def _verdict(difference: Mapping[str, Any]) -> str:
    if difference["finding"]:
        return f", {difference['finding']}"
    leaves_out_nought = difference["low"] > 0 or difference["high"] < 0
    return ", which among so many results may come by chance" if leaves_out_nought else ""


def _return(earned: Mapping[str, Any], currency: str) -> str:
    on_cost = earned["on_cost"]
    share = f": {on_cost['effect']:+.0%} on cost ({on_cost['low']:+.0%} to {on_cost['high']:+.0%})" if on_cost else ""
    return (
        f"  {earned['contacts']:,} contacts cost {earned['cost']:,.2f} {currency} and earned {earned['gain']:,.2f}"
        f" ({earned['gain_low']:,.2f} to {earned['gain_high']:,.2f}){share}"
    )


def _span(name: str, difference: Mapping[str, Any]) -> str:
    effect, low, high = (_difference(name, difference[key]) for key in ("effect", "low", "high"))
    return f"{effect} ({low} to {high})"


def _value(name: str, value: float) -> str:
    return f"{value:.2%}" if name in SHARES else f"{value:,.3f}"


def _difference(name: str, value: float) -> str:
    return f"{100 * value:+.2f} points" if name in SHARES else f"{value:+,.3f}"
