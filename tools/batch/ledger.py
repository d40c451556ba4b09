"""What a batch has done so far: an SQLite file that survives a kill at any moment."""

import json
import sqlite3
from contextlib import AbstractContextManager, ExitStack

import numpy as np
import pandas as pd

from tools.command_line import UsageError

TIMES = ("start_s", "end_s", "score")
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (value TEXT);
CREATE TABLE IF NOT EXISTS recordings (
    name TEXT PRIMARY KEY, identity TEXT, duration_s REAL, listened_s REAL, call_count INTEGER,
    remarks TEXT, damage TEXT, reason TEXT);
CREATE TABLE IF NOT EXISTS events (
    name TEXT, number INTEGER, start_s REAL, end_s REAL, score REAL, PRIMARY KEY (name, number));
CREATE TABLE IF NOT EXISTS parts (
    name TEXT, identity TEXT, part INTEGER, n_parts INTEGER, score BLOB, length INTEGER, found TEXT,
    PRIMARY KEY (name, part));
"""


class Ledger(AbstractContextManager):
    """The counted recordings, their calls, and the parts of recordings that are not complete.

    path: the file; created if it does not exist. about: dict of all that the counts depend on,
    except the recordings. In the methods, identity is a text that changes with a recording's
    content. Raises UsageError if the file was made for another `about`, is damaged, or is in use:
    one process at a time may open it.
    """

    def __init__(self, path, about):
        about = json.dumps(about, sort_keys=True)
        with ExitStack() as on_error:
            try:
                self._file = sqlite3.connect(path, timeout=1)
                on_error.callback(self._file.close)
                # One writer without shared memory: this also works on network folders.
                self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._file.execute("PRAGMA journal_mode = WAL")
                self._file.execute("PRAGMA synchronous = NORMAL")
                self._file.executescript(SCHEMA)
                with self._file:
                    first = "INSERT INTO about SELECT ? WHERE NOT EXISTS (SELECT * FROM about)"
                    self._file.execute(first, (about,))
                found = self._file.execute("SELECT value FROM about").fetchone()[0]
            except sqlite3.Error as error:
                reason = f"{path} cannot be used ({error}): choose another folder"
                if "locked" in str(error):
                    reason = f"another run is writing to {path.parent}"
                raise UsageError(reason) from None
            if found != about:
                raise UsageError(
                    f"{path.parent} holds counts made with another model or other settings: "
                    "choose a new folder"
                )
            on_error.pop_all()

    def __exit__(self, *_):
        self._file.close()

    def is_counted(self, name, identity):
        """Whether a recording was counted and has not changed since."""
        query = "SELECT 1 FROM recordings WHERE name = ? AND identity = ? AND reason = ''"
        return self._file.execute(query, (name, identity)).fetchone() is not None

    def add_part(self, task, *, n_parts, score, length, found):
        """Keep the score of one part until all parts are there.

        task: has `name`, `identity` and `part`. score: float32 (n_steps,). length: number of
        samples from the start of the recording to the end of the part. found: what else was found
        in it, a dict that can be written as JSON.
        """
        row = (task.name, task.identity, task.part, n_parts, score.tobytes(), length)
        row = (*row, json.dumps(found))
        with self._file:
            self._file.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def parts(self, name, identity):
        """(n_parts, set of the parts that are kept) of a recording; (None, set()) without any."""
        query = "SELECT n_parts, part FROM parts WHERE name = ? AND identity = ?"
        rows = self._file.execute(query, (name, identity)).fetchall()
        return (rows[0][0] if rows else None), {part for _, part in rows}

    def joined(self, name, identity):
        """(score float32 (n_steps,), length, list of found) of a recording whose parts are kept."""
        query = "SELECT score, length, found FROM parts WHERE name = ? AND identity = ?"
        rows = self._file.execute(f"{query} ORDER BY part", (name, identity)).fetchall()
        scores = [np.frombuffer(score, np.float32) for score, _, _ in rows]
        return np.concatenate(scores), rows[-1][1], [json.loads(found) for _, _, found in rows]

    def finish(self, name, identity, *, duration_s, listened_s, remarks, damage, events):
        """Keep the calls of a recording.

        damage: list of (start, end) of places that could not be decoded, s. events: DataFrame
        `start_s, end_s, score`.
        """
        damage = json.dumps(damage)
        row = (name, identity, duration_s, listened_s, len(events), remarks, damage, "")
        self._replace(row, events.to_numpy(float).tolist())

    def fail(self, name, identity, reason):
        """Keep the reason why a recording was not counted; the next run tries it again."""
        self._replace((name, identity, None, None, None, "", "[]", reason), [])

    def _replace(self, row, events):
        name, reason = row[0], row[-1]
        calls = [(name, number, *event) for number, event in enumerate(events)]
        with self._file:
            self._file.execute("DELETE FROM events WHERE name = ?", (name,))
            if not reason:
                self._file.execute("DELETE FROM parts WHERE name = ?", (name,))
            marks = ", ".join("?" * len(row))
            self._file.execute(f"INSERT OR REPLACE INTO recordings VALUES ({marks})", row)
            self._file.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", calls)

    def recordings(self, names):
        """A DataFrame of the sorted list `names`.

        Columns: clip_name, duration_s, listened_s, call_count, remarks, reason.
        """
        columns = "name AS clip_name, duration_s, listened_s, call_count, remarks, reason"
        dtypes = {"duration_s": float, "listened_s": float, "call_count": "Int64"}
        return self._table(f"SELECT {columns} FROM recordings", names, "name").astype(dtypes)

    def events(self, names):
        """DataFrame clip_name, start_s, end_s, score of names, sorted by name and time."""
        query = "SELECT name AS clip_name, start_s, end_s, score FROM events"
        return self._table(query, names, "name, number").astype(dict.fromkeys(TIMES, float))

    def damage(self, names):
        """DataFrame clip_name, start_s, end_s of what could not be decoded in `names`."""
        rows = self._table("SELECT name AS clip_name, damage FROM recordings", names, "name")
        places = [
            (row.clip_name, *place) for row in rows.itertuples() for place in json.loads(row.damage)
        ]
        return pd.DataFrame(places, columns=["clip_name", "start_s", "end_s"]).round(6)

    def _table(self, query, names, order):
        query = f"{query} WHERE name BETWEEN ? AND ? ORDER BY {order}"
        rows = pd.read_sql_query(query, self._file, params=(names[0], names[-1]))
        rows = rows[rows["clip_name"].isin(names)].astype({"clip_name": object})
        return rows.reset_index(drop=True).round(6)  # microseconds
