"""Questions are values, and are answered of each profile alone."""

import pickle

import numpy as np
import pytest

from shared.features import COMPUTED, FEATURES, Profiles, features
from shared.models.bundle import Bundle
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from training.base.config import Config
from training.engines.engine import Question
from training.engines.tables import rows_of
from training.prediction.classic import BuyersAt
from training.prediction.questions import (
    Approached,
    BoughtBefore,
    DigestBefore,
    EventsBefore,
    FeaturesAt,
    KnownAt,
    Outcome,
    Span,
    whole_histories,
)
from training.prediction.targets import targets

EXPOSED = {"event_type": "campaign_exposure", "campaign": "spring", "arm": "control"}
SHOP = profiles(
    *(purchase(customer, day, day=day) for customer in "abc" for day in (3, 9, 20)),
    purchase("b", 1, day=12, **EXPOSED),
    purchase("d", 1, day=1, **EXPOSED),
    purchase("e", 1, day=25, event_type="page_view"),
)
DAY_10 = int(SHOP.rows.time_ms[0]) + 7 * 86_400_000
QUESTIONS: tuple[Question, ...] = (
    KnownAt(DAY_10),
    BoughtBefore(DAY_10),
    targets(Config())[0].asks(DAY_10, DAY_10 + 10 * 86_400_000),
    FeaturesAt(DAY_10, "Europe/Berlin"),
    Span(DAY_10),
    EventsBefore(DAY_10),
    DigestBefore(DAY_10),
    Approached(DAY_10),
    BuyersAt(DAY_10),
    whole_histories,
)


@pytest.mark.parametrize(
    "question", QUESTIONS, ids=lambda question: getattr(question, "__name__", type(question).__name__)
)
def test_each_answer_is_of_its_own_profile_alone(question: Question) -> None:
    whole = question(SHOP)
    assert len(whole) == len(SHOP)
    alone = [question(SHOP.take([i])) for i in range(len(SHOP))]
    together = np.concatenate(alone)
    assert together.tolist() == whole.tolist() or together.tobytes() == whole.tobytes()
    assert question(Profiles.empty()).dtype == whole.dtype
    assert question(Profiles.empty()).shape[1:] == whole.shape[1:]
    again = pickle.loads(pickle.dumps(question))
    assert again == question and hash(again) == hash(question)


def test_spans_tell_the_first_and_the_last_event_and_who_did_anything() -> None:
    (a, _, _, d, _) = ((Span(DAY_10)(SHOP)[:, :3] - SHOP.rows.time_ms[0]) // 86_400_000).tolist()
    assert (a, d[:2]) == ([0, 17, 6], [-2, -2])
    assert Span(DAY_10)(SHOP)[:, 3].tolist() == [1, 1, 1, 0, 0]
    assert Span(DAY_10)(SHOP)[4, 2] == -1
    assert EventsBefore(DAY_10)(SHOP)[:, 0].tolist() == [2, 2, 2, 1, 0]


def test_digests_change_with_any_event_before_and_with_none_after() -> None:
    before = DigestBefore(DAY_10)(SHOP)
    later = profiles(purchase("a", 3, day=3), purchase("a", 9, day=9), purchase("a", 77, day=27))
    assert DigestBefore(DAY_10)(later)[0].tobytes() == before[0].tobytes()
    other = profiles(purchase("a", 3, day=3), purchase("a", 9, day=9, price=1))
    assert DigestBefore(DAY_10)(other)[0].tobytes() != before[0].tobytes()


def test_histories_come_back_whole() -> None:
    rows = rows_of(b"".join(whole_histories(SHOP).tolist()))
    for ours, theirs in zip(rows.columns(), SHOP.rows.columns(), strict=True):
        assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes())


def test_whom_campaigns_approached_is_known_once_they_did_anything() -> None:
    assert Approached(DAY_10)(SHOP).tolist() == [False, True, False, False, False]


def test_features_are_those_that_a_bundle_takes() -> None:
    bundle = Bundle.from_files(*make_bundle(zone="Europe/Berlin"))
    question = FeaturesAt.of(bundle, DAY_10)
    assert question == FeaturesAt(DAY_10, "Europe/Berlin")
    np.testing.assert_array_equal(question(SHOP), bundle.features_at(SHOP, DAY_10))
    all_of = FeaturesAt(DAY_10, superseded=True)(SHOP)
    assert all_of.shape[1] == len(COMPUTED) > len(FEATURES)
    np.testing.assert_array_equal(all_of[:, : len(FEATURES)], features(SHOP, DAY_10))


def test_an_outcome_is_asked_by_what_it_asks_alone() -> None:
    one, other = (targets(Config())[1].asks(0, 5) for _ in range(2))
    assert one == other and isinstance(one, Outcome)
