"""Questions are asked of those who are picked, and each answer is of its own profile alone."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings

from shared.features import Profiles
from tests.support.event_files import Event, profiles, purchase
from tests.support.examples import at_most
from tests.support.gathered import customers, event_files, features_then, keys_of, states, written
from training.data.events import Source
from training.engines.engine import Memory, asked, kinds

SHOP = profiles(*(purchase(customer, number) for customer in "abc" for number in range(2)))


def only_b(profiles: Profiles) -> np.ndarray:
    return np.array([key == "customer#b" for key in profiles.keys], bool)


def test_only_who_is_picked_answers() -> None:
    part = asked(SHOP, only_b, [lambda some: some.event_counts, states])
    assert part.keys == ["customer#b"]
    assert [answer.shape for answer in part.answers] == [(1,), (1, 32)]


def test_what_answers_are_is_known_without_asking_anybody() -> None:
    known = kinds([states, features_then, lambda some: some.event_counts])
    assert [(kind.dtype.type, kind.shape[:1], kind.width) for kind in known] == [
        (np.uint8, (32,), 32),
        (np.float32, (85,), 340),
        (np.int64, (), 8),
    ]


@settings(max_examples=at_most(10))
@given(files=event_files())
def test_features_of_each_are_the_same_whoever_is_asked_beside_them(
    tmp_path_factory: object, files: list[list[Event]]
) -> None:
    folder = tmp_path_factory.mktemp("events")  # type: ignore[attr-defined]
    with Memory.open(Source(written(folder, [*files, [purchase("always there")]]))) as engine:
        (whole,) = engine.ask(customers, [features_then])
        people = engine.profiles
    alone = [asked(people.take([i]), customers, [features_then]) for i in range(len(people))]
    assert keys_of(alone) == whole.keys
    assert b"".join(part.answers[0].tobytes() for part in alone) == whole.answers[0].tobytes()


def test_memory_says_all_that_it_knows_of_what_it_read(tmp_path: Path) -> None:
    with Memory.open(Source(written(tmp_path, [[purchase("a"), purchase("a")]]))) as engine:
        assert next(engine.reading.summary()) == "2 events in 1 files, 1 of them distinct, of 1 customers"
