"""The document that names the live recommender."""

import pytest

from shared.recommending.layout import Publication, decode_publication, encode_publication, recommender_key

LIVE = Publication(3, "20170930-abcdef12", "0" * 64, "2017-10-01T00:00:00Z", "arn:somebody", "a test")


def test_it_comes_back_as_it_was() -> None:
    assert decode_publication(encode_publication(LIVE)) == LIVE
    assert recommender_key(LIVE.recommender_id, "x") == "recommenders/20170930-abcdef12/x"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", encode_publication(Publication(1, "../models", "0" * 64)), b'{"version": "\xff"}'],
)
def test_what_names_none_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="names no recommender"):
        decode_publication(content)
