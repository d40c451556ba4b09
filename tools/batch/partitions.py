"""Tables too long for one file: Parquet or CSV, in parts that any program reads one by one."""

FORMATS = ("parquet", "csv")
ROWS = 10_000  # recordings or clips in a part


def batched(values, n):
    """A list or a DataFrame in pieces of n, the last one shorter; of nothing, one empty piece."""
    return [values[i : i + n] for i in range(0, max(1, len(values)), n)]


def write_part(table, folder, *, number, kind):
    """Write a part of a table as folder/part-00000.parquet and so on. kind: one of FORMATS."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"part-{number:05d}.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
