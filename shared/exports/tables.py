"""The tables that are exported: what each holds, its columns, and how it grows.

One list of facts: what writes Parquet, the Glue tables of template.yaml and docs/exports.md are made from it. Objects
stand below `exports/<table>/date=YYYY-MM-DD/`.
"""

from __future__ import annotations

import re

from shared.exports.schema import Column, Growth, Kind, Table
from shared.features import FEATURES
from shared.models.manifests import TARGETS
from shared.recommending.lists import AGAIN_LIST, NEW_LIST, SENT

EXPORTS = "exports/"

_PLACE = re.compile(r"exports/(?P<table>[a-z_]+)/date=\d{4}-\d\d-\d\d/(?P<name>[^/]+)")
MANIFEST = "_manifest.json"
"""Beside the objects of a date; what begins so is passed over by whoever reads tables."""
LEASE = "_run.json"
"""Beside those of `snapshots`: which run is writing the date."""


def is_of_people(key: str) -> bool:
    """Whether it is the key of an object that holds rows of ours about customers."""
    place = _PLACE.fullmatch(key)
    return place is not None and place["table"] in _PERSONAL and place["name"].endswith(".parquet")


def is_of_nobody(key: str) -> bool:
    """Whether it is the key of an object of ours that names no customer."""
    place = _PLACE.fullmatch(key)
    if place is None or place["table"] not in _NAMES:
        return False
    return place["name"] in (MANIFEST, LEASE) or (
        place["table"] not in _PERSONAL and place["name"].endswith(".parquet")
    )


def folder(table: str, date: str) -> str:
    """Where the objects of a date are; `date` is the day of the snapshot in the shop's time zone, YYYY-MM-DD."""
    return f"{EXPORTS}{table}/date={date}/"


# ---- Columns of several tables ---------------------------------------------------------------------------------------

_CUSTOMER = Column("customer_id", Kind.TEXT, "whose row it is")
_SEGMENT = (
    Column("segment_id", Kind.WHOLE, "the segment of the decision that stands; NULL before the first"),
    Column("segment_name", Kind.TEXT, "what the segment is called, by the shop's labels"),
    Column("segment_since", Kind.TIME, "when they came into it"),
    Column("segment_margin", Kind.NUMBER, "how much nearer it is than the runner-up, 0 to 1"),
    Column("runner_up_segment_id", Kind.WHOLE, "the segment next to it"),
    Column("micro_segment_id", Kind.WHOLE, "the micro-segment; NULL where the bundle has none"),
)
_PREDICTION_MEANINGS = {
    "churn_probability": "that they buy nothing within the horizon; NULL where the bundle leaves it out",
    "conversion_probability": "that they buy within the horizon; NULL where the bundle leaves it out",
    "expected_ltv": "net spend within the horizon, in the stack's currency; NULL where the bundle leaves it out",
}
_PREDICTIONS = (
    *(Column(name, Kind.NUMBER, _PREDICTION_MEANINGS[name]) for name in TARGETS),
    Column("own_predictions", Kind.TEXT, "those of the shop's own [targets](targets.md), a JSON object; NULL without"),
)
_DECISION = (
    *_SEGMENT,
    *_PREDICTIONS,
    Column("intent", Kind.TEXT, "what they are likely to do"),
    Column("action", Kind.TEXT, "the next best action"),
    Column("audiences", Kind.TEXTS, "the audiences they are in, by key, sorted"),
    Column("control_audiences", Kind.TEXTS, "of these the ones whose control group they are in"),
    Column("outside_training", Kind.TEXTS, "features whose values lie outside what the bundle was trained on"),
    Column("next_change_at", Kind.TIME, "when the decision changes if nothing happens"),
    Column("next_segment_id", Kind.WHOLE, "the segment that they are in then"),
    Column("automated_traffic", Kind.FLAG, "whether they have more events than a person makes"),
    Column("as_of", Kind.TIME, "the instant that the decision was made as of"),
    Column("scored_at", Kind.TIME, "the clock's time of the decision"),
    Column("model_version", Kind.TEXT, "the bundle that decided"),
)
_RECOMMENDED = {
    AGAIN_LIST: f"ids of up to {SENT} products that they may [buy again](recommendations.md), the likeliest first; "
    "NULL before there is a recommender",
    NEW_LIST: f"ids of up to {SENT} products that are new for them, the likeliest first; NULL without a recommender",
}
_HAPPENED = Column("happened_at", Kind.TIME, "when it happened")
_ARM = Column("arm", Kind.TEXT, "`treatment` or `control`")

