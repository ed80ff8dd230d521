from dataclasses import replace

from shared.destinations.deliveries import ACCEPTED, JOBS_KEPT_DAYS, WAITING, ByJob, Delivery, answer
from tests.destinations.accounts import NOW_MS
from tests.destinations.worlds import World

ROW = Delivery("customer#a", "crm", "t1", NOW_MS, WAITING, NOW_MS + 5, "503: down", 2, "win_back", "treatment", "job")


def test_a_row_comes_back_as_it_was_and_says_more_each_time() -> None:
    deliveries = World().deliveries
    deliveries.put([ROW])
    assert deliveries.known([ROW]) == {(ROW.key, ROW.place): ROW}
    deliveries.put([replace(ROW, state=ACCEPTED, reason="")])
    assert deliveries.page("customer#a", 5) == ([replace(ROW, state=ACCEPTED, reason="")], None)
    assert deliveries.known([]) == {}


def test_pages_are_newest_first_and_end() -> None:
    deliveries = World().deliveries
    rows = [replace(ROW, transition_id=f"t{i}", at_ms=NOW_MS + i // 2) for i in range(7)]
    deliveries.put(rows)
    listed: list[Delivery] = []
    before = None
    while True:
        page, before = deliveries.page("customer#a", 2, before)
        listed += page
        if before is None:
            break
        assert len(page) == 2
    assert listed == rows[::-1]


def test_of_two_claims_one_is_the_first() -> None:
    deliveries = World().deliveries
    assert [deliveries.claim(ROW), deliveries.claim(ROW)] == [True, False]
    assert deliveries.correct(replace(ROW, state=ACCEPTED))
    deliveries.forget("customer#a")
    assert not deliveries.correct(ROW)


def test_names_are_known_once_and_go_with_the_rows() -> None:
    world = World()
    world.deliveries.note("crm", [("customer#a", "a@x#y"), ("customer#a", "a@x#y"), ("customer#b", "b")])
    world.deliveries.note("mail", [("customer#a", "a")])
    world.deliveries.put([ROW])
    assert world.deliveries.names("customer#a") == [("crm", "a@x#y"), ("mail", "a")]
    changes = len(world.table.changes)
    world.deliveries.note("mail", [("customer#a", "a")])
    assert len(world.table.changes) == changes
    world.deliveries.forget("customer#a")
    assert {key for key, _ in world.table.items} == {"deliveries#customer#b"}


def test_the_job_that_a_row_was_sent_by_stands_beside_it_whatever_the_row_says_and_goes_with_the_customer() -> None:
    world = World()
    other = replace(ROW, transition_id="t2")
    by_job = ByJob("750#1", 7, NOW_MS)
    world.deliveries.note_jobs([(ROW, by_job)])
    world.deliveries.put([ROW, other])
    assert world.deliveries.jobs([ROW, other]) == {(ROW.key, ROW.place): by_job}
    assert world.deliveries.page("customer#a", 5)[0] == [other, ROW]
    expire = [item["expires"] for (_, place), item in world.table.items.items() if place.startswith("job#")]
    assert expire == [{"N": str(NOW_MS // 1_000 + JOBS_KEPT_DAYS * 86_400)}]
    world.deliveries.forget("customer#a")
    assert not world.table.items


def test_rows_expire_and_names_do_not() -> None:
    world = World()
    world.deliveries.put([ROW])
    world.deliveries.note("crm", [("customer#a", "a")])
    expire = {key: item.get("expires") for key, item in world.table.items.items()}
    assert expire[("deliveries#customer#a", ROW.place)] == {"N": str(ROW.updated_ms // 1000 + 400 * 86_400)}
    assert expire[("deliveries#customer#a", "as#crm#a")] is None


def test_the_answer_names_all_of_it() -> None:
    assert answer(ROW) == {
        "destination": "crm",
        "transition_id": "t1",
        "audience": "win_back",
        "arm": "treatment",
        "at": "2026-01-01T00:00:00Z",
        "state": "waiting",
        "reason": "503: down",
        "attempts": 2,
        "updated_at": "2026-01-01T00:00:00.005Z",
    }
