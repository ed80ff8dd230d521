"""BatchExecuteStatement for moto, whose own ignores conditions and duplicates.

The two statements that the profile table sends are carried out as conditional PutItem and UpdateItem on moto's own
table, so that the state, the conditions and the races stay moto's.
"""

import re
from collections import deque
from typing import Any

from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models import DynamoDBBackend

_INSERT = re.compile(r"""INSERT INTO "(?P<table>[^"]+)" VALUE \{(?P<names>[^}]+)\}""")
_UPDATE = re.compile(
    r"""UPDATE "(?P<table>[^"]+)" (?P<sets>SET .+?)(?P<remove>(?: REMOVE "\w+")*) """
    r"""WHERE "pk"=\? AND "sk"=\? AND "version"=\?"""
)


class PartiQL:
    """`refusals` holds error codes for the statements to come, one each, in order; None lets a statement through."""

    def __init__(self) -> None:
        self.refusals: deque[str | None] = deque()
        self.statements = 0

    def batch_execute_statement(
        self, backend: DynamoDBBackend, statements: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        assert len(statements) <= 25
        return [self._execute(backend, statement["Statement"], statement["Parameters"]) for statement in statements]

    def _execute(self, backend: DynamoDBBackend, statement: str, values: list[Any]) -> dict[str, Any]:
        self.statements += 1
        refusal = self.refusals.popleft() if self.refusals else None
        if refusal:
            return _error(refusal)
        if insert := _INSERT.fullmatch(statement):
            item = dict(zip(re.findall(r"'([^']+)': \?", insert["names"]), values, strict=True))
            return _attempt("DuplicateItem", backend.put_item, insert["table"], item, None, "attribute_not_exists(pk)")
        update = _UPDATE.fullmatch(statement)
        assert update, f"not a statement of the profile table: {statement}"
        *new, pk, sk, version = values
        names = re.findall(r'SET "([^"]+)"=\?', update["sets"])
        return _attempt(
            "ConditionalCheckFailed",
            backend.update_item,
            update["table"],
            {"pk": pk, "sk": sk},
            "SET "
            + ", ".join(f"#{name} = :{name}" for name in names)
            + (f" REMOVE {', '.join(gone)}" if (gone := re.findall(r'"(\w+)"', update["remove"])) else ""),
            {f"#{name}": name for name in names},
            {":seen": version, **{f":{name}": value for name, value in zip(names, new, strict=True)}},
            condition_expression="#version = :seen",
        )


def _attempt(code_when_refused: str, operation: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
    try:
        operation(*arguments, **named)
    except ConditionalCheckFailed:
        return _error(code_when_refused)
    return {"TableName": arguments[0]}


def _error(code: str) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": f"{code}, said by the test's table"}}


def respond(partiql: PartiQL) -> Any:
    """The method that takes the place of `DynamoDBBackend.batch_execute_statement`."""
    return lambda backend, statements: partiql.batch_execute_statement(backend, statements)