# ---- The tables ------------------------------------------------------------------------------------------------------

CUSTOMERS = Table(
    "customers",
    "Everybody who is stored, with the decision that stands and every feature as of the snapshot.",
    Growth.SNAPSHOT,
    ("customer_id",),
    (
        _CUSTOMER,
        Column("snapshot_at", Kind.TIME, "the instant that features, orders and exposures are as of"),
        Column("events", Kind.WHOLE, "events kept of them"),
        Column("first_event_at", Kind.TIME, "of the events kept the first"),
        Column("last_event_at", Kind.TIME, "of the events kept the last"),
        Column("attributes", Kind.TEXT, "what is known of them, a JSON object of the latest value of each name"),
        *_DECISION,
        *(Column(name, Kind.TEXTS, meaning) for name, meaning in _RECOMMENDED.items()),
        *(Column(feature.name, Kind.FLOAT, feature.shown) for feature in FEATURES),
    ),
)

STATES = Table(
    "states",
    "What is kept of everybody, as the stack itself keeps it: `tessera train --bucket` trains on it.",
    Growth.SNAPSHOT,
    ("customer_id",),
    (
        _CUSTOMER,
        Column("state", Kind.BYTES, "their events and attributes from before the snapshot, encoded"),
    ),
)

ORDERS = Table(
    "orders",
    "A row for each line that was bought or paid back, of the events kept.",
    Growth.SNAPSHOT,
    ("customer_id", "line_id"),
    (
        _CUSTOMER,
        Column("line_id", Kind.WHOLE, "tells the lines of a customer apart, the same in every snapshot"),
        _HAPPENED,
        Column("type", Kind.TEXT, "`purchase` or `refund`"),
        Column("order_code", Kind.WHOLE, "stands for the order's id, which lines of one order share; NULL without one"),
        Column("amount", Kind.MONEY, "quantity times price; of a refund what was paid back, as a positive number"),
        Column("discount", Kind.MONEY, "taken off"),
        Column("product_code", Kind.WHOLE, "stands for the product's id; NULL where none was said"),
        Column("category", Kind.TEXT, "the category's name"),
        Column("brand_code", Kind.WHOLE, "stands for the brand's name; NULL where none was said"),
    ),
)

EXPOSURES = Table(
    "exposures",
    "Who was to be approached by a campaign, and whether they were.",
    Growth.SNAPSHOT,
    ("customer_id", "exposure_id"),
    (
        _CUSTOMER,
        Column("exposure_id", Kind.WHOLE, "tells the exposures of a customer apart, the same in every snapshot"),
        _HAPPENED,
        Column("campaign", Kind.TEXT, "an audience's key, or what the shop calls the campaign"),
        _ARM,
        Column("last_visit_at", Kind.TIME, "when they last did something in a visit before it; NULL if never"),
        Column("next_visit_at", Kind.TIME, "when they first did so from then on; NULL where they have not yet"),
    ),
)

DECISIONS = Table(
    "decisions",
    "The decisions that were made since the snapshot before and stand: those of `customers` who changed.",
    Growth.INCREMENT,
    ("customer_id", "scored_at"),
    (_CUSTOMER, *_DECISION),
)

MOVES = Table(
    "moves",
    "Every move into and out of segments and audiences, as the ledger keeps it.",
    Growth.INCREMENT,
    ("transition_id",),
    (
        Column("transition_id", Kind.TEXT, "the same as on the bus and in the API"),
        _CUSTOMER,
        Column("type", Kind.TEXT, "`segment` or `audience`"),
        _HAPPENED,
        Column("cause", Kind.TEXT, "`events`, `time`, `model`, `identity` or `rule`"),
        Column("from_segment_id", Kind.WHOLE, "the segment left; NULL before the first"),
        Column("to_segment_id", Kind.WHOLE, "the segment entered; NULL of one who is decided on no more"),
        Column("audience", Kind.TEXT, "the audience's key"),
        Column("audience_version", Kind.WHOLE, "of the audiences that were decided on"),
        Column("entered", Kind.FLAG, "whether the audience was entered, or else left"),
        _ARM,
        *_PREDICTIONS,
        Column("intent", Kind.TEXT, "what they were likely to do by then"),
        Column("action", Kind.TEXT, "the next best action by then"),
        Column("reasons", Kind.TEXT, "why, as the API says it, in JSON"),
        Column("model_version", Kind.TEXT, "the bundle that decided"),
        Column("recorded_at", Kind.TIME, "the clock's time at which the ledger took it"),
    ),
)

