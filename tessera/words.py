"""What is stored of a customer or a visitor, in words: pairs of what it is about and what it is."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.decisions.decision import answer
from shared.features import Profiles, rows_in
from shared.features.columns import ARMS, CAMPAIGN_EXPOSURE
from shared.features.formulas import net_revenue
from shared.features.history import History
from shared.identity.consents import NEVER, Mark
from shared.identity.keys import customer_id, visitor_id
from shared.identity.links import CUSTOMERS_A_DEVICE, NOBODY, Copy, Link, LinkState
from shared.models.manifests import is_probability, is_uplift
from shared.profiles.histories import histories, rows_of
from shared.profiles.stored_profile import StoredProfile

type Facts = Iterator[tuple[str, str]]

PREDICTIONS = {
    "churn_probability": ("Churn", "{:.0%}"),
    "conversion_probability": ("Conversion", "{:.0%}"),
    "expected_ltv": ("Expected value", "{:,.2f}"),
}
"""What each prediction is called, and how it is written."""


def profile_facts(profile: StoredProfile, manifest: Mapping[str, Any], currency: str) -> Facts:
    """What a profile says; `manifest` is the one of its decision, empty where there is none.

    Raises UnknownStateVersion and BrokenState where its events cannot be read.
    """
    yield from _history_facts(profile, currency)
    yield from _decision_facts(profile, manifest)
    if profile.due_ms is not None:
        why = ", for it waits for a model" if profile.waits_since_ms is not None else ""
        yield "Due", f"decided on anew from {moment(profile.due_ms)} on{why}"
    if profile.link is not None:
        yield "Link", _link(profile.link)
    for key, copy in sorted(profile.visitors.items()):
        yield "Visitor", f"{visitor_id(key)}: {_copy(copy)}"
    yield "Stored", f"{profile.size:,} bytes, version {profile.version}"


def mark_facts(mark: Mark) -> Facts:
    """What the mark says that keeps those who were erased from coming back."""
    if mark.refused_ms is not None:
        yield "Refused", f"at {moment(mark.refused_ms)}, by an erasure or an event"
    if mark.counts_from_ms == NEVER:
        yield "Counts from", "never, unless consent is given"
    elif mark.counts_from_ms is not None:
        yield "Counts from", f"{moment(mark.counts_from_ms)}, for earlier events were refused"
    for at_ms in sorted(mark.given_ms):
        yield "Consent", f"given at {moment(at_ms)}"
    if mark.unlinked:
        yield "Link", "undone by hand, and not to be made again"


def moment(time_ms: int) -> str:
    """A time as people read it, in UTC to the minute."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _history_facts(profile: StoredProfile, currency: str) -> Facts:
    known = histories([profile])
    if not len(known):
        yield "Events", "none"
        return
    yield "Events", _events(profile, known)
    first_ms, last_ms = int(known.first_event_ms[0]), int(known.last_event_ms[0])
    yield "From", moment(first_ms)
    yield "To", moment(last_ms)
    for _, name, said_ms, value in known.attributes.entries():
        yield "Attribute", f"{name} = {value}, since {moment(said_ms)}"
    yield from _exposures(known)
    history = History(known, last_ms + 1)
    yield "Visits", _dated(history.visits.time_ms)
    yield "Orders", _dated(history.orders.time_ms)
    yield "Net spend", f"{net_revenue(history, None)[0]:,.2f} {currency}".rstrip()


def _exposures(known: Profiles) -> Facts:
    """Of each campaign the last time that the customer was to be approached, and whether they were."""
    rows = known.rows.take(known.rows.kind == CAMPAIGN_EXPOSURE)
    last = {known.category_names[code]: at for at, code in enumerate(rows.campaign.tolist())}
    for name, at in sorted(last.items()):
        yield "Campaign", f"{name}: {ARMS[rows.arm[at]]}, last at {moment(int(rows.time_ms[at]))}"


def _events(profile: StoredProfile, known: Profiles) -> str:
    kept, ever = int(known.event_counts[0]), int(known.event_totals[0])
    of_all = f" of about {ever:,}" if ever > kept else ""
    of_visitors = rows_of(profile) - rows_in(profile.state)
    as_visitor = f", {of_visitors:,} as a visitor" if of_visitors else ""
    program = "; more than a person makes" if known.automated[0] else ""
    return f"{kept:,} kept{of_all}{as_visitor}{program}"


def _dated(times_ms: Any) -> str:
    return f"{len(times_ms):,}, the last at {moment(int(times_ms.max()))}" if len(times_ms) else "none"


def _decision_facts(profile: StoredProfile, manifest: Mapping[str, Any]) -> Facts:
    if profile.decision is None:
        if profile.is_someone:
            yield "Decision", "none yet; it follows once a model is published"
        return
    decision = profile.decision
    answered = answer(customer_id(profile.key), decision, manifest)
    names = {segment["id"]: segment["name"] for segment in manifest.get("segments", ())}
    yield "Segment", f"{_segment(decision.segment, names)}, since {moment(decision.since_ms)}"
    yield "Runner-up", f"{_segment(decision.runner_up, names)}; the segment is {decision.margin:.0%} nearer"
    for name, value in answered["predictions"].items():
        label, form = PREDICTIONS.get(name) or _of_own(name)
        reason = answered["left_out"].get(name) or "this model does not"
        days = answered["horizon_days"][name]
        ahead = "" if days is None else f" within {days} days"
        yield label, f"not predicted: {reason}" if value is None else form.format(value) + ahead
    for outside in answered["outside_training"]:
        yield "Outside of training", _outside(outside)
    yield "Intent", decision.intent
    yield "Action", ": ".join(filter(None, [answered["action"], (answered["action_details"] or {}).get("title")]))
    yield "Decided", f"as of {moment(decision.as_of_ms)}, by model {decision.model_version}"
    change = decision.next_change
    if change is None:
        yield "Next change", "none in sight if nothing happens"
    else:
        yield "Next change", f"{moment(change.at_ms)}: {_segment(change.segment, names)}, {change.intent}"


def _of_own(name: str) -> tuple[str, str]:
    """What a prediction of the shop's own is called, and how it is written."""
    words = name.removesuffix("_probability").replace("_", " ").capitalize()
    return words, "{:.0%}" if is_probability(name) else "{:+.1%}" if is_uplift(name) else "{:,.2f}"


def _outside(outside: Mapping[str, Any]) -> str:
    value, least, most = (outside[part] for part in ("value", "least", "most"))
    known = "" if least is None or most is None else f", trained on {least:,g} to {most:,g}"
    return f"{outside['feature']} {'undefined' if value is None else f'{value:,g}'}{known}"


def _segment(segment: int, names: Mapping[int, str]) -> str:
    return f"{names[segment]} ({segment})" if segment in names else f"segment {segment}"


def _link(link: Link) -> str:
    if link.state is LinkState.SHARED:
        return f"{CUSTOMERS_A_DEVICE} or more customers share it: it counts for none"
    whose = "a customer who was erased" if link.customer == NOBODY else f"customer {customer_id(link.customer)}"
    if link.state is LinkState.UNLINKED:
        return f"was {whose}, until that was undone by hand"
    claims = f"; {len(link.others)} more claim it" if link.others else ""
    return f"is {whose}{claims}"


def _copy(copy: Copy) -> str:
    return "link withdrawn" if copy.state is None else f"{rows_in(copy.state):,} events"
