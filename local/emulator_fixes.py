"""Starts ministack with what it lacks of AWS and this system uses; run by its own Python, never imported.

- PartiQL writes reach a table's stream, as on AWS; ministack 1.5.33 forgets them there.
"""

import sys
from collections.abc import Callable
from typing import Any

from ministack.app import main
from ministack.services import dynamodb


def _reach_the_stream(name: str) -> None:
    write: Callable[..., Any] = getattr(dynamodb, name)

    def write_and_tell(table: Any, parsed: Any, *rest: Any) -> Any:
        keep = dynamodb._set_item

        def set_item(table: Any, pk: str, sk: str, item: Any) -> Any:
            old = keep(table, pk, sk, item)
            dynamodb._emit_stream_event(parsed["table"], "MODIFY" if old else "INSERT", old, item)
            return old

        dynamodb._set_item = set_item
        try:
            return write(table, parsed, *rest)
        finally:
            dynamodb._set_item = keep

    setattr(dynamodb, name, write_and_tell)


if __name__ == "__main__":
    _reach_the_stream("_partiql_insert")
    _reach_the_stream("_partiql_update")
    sys.exit(main())
