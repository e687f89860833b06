"""DuckDB, locked down, and queries that report while they run and stop when the job is cancelled."""

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeAlias

from processing.api import Progress, Step

MEMORY = "1GB"
"""DuckDB's own limit. What does not fit goes to its temporary folder; its address space is about twice as large."""

_THREADS = 2
_TICK = 0.2

Connection: TypeAlias = Any
Rows: TypeAlias = list[tuple[Any, ...]]


def connect(source: str, scratch: str) -> Connection:
    """A database in memory that can read one file and write in one folder, and do nothing else outside itself."""
    import duckdb

    spill = Path(scratch, "duckdb")
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY,
            "threads": _THREADS,
            "temp_directory": str(spill),
            "home_directory": scratch,
            "extension_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "preserve_insertion_order": True,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    connection.execute(f"SET allowed_paths = [{text(source)}]")
    connection.execute(f"SET allowed_directories = [{text(scratch)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def text(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted column name."""
    return '"' + name.replace('"', '""') + '"'


def watched(
    connection: Connection, sql: str, message: str, begin: float = 0, end: float = 0
) -> Generator[Step, None, Rows]:
    """Run a query in a thread; yield its progress as a part of the whole job's, from `begin` to `end` of 100.

    Closing the generator interrupts the query. Raises what the query raises.
    """
    rows: Rows = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            rows.extend(connection.execute(sql).fetchall())
        except BaseException as error:  # noqa: BLE001 - raised again in the job's own thread
            failed.append(error)

    thread = threading.Thread(target=work, name="duckdb", daemon=True)
    thread.start()
    try:
        thread.join(_TICK)
        while thread.is_alive():
            share = min(max(connection.query_progress(), 0), 100) / 100
            yield Progress(round(begin + (end - begin) * share, 1), 100, "%", message)
            thread.join(_TICK)
    finally:
        while thread.is_alive():  # again and again: an interrupt before the query began is lost
            connection.interrupt()
            thread.join(0.05)
    if failed:
        raise failed[0]
    return rows
