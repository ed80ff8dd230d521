"""Generated rules as people write them, over names that are numbers, texts, attributes and counts."""

from hypothesis import strategies as st

from shared.audiences.reading import Names
from shared.decisions.intent import ACTIONS
from shared.models.manifests import TARGETS
from shared.recommending.lists import LISTS
from tests.support.examples import sampled

NAMES = Names.of(TARGETS, ACTIONS)
NUMBERS = ("churn_probability", "expected_ltv", "days_since_order", "orders_365d", "views_per_visit_30d", "segment")
ATTRIBUTES = ("region", "tier", "born", "score", "attribute('email ok')", "attributes.segment", "attribute('Größe')")
SUBJECTS = ("Shoes", "Hats", "Acme", "p1", "brand: Acme", "product: Hats", "category: Hats", "Überzug", "it''s")
OF_EVENTS = ("search", "purchase", "type: campaign_exposure", "campaign: spring", "campaign: Shoes")
PRODUCTS = ("p1", "Hats", "Überzug", "it''s")
DAYS = (1, 2, 7, 30, 60, 365)

_numbers = st.one_of(
    st.sampled_from([0, 1, 2, 0.5, 0.6, -1, 200, 1987]), st.floats(-10, 400, width=32, allow_subnormal=False)
).map(lambda value: f"{float(value):.9g}")
_texts = st.sampled_from(["DE", "Köln", "gold", "silver", "1987", "0.5", "true", "false", "ü" * 100, "", "it''s"])
_quoted = _texts.map(lambda text: f"'{text}'")
_operators = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
_days = st.sampled_from(DAYS)


@st.composite
def _counts(draw: st.DrawFn) -> str:
    measure = draw(sampled(("views", "carts", "orders", "events")))
    days = draw(_days)
    subject = draw(sampled((None, *SUBJECTS, *OF_EVENTS) if measure == "events" else (None, *SUBJECTS)))
    return f"{measure}({days})" if subject is None else f"{measure}('{subject}', {days})"


_known_numbers = st.one_of(st.sampled_from(NUMBERS), _counts())
_attributes = st.sampled_from(ATTRIBUTES)
_lists = st.sampled_from(LISTS)
_lefts = st.one_of(_known_numbers, _attributes)
_beside_attributes = st.one_of(_numbers, _attributes, st.one_of(_quoted, st.sampled_from(["true", "false"])))
_beside_numbers = st.one_of(_numbers, _attributes, _known_numbers)


@st.composite
def _comparisons(draw: st.DrawFn) -> str:
    left = draw(_lefts)
    right = _beside_attributes if left in ATTRIBUTES else _beside_numbers
    match draw(st.integers(-1, 5)):
        case -1:
            return f"'{draw(sampled(PRODUCTS))}' {draw(sampled(('', 'not ')))}in {draw(_lists)}"
        case 0:
            return f"{left} is {draw(sampled(('', 'not ')))}null"
        case 1:
            return f"{left} {draw(sampled(('', 'not ')))}in ({draw(right)}, {draw(right)})"
        case 2:
            return f"{left} between {draw(right)} and {draw(right)}"
        case 3:
            return f"intent {draw(sampled(('=', '<>')))} '{draw(sampled(('loyal', 'dormant')))}'"
        case _:
            return f"{left} {draw(_operators)} {draw(right)}"


rules = st.recursive(
    _comparisons(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        inner.map(lambda part: f"not ({part})"),
    ),
    max_leaves=6,
)
"""The text of a rule."""
