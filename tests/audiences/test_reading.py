"""What rules say, and what people are told of those that cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audiences.reading import DEEPEST, LONGEST_RULE, attributes_of, read_rule
from shared.audiences.rules import All, Attribute, Comparison, Count, Field, IsNull, Literal, Not, Recommended
from shared.audiences.terms import Mistake
from tests.audiences.random_rules import NAMES


def test_the_rule_of_the_contract_is_read() -> None:
    rule = read_rule(
        "churn_probability > 0.6 and expected_ltv > 200 and region = 'DE' and views('Shoes', 7) = 0", NAMES
    )

    assert rule == All(
        (
            Comparison(">", Field("churn_probability"), Literal(0.6)),
            Comparison(">", Field("expected_ltv"), Literal(200.0)),
            Comparison("=", Attribute("region"), Literal("DE")),
            Comparison("=", Count("views", 7, "Shoes"), Literal(0.0)),
        )
    )
    assert attributes_of(rule) == ["region"]


def test_names_and_words_may_be_written_in_capitals() -> None:
    assert read_rule("NOT Days_Since_Order IS NULL", NAMES) == Not(IsNull(Field("days_since_order")))


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ("events('search', 7) > 0", "type"),
        ("events('Shoes', 7) > 0", None),
        ("events('category: search', 7) > 0", "category"),
        ("orders('Brand: Acme', 7) > 0", "brand"),
        ("events('campaign: spring', 7) > 0", "campaign"),
    ],
)
def test_a_subject_may_say_what_it_is(text: str, of: str | None) -> None:
    rule = read_rule(text, NAMES)

    assert isinstance(rule, Comparison)
    assert isinstance(rule.left, Count)
    assert rule.left.of == of


@pytest.mark.parametrize("text", ["'p1' in Buy_Again", "'p1' in (buy_again)", "('p1' in buy_again)"])
def test_a_rule_asks_what_is_recommended(text: str) -> None:
    assert read_rule(text, NAMES) == Recommended("p1", "buy_again")
    assert read_rule(f"not {text}", NAMES) == Not(Recommended("p1", "buy_again"))


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("", "is empty", None),
        ("  ", "is empty", None),
        ("tenure > 1 and churn_probabilty > 0.6", "probably meant: churn_probability", 16),
        ('region = "DE"', "single quotes: 'DE'", 10),
        ("tenure >", "does not fit", 8),
        ("tenure > 1 oder tenure < 2", "'oder' does not fit here", 12),
        ("tenure = 'x", "is a quote open", None),
        ("intent = 'loyall'", "probably meant: loyal", 1),
        ("intent = 'fan'", "there are dormant", 1),
        ("segment = 'Loyal'", "compares a number with a text", 1),
        ("intent > 1", "compares a number with a text", 1),
        ("views('Shoes', 0) > 1", "from 1 to 3,650", 1),
        ("views('Shoes') > 1", "takes a text and days", 1),
        ("viewed('Shoes', 3) > 1", "probably meant: views", 1),
        ("events('serch', 3) > 1", "probably meant: search", 1),
        ("events('type: survey', 3) > 1", "cannot be told apart", 1),
        ("views('type: search', 3) > 1", "of one type already", 1),
        ("views('brand: ', 3) > 1", "without a name", 1),
        ("1 = 1", "the same for everybody", None),
        ("tenure", "compared with nothing", 1),
        ("tenure = null", "is not null", None),
        ("region like 'x%'", "not part of the language", 1),
        ("tenure + 1 > 3", "not part of the language", 1),
        ("(select 1) = tenure", "not part of the language", None),
        ("tenure > (select max(a) from b)", "not part of the language", None),
        ("'p1' in new_for_yu", "no list of products; probably meant: new_for_you", 9),
        ("'p1' in region", "there are buy_again and new_for_you", 9),
        ("'p1' in attributes.buy_again", "no list of products", 9),
        ("buy_again = 'p1'", "write 'ID' in buy_again", 1),
        ("buy_agian = 'p1'", "probably meant: buy_again", 1),
        ("region in buy_again", "not part of the language", 1),
        ("customers.tenure > 1", "only attributes have names with a dot", 1),
        ("tenure > 1; drop table customers", "does not fit", 13),
        ("tenure > 1e999", "not a number", 10),
        ("tenure in ()", "not part of the language", None),
        ("(" * (DEEPEST + 1), "brackets", DEEPEST + 1),
        ("tenure > 1 and " * 300 + "tenure > 2", "more than 4,000", None),
        (" or ".join(["tenure>1"] * 250), "parts", None),
    ],
)
def test_a_mistake_says_where_it_is_and_what_was_meant(text: str, message: str, at: int | None) -> None:
    with pytest.raises(Mistake, match=message) as mistake:
        read_rule(text, NAMES)

    if at is not None:
        assert mistake.value.at == at


@given(text=st.text(max_size=200) | st.text("()'\"=<>andor notinbew,.;-*/ 0123 views", max_size=200))
def test_whatever_is_written_is_a_rule_or_a_mistake(text: str) -> None:
    try:
        read_rule(text, NAMES)
    except Mistake as mistake:
        assert str(mistake)


def test_the_longest_rule_is_read() -> None:
    part = "tenure>1 or "
    text = part * 100 + "tenure>1"

    assert len(text) <= LONGEST_RULE
    read_rule(text, NAMES)
