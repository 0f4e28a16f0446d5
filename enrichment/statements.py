"""The writing side's SQL: each file of `sql/` by its name."""

from pathlib import Path

SQL = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "sql").glob("*.sql")}