DELIVERIES = Table(
    "deliveries",
    "What was sent of a customer where, and what became of it: each state as it was last at a snapshot.",
    Growth.INCREMENT,
    ("customer_id", "destination", "transition_id", "updated_at"),
    (
        _CUSTOMER,
        Column("destination", Kind.TEXT, "where it was sent"),
        Column("transition_id", Kind.TEXT, "the move that it tells of"),
        Column("audience", Kind.TEXT, "the audience that was entered or left"),
        _ARM,
        _HAPPENED,
        Column("state", Kind.TEXT, "`accepted`, `sent`, `rejected`, `withheld`, `waiting`, `given_up` or `sending`"),
        Column("reason", Kind.TEXT, "why it was rejected or waits"),
        Column("attempts", Kind.WHOLE, "how often it was tried"),
        Column("updated_at", Kind.TIME, "the clock's time of this state"),
    ),
)

SEGMENTS = Table(
    "segments",
    "The catalogue of segments of the live bundle, with their sizes.",
    Growth.SNAPSHOT,
    ("segment_id",),
    (
        Column("segment_id", Kind.WHOLE, "its id"),
        Column("segment_name", Kind.TEXT, "what it is called, by the shop's labels"),
        Column("description", Kind.TEXT, "what its members are like"),
        Column("customers", Kind.WHOLE, "how many are in it, as the ledger counts them"),
        Column("model_version", Kind.TEXT, "the live bundle"),
    ),
)

AUDIENCES = Table(
    "audiences",
    "The audiences that are live, with their rules and sizes.",
    Growth.SNAPSHOT,
    ("audience",),
    (
        Column("audience", Kind.TEXT, "its key"),
        Column("audience_name", Kind.TEXT, "what the shop calls it"),
        Column("rule", Kind.TEXT, "who is in it"),
        Column("version", Kind.WHOLE, "of the document in which it last became what it is"),
        Column("published_version", Kind.WHOLE, "of the document that is live"),
        Column("holdout", Kind.NUMBER, "the share that is kept out as a control group, 0 to 1"),
        Column("action", Kind.TEXT, "what is to be done with its members; NULL where it leaves that to their intent"),
        Column("destinations", Kind.TEXTS, "where its members are sent"),
        Column("customers", Kind.WHOLE, "how many are in it, as the ledger counts them"),
    ),
)

SNAPSHOTS = Table(
    "snapshots",
    "What is whole: a row for each table of a date, written when all of that date stands.",
    Growth.SNAPSHOT,
    ("table_name",),
    (
        Column("table_name", Kind.TEXT, "the table"),
        Column("row_count", Kind.WHOLE, "its rows of that date, as they were written"),
        Column("object_count", Kind.WHOLE, "its objects of that date"),
        Column("byte_count", Kind.WHOLE, "the bytes of these"),
        Column("run", Kind.TEXT, "the run that wrote them"),
        Column("snapshot_at", Kind.TIME, "the instant that it is as of"),
        Column("recorded_from", Kind.TIME, "of an increment, from when on what was recorded is in it; NULL for ever"),
        Column("recorded_until", Kind.TIME, "of an increment, up to when, by the clock"),
    ),
)

TABLES = (CUSTOMERS, STATES, ORDERS, EXPOSURES, DECISIONS, MOVES, DELIVERIES, SEGMENTS, AUDIENCES, SNAPSHOTS)
"""All of them."""
FOR_WAREHOUSES = tuple(table for table in TABLES if table is not STATES)
"""Those that anybody but training can read."""
_NAMES = frozenset(table.name for table in TABLES)
_PERSONAL = frozenset(table.name for table in TABLES if table.is_personal)
