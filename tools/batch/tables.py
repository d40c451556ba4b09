"""Tables that are too long for one file: several Parquet or CSV files in one folder."""

FORMATS = ("parquet", "csv")
ROWS_PER_FILE = 10_000  # recordings or clips


def batched(values, n):
    """Split a list or a DataFrame into pieces of n; an empty one gives one empty piece."""
    return [values[i : i + n] for i in range(0, max(1, len(values)), n)]


def write_part(table, folder, *, number, kind):
    """Write one piece of a table as folder/part-00000.parquet and so on. kind: one of FORMATS."""
    folder.mkdir(parents=True, exist_ok=True)
    write = table.to_csv if kind == "csv" else table.to_parquet
    write(folder / f"part-{number:05d}.{kind}", index=False)
