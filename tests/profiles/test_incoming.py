from shared.features import encode
from shared.identity.links import Copy
from shared.profiles.incoming import Incoming, unchanged
from tests.support.event_files import profiles, purchase
from tests.support.stored_profiles import profile

TWO = profiles(purchase("a", 1), purchase("a", 2), purchase("b"))
(STATE,) = encode(profiles(purchase("c", 1), purchase("c", 2), purchase("c", 3)))


def test_gives_the_events_of_those_asked_for() -> None:
    assert Incoming(TWO).events_of(["customer#b", "customer#nobody"]).keys == ["customer#b"]


def test_counts_own_events_and_those_in_copies() -> None:
    incoming = Incoming(TWO, copies={"customer#a": {"visitor#v": Copy(1, STATE), "visitor#w": Copy(1, None)}})
    assert incoming.count("customer#a") == 2 + 3
    assert incoming.count("customer#b") == 1
    assert incoming.count("customer#nobody") == 0


def test_a_newer_copy_takes_the_place_of_an_older_one_and_of_no_newer() -> None:
    known = profile("customer#a", visitors={"visitor#v": Copy(2, b"known"), "visitor#w": Copy(1, b"kept")})
    newer = Incoming(TWO, copies={"customer#a": {"visitor#v": Copy(3, b"new")}})
    older = Incoming(TWO, copies={"customer#a": {"visitor#v": Copy(1, b"old")}})
    assert newer.visitors_of(known) == {"visitor#v": Copy(3, b"new"), "visitor#w": Copy(1, b"kept")}
    assert older.visitors_of(known) == known.visitors


def test_links_stay_unless_something_is_said_of_them() -> None:
    links = {"visitor#v": None}
    assert Incoming(TWO).relink(links) == unchanged(links) == links
