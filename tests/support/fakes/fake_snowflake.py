"""Loads exports into fakesnow, makes the views and asks; run by .venv-warehouses' Python alone.

Its argument is a JSON file of `exports`, `tables`, `views` and `queries`; the last line printed is the answers' JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

import fakesnow
import snowflake.connector


def main(given: dict[str, Any]) -> list[list[Any]]:
    """The rows of each query."""
    with fakesnow.patch():
        cursor = snowflake.connector.connect(database="tessera", schema="public").cursor()
        for table, columns in given["tables"].items():
            declared = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
            cursor.execute(f"CREATE TABLE {table} ({declared}, date VARCHAR)")
            for number, file in enumerate(sorted(Path(given["exports"], table).glob("date=*/*.parquet"))):
                # A real stage says in METADATA$FILENAME which date it is; here each date is loaded by itself.
                cursor.execute(f"CREATE STAGE {table}_{number} URL = 'file://{file.parent}/'")
                cursor.execute(
                    f"COPY INTO {table} FROM @{table}_{number} FILE_FORMAT = (TYPE = PARQUET)"
                    " MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
                )
                day = file.parent.name.removeprefix("date=")
                cursor.execute(f"UPDATE {table} SET date = '{day}' WHERE date IS NULL")
        for statement in given["views"].values():
            cursor.execute(statement)
        return [[list(row) for row in cursor.execute(query).fetchall()] for query in given["queries"]]


if __name__ == "__main__":
    answers = main(json.loads(Path(sys.argv[1]).read_text()))
    sys.stdout.write("\n" + json.dumps(answers, default=str) + "\n")
