"""The team's table → training rows and held-out rows, with the columns of the contract."""

import pandas as pd
import pyarrow.parquet as pq
from pyarrow import csv, string
from settings import CLASSES, CONTRACT, EXTRA, FILES, FOLDER, INPUTS, LABEL, PARAMS, TASK, TEXTS


def table() -> pd.DataFrame:
    """The rows with a label. Columns that the contract calls texts stay texts: 007 is no 7."""
    data = PARAMS["data"]
    path = FOLDER / data["table"]
    if data["format"] == "parquet":
        rows = pq.read_table(path).to_pandas()
    else:
        texts = dict.fromkeys([*TEXTS, *([] if data["number_rows"] else [CONTRACT["id"]])], string())
        rows = csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=data["separator"]),
            convert_options=csv.ConvertOptions(column_types=texts),
        ).to_pandas()
        rows = rows.mask(rows == "")  # an empty text is missing, as an empty number is
    if data["number_rows"]:
        rows[CONTRACT["id"]] = [f"row-{row}" for row in range(1, len(rows) + 1)]
    rows = rows[rows[LABEL].notna()].reset_index(drop=True)
    rows[LABEL] = label(rows[LABEL])
    return rows[list(dict.fromkeys([CONTRACT["id"], LABEL, *EXTRA, *INPUTS, *filter(None, [PARAMS["split"]["time"]])]))]


def label(values: pd.Series) -> pd.Series:
    """The label as it is measured: 0 and 1, the name of a class, or a number."""
    if TASK == "binary":
        return (values.map(spelled) == PARAMS["data"]["positive"]).astype(int)
    if TASK == "multiclass":
        return values.map(spelled)
    return values.astype(float)


def spelled(value: object) -> str:
    """A value as model.yaml and params.yaml write it: true, 7, blue."""
    if str(value) in ("True", "False"):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def held_out(rows: pd.DataFrame) -> pd.Series:
    """Which rows are held out. Without a time, equal inputs are on one side, and a row keeps its side for ever."""
    split = PARAMS["split"]
    if split["time"]:
        times = rows[split["time"]]
        times = times if pd.api.types.is_numeric_dtype(times) else pd.to_datetime(times)
        return times > times.quantile(1 - split["holdout"], interpolation="lower")
    spread = pd.util.hash_pandas_object(rows[INPUTS], index=False).to_numpy()
    return pd.Series(spread / 2**64 < split["holdout"], index=rows.index)


def main() -> None:
    """Writes the training and the held-out rows."""
    rows = table()
    held = held_out(rows)
    FILES["training"].parent.mkdir(exist_ok=True)
    for name, part in (("training", rows[~held]), ("holdout", rows[held])):
        if part.empty or (CLASSES and set(part[LABEL]) - set(CLASSES)):
            raise SystemExit(f"{name}: {len(part)} rows with the labels {sorted(set(part[LABEL]))}; see params.yaml.")
        part.to_parquet(FILES[name], index=False)


if __name__ == "__main__":
    main()
