"""Moves between audiences in the ledger: a row each, who is a member now, and how many are, all in one transaction."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from shared.aws.backoff import Sleep, attempts
from shared.decisions.audience_moves import AudienceMove
from shared.decisions.grounds import Ground
from shared.decisions.transitions import Cause
from shared.ledger.rows import (
    CALLS_AT_MOST,
    KNOWN,
    TRANSIENT_CANCELLATIONS,
    Item,
    LedgerOverloaded,
    partition,
    recorded,
)
from shared.profiles.members import MEMBER, SHARDS, audience_members_of, audience_size_key, size_name

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOVES_A_CALL = 49
"""A transaction takes 100 items: a row and a membership for each move, and the sizes of all audiences."""
PREFIX = "audience#"


class AudienceLedger:
    """Rows and memberships in the partition of each customer's moves."""

    def __init__(self, client: DynamoDBClient, table: str, sleep: Sleep = time.sleep) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def record(self, moves: Sequence[AudienceMove], now_ms: int | None = None) -> int:
        """Keeps those that are not kept yet, whoever is a member by them, and the sizes; returns how many those are.

        Each row says when it was kept, if the clock's time `now_ms` is given. Repeating changes nothing, and a move
        that comes late does not undo what a later one made. Raises LedgerOverloaded and what the table raises.
        """
        distinct = {move.id: move for move in moves}
        return sum(self._record(some, now_ms) for some in _calls(distinct.values()))

    def history(self, key: str, limit: int, before: str | None = None) -> tuple[list[AudienceMove], str | None]:
        """At most `limit` moves of a customer, newest first, and what to go on `before`; None at the end."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :key AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":key": {"S": partition(key)},
                ":first": {"S": PREFIX},
                ":last": {"S": before or f"{PREFIX}~"},
            },
            ScanIndexForward=False,
            Limit=limit + 2,  # `before` itself is among them, and one more tells whether there are more
        )
        rows = [item for item in answer["Items"] if item["sk"]["S"] != before]
        following = rows[limit - 1]["sk"]["S"] if len(rows) > limit else None
        return [decode_move(item) for item in rows[:limit]], following

    def _record(self, moves: Sequence[AudienceMove], now_ms: int | None) -> int:
        unknown = [(move, True) for move in moves]
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            if not unknown:
                return 0
            parts = [(move, part) for move, is_newest in unknown for part in self._parts(move, is_newest, now_ms)]
            try:
                self._client.transact_write_items(
                    TransactItems=[*(part for _, part in parts), *self._count([move for move, _ in unknown])]
                )
            except self._client.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code", "None") for reason in error.response["CancellationReasons"]]
                if any(code not in {KNOWN, "None", *TRANSIENT_CANCELLATIONS} for code in codes):
                    raise
                refused = [part for (_, part), code in zip(parts, codes, strict=False) if code == KNOWN]
                unknown = self._left(unknown, refused)
            else:
                return len(unknown)
        raise LedgerOverloaded(f"{len(unknown)} moves still unrecorded after {CALLS_AT_MOST} attempts")

    def _left(self, moves: list[tuple[AudienceMove, bool]], refused: list[Any]) -> list[tuple[AudienceMove, bool]]:
        """Of the moves those whose rows are not there yet; whoever moved since stays what they became by that."""
        keys = {tuple(part["Put"]["Item"][name]["S"] for name in ("pk", "sk")) for part in refused if "Put" in part}
        stale = {
            tuple(part["Update"]["Key"][name]["S"] for name in ("pk", "sk")) for part in refused if "Update" in part
        }
        return [
            (move, is_newest and (partition(move.key), MEMBER + move.audience) not in stale)
            for move, is_newest in moves
            if (partition(move.key), _row(move)) not in keys
        ]

    def _parts(self, move: AudienceMove, is_newest: bool, now_ms: int | None) -> list[Any]:
        item = _encode(move) | recorded(now_ms)
        put = {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return [{"Put": put}, *([{"Update": self._membership(move)}] if is_newest else [])]

    def _membership(self, move: AudienceMove) -> Any:
        version = {":version": {"N": str(move.version)}}
        entered = {
            "UpdateExpression": "SET version = :version, member_of = :members",
            "ExpressionAttributeValues": {**version, ":members": {"S": audience_members_of(move.audience, move.key)}},
        }
        # What says that they left stays, so that an earlier move that comes late is known as one.
        left = {"UpdateExpression": "SET version = :version REMOVE member_of", "ExpressionAttributeValues": version}
        return {
            "TableName": self._table,
            "Key": {"pk": {"S": partition(move.key)}, "sk": {"S": MEMBER + move.audience}},
            "ConditionExpression": "attribute_not_exists(version) OR version < :version",
            **(entered if move.entered else left),
        }

    def _count(self, moves: Sequence[AudienceMove]) -> list[Any]:
        gains = Counter[str]()
        for move in moves:
            gains[move.audience] += 1 if move.entered else -1
        return counting(self._table, gains)


def counting(table: str, gains: Counter[str]) -> list[Any]:
    """What a transaction adds to the sizes of audiences: one item for all of them, or none."""
    changed = {audience: gain for audience, gain in sorted(gains.items()) if gain}
    if not changed:
        return []
    names = {f"#size{i}": size_name(audience) for i, audience in enumerate(changed)}
    update = {
        "TableName": table,
        "Key": audience_size_key(random.randrange(SHARDS)),
        "UpdateExpression": "ADD " + ", ".join(f"{name} :gain{i}" for i, name in enumerate(names)),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {f":gain{i}": {"N": str(gain)} for i, gain in enumerate(changed.values())},
    }
    return [{"Update": update}]


def _calls(moves: Iterable[AudienceMove]) -> Iterator[list[AudienceMove]]:
    """The moves in their order, as many at a time as a transaction takes, which may name no membership twice."""
    some: list[AudienceMove] = []
    for move in moves:
        if len(some) == MOVES_A_CALL or any((one.key, one.audience) == (move.key, move.audience) for one in some):
            yield some
            some = []
        some.append(move)
    if some:
        yield some


def _row(move: AudienceMove) -> str:
    return f"{PREFIX}{move.version:020d}#{move.audience}"


def _encode(move: AudienceMove) -> Item:
    numbers = {"audience_version": move.audience_version, "at_ms": move.at_ms, "version": move.version}
    texts = {
        "audience": move.audience,
        "arm": move.arm,
        "cause": move.cause.value,
        "model_version": move.model_version,
        "intent": move.intent,
        "action": move.action,
    }
    return {
        "pk": {"S": partition(move.key)},
        "sk": {"S": _row(move)},
        "entered": {"BOOL": move.entered},
        "predictions": {"M": {name: {"N": repr(value)} for name, value in move.predictions.items()}},
        "reasons": {"S": msgspec.json.encode(move.reasons).decode()},
        **{name: {"N": str(value)} for name, value in numbers.items()},
        **{name: {"S": text} for name, text in texts.items() if text is not None},
    }


def decode_move(item: Item) -> AudienceMove:
    """The move of a row."""
    return AudienceMove(
        key=item["pk"]["S"].removeprefix(partition("")),
        version=int(item["version"]["N"]),
        audience=item["audience"]["S"],
        audience_version=int(item["audience_version"]["N"]),
        entered=item["entered"]["BOOL"],
        arm=item["arm"]["S"],
        cause=Cause(item["cause"]["S"]),
        at_ms=int(item["at_ms"]["N"]),
        model_version=item["model_version"]["S"],
        intent=item.get("intent", {}).get("S"),
        action=item.get("action", {}).get("S"),
        predictions={name: float(value["N"]) for name, value in item["predictions"]["M"].items()},
        reasons=msgspec.json.decode(item["reasons"]["S"], type=list[Ground]),
    )
