"""The record of one run: a SQLite file to which every event is committed as it happens, so that a crash leaves evidence.

A record is only ever appended to.  It can be read while it is written, and after a run that never ended.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from holdfast.errors import INCONCLUSIVE, Problem, Refused
from holdfast.record.event import Asked, Event

APPLICATION = 0x686F6C64
"""SQLite's `application_id` of a record: `hold` in ASCII."""

FORMAT = 1

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE event (at_s REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, drill TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE asked (drill TEXT NOT NULL, probe TEXT NOT NULL, number INTEGER NOT NULL, due_s REAL NOT NULL,
                    asked_s REAL NOT NULL, answered_s REAL NOT NULL, answer TEXT NOT NULL, detail TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as read: `events` in the order they were written, `asked` in the order the answers came."""

    path: str = ""
    meta: Mapping[str, Any]
    events: tuple[Event, ...]
    asked: tuple[Asked, ...]

    @property
    def ended(self) -> bool:
        """False when the run crashed, was killed, or is still going on."""
        return any(event.kind == "run.ended" for event in self.events)


class Store:
    """An open record.  Use it from the thread that created it.

    `failed` is the first thing that could not be written.  An answer that cannot be written raises nothing, since it comes
    from a callback that has no caller to catch it: the next event raises, or the closing.
    """

    def __init__(self, path: Path, database: sqlite3.Connection):
        self.path = path
        self.failed: Refused | None = None
        self._raised = False
        self._database = database

    @classmethod
    def create(cls, path: Path | str) -> "Store":
        """Make a new record, and the folders above it.  Raises Refused if that cannot be, or if something is there already."""
        path = Path(path)
        if path.exists():
            remedy = "a record is never written over: choose another name or move the old one away"
            raise Refused(Problem("there is a file already", where=str(path), remedy=remedy))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(path, isolation_level=None, timeout=10.0)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.execute(f"PRAGMA application_id={APPLICATION}")
            database.execute(f"PRAGMA user_version={FORMAT}")
            database.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            remedy = "choose a folder that exists, may be written to and has room"
            raise Refused(Problem(f"the record cannot be written: {error}", where=str(path), remedy=remedy)) from error
        return cls(path, database)

    def event(self, event: Event) -> None:
        row = (event.at_s, event.kind, event.subject, event.drill)
        self._write("INSERT INTO event VALUES (?, ?, ?, ?, ?)", (*map(_text, row), _json(event.detail)))
        self._tell()

    def asked(self, asked: Asked) -> None:
        row = (asked.drill, asked.probe, asked.number, asked.due_s, asked.asked_s, asked.answered_s, asked.answer, asked.detail)
        self._write("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?)", tuple(map(_text, row)))

    def meta(self, key: str, value: Any) -> None:
        """Anything that JSON can hold; a key that is written again is replaced."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_text(key), _json(value)))
        self._tell()

    def close(self) -> None:
        """Fold the log into the file, so that one file can be copied or attached.  May be called twice.

        Raises Refused if something was not written and nobody has heard of it yet.
        """
        try:
            self._database.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error:
            pass  # a reader has it open, or the disk is full: the log beside the file stays, and is read with it
        self._database.close()
        if not self._raised:
            self._tell()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        if self.failed:
            return  # a record with a hole in it would be taken for one of a silent service
        try:
            self._database.execute(statement, values)
        except sqlite3.Error as error:
            remedy = "make room on the disk; what was written before is kept and `holdfast report` reads it"
            problem = Problem(f"the record cannot be written: {error}", where=str(self.path), remedy=remedy)
            self.failed = Refused(problem, INCONCLUSIVE)

    def _tell(self) -> None:
        if self.failed:
            self._raised = True
            raise self.failed


def read(path: Path | str) -> Record:
    """Read a record, also an unfinished one.  Raises Refused if the file is not there or is no record."""
    path = Path(path)
    if not path.is_file():
        raise Refused(Problem("there is no such record", where=str(path), remedy="give the file that `holdfast drill` named"))
    try:
        # A log without its index in a folder that may not be written to can only be read by leaving the log out.
        try:
            return _read(path, "mode=ro")
        except sqlite3.OperationalError:
            return _read(path, "mode=ro&immutable=1")
    except (sqlite3.Error, ValueError, TypeError) as error:
        remedy = "give the file that `holdfast drill` named"
        raise Refused(Problem(f"this is no record of a run: {error}", where=str(path), remedy=remedy)) from error


def _read(path: Path, how: str) -> Record:
    database = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None, timeout=10.0)
    try:
        if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            raise ValueError("it was not written by holdfast")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            raise ValueError(f"it has format {version}, this holdfast reads up to {FORMAT}")
        database.execute("BEGIN")  # one snapshot, although the run may still be writing
        events = tuple(
            Event(at_s=at_s, kind=kind, subject=subject, drill=drill, detail=json.loads(detail))
            for at_s, kind, subject, drill, detail in database.execute("SELECT * FROM event ORDER BY rowid")
        )
        asked = tuple(
            Asked(drill=drill, probe=probe, number=number, due_s=due_s, asked_s=asked_s, answered_s=answered_s,
                  answer=answer, detail=detail)
            for drill, probe, number, due_s, asked_s, answered_s, answer, detail
            in database.execute("SELECT * FROM asked ORDER BY rowid")
        )
        meta = {key: json.loads(value) for key, value in database.execute("SELECT key, value FROM meta")}
    finally:
        database.close()
    return Record(path=str(path), meta=MappingProxyType(meta), events=events, asked=asked)


def _text(value: Any) -> Any:
    """What a broken program printed may not be Unicode; the record is."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)
