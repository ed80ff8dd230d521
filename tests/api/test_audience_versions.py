"""What changed from one version of the audiences to the next."""

from shared.api.audience_versions import described
from shared.audiences.audience import Audience, Audiences, Publication
from shared.audiences.publishing import NOTHING
from tests.audiences.test_audience import audience


def version(number: int, *audiences: Audience) -> Publication:
    return Publication(Audiences(number, audiences), f"2017-10-0{number}T00:00:00Z", "ada", "spring")


def test_each_version_says_what_is_new_edited_and_gone() -> None:
    first = version(1, audience("a"), audience("b"))
    second = version(2, audience("a", holdout=0.5), audience("c"))
    versions = [*described([second, first])]
    assert [(one["version"], one["by"], one["why"]) for one in versions] == [(2, "ada", "spring"), (1, "ada", "spring")]
    assert versions[0]["changed"] == [
        {"key": "a", "how": "edited"}, {"key": "b", "how": "removed"}, {"key": "c", "how": "added"},
    ]  # fmt: skip
    assert versions[1]["changed"] == [{"key": "a", "how": "added"}, {"key": "b", "how": "added"}]


def test_nothing_published_is_no_version() -> None:
    assert [*described([NOTHING])] == []
