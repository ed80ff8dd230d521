"""DuckDB where it reads what others wrote: that file and nothing else, in bounded memory, as it was set up here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

MEMORY = "160MB"
"""Of DuckDB's own count, which leaves out some of what strings take: see confined.py for what holds in any case."""
APART = (
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
)
"""What keeps a database from files, extensions and variables that are none of its own."""
LOCKED = "SET lock_configuration = true"
_SETTINGS = (
    *APART,
    "SET enable_external_file_cache = false",
    # A file on the disk is not waited for, and of a million rows in one group what is fetched ahead takes 100 MB.
    "SET disable_parquet_prefetching = true",
    "SET streaming_buffer_size = '2MB'",
    "SET max_streaming_buffer_size = '4MB'",
    "SET arrow_large_buffer_size = true",
    # What texts become of times must not hang on where the machine is.
    "SET TimeZone = 'UTC'",
    LOCKED,
)


def locked_database(*paths: Path, memory: str = MEMORY, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """An empty database in memory that can reach the files at `paths`, which must be ours, and nothing else.

    What does not fit into `memory` goes into the folder `spill`; without one, such a query fails and writes nothing.
    """
    import duckdb

    database = duckdb.connect(config={"threads": 1, "memory_limit": memory, "temp_directory": str(spill or "")})
    quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    for setting in (f"SET allowed_paths = [{quoted}]", *_SETTINGS):
        database.execute(setting)
    return database
