"""A hundred audiences, of rules as shops write them: over predictions, times, attributes and what was done lately."""

from shared.audiences.audience import Audience, Audiences, Publication, decode_publication, encode_publication
from shared.audiences.reading import Names, read_rule
from shared.models.labels import ACTIONS
from shared.models.manifests import TARGETS

_RULES = (
    "churn_probability > 0.{n:02} and days_since_order > {d}",
    "orders('category {n}', {d}) > 1 and region = 'DE'",
    "views('category {n}', {d}) = 0 and orders_365d >= {k}",
    "segment = {k} and expected_ltv > {d}",
    "days_since_visit between {k} and {d} and intent = 'loyal'",
)
HOW_MANY = 100


def hundred_audiences() -> Audiences:
    """As functions read them from the bucket."""
    names = Names.of(TARGETS, ACTIONS)
    audiences = []
    for i in range(HOW_MANY):
        where = _RULES[i % len(_RULES)].format(n=i, d=2 + i * 37 % 88, k=i % 4)
        audiences.append(Audience(f"a{i}", f"Audience {i}", where, read_rule(where, names), 1, 0.1))
    published = Publication(Audiences(1, tuple(audiences)), "", "", "")
    return decode_publication(encode_publication(published)).audiences
