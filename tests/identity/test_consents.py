"""From when on somebody's events count, whatever the order in which refusals and consents come."""

from hypothesis import given
from hypothesis import strategies as st

from shared.identity.consents import MOST_GIVEN, NEVER, Consent, Mark, in_order, limits

consents = st.lists(st.builds(Consent, st.just("customer#a"), st.integers(0, 9), st.booleans()), max_size=12)


def mark(*facts: tuple[int, bool]) -> Mark:
    known = Mark()
    for time_ms, agrees in facts:
        known = known.after(Consent("customer#a", time_ms, agrees))
    return known


def test_events_count_until_somebody_refuses() -> None:
    assert mark().counts_from_ms is None
    assert mark((5, True)).counts_from_ms is None
    assert mark((5, False)).counts_from_ms == NEVER


def test_events_count_again_from_the_first_consent_after_the_last_refusal() -> None:
    assert mark((5, False), (3, True), (9, True), (7, True)).counts_from_ms == 7
    assert mark((5, False), (7, True), (8, False)).counts_from_ms == NEVER


def test_a_refusal_and_a_consent_of_one_instant_are_a_refusal() -> None:
    assert mark((5, False), (5, True)).counts_from_ms == NEVER
    assert mark((5, True), (5, False)).counts_from_ms == NEVER


@given(consents, st.randoms(use_true_random=False))
def test_any_order_and_repetition_give_the_same_limit(given: list[Consent], random: object) -> None:
    again = [*given, *given]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert limits(again) == limits(given)
    shuffled = mark(*((consent.time_ms, consent.given) for consent in again))
    assert shuffled.counts_from_ms == limits(given).get("customer#a")


def test_consents_without_end_are_not_all_remembered() -> None:
    assert len(mark((1, False), *((at, True) for at in range(2, 500))).given_ms) == MOST_GIVEN


def test_consents_are_ordered_by_time_and_each_stands_once() -> None:
    one, other = Consent("a", 5, True), Consent("b", 3, False)
    assert in_order([one, other, one]) == [other, one]
