"""One table of flights → what the contract names, split by time."""

import pandas as pd
from settings import CONTRACT, EXTRA, FILES, FOLDER, INPUTS, PARAMS


def features(flights: pd.DataFrame) -> pd.DataFrame:
    """Adds the id, the label and every input to raw flights. Nothing here looks past the scheduled departure."""
    date = pd.to_datetime(flights[["year", "month", "day"]])
    departure, arrival = flights["sched_dep_time"], flights["sched_arr_time"]
    return flights.assign(
        flight_id=date.dt.strftime("%Y-%m-%d") + "-" + flights["carrier"] + flights["flight"].astype(str) + "-"
        + flights["origin"] + "-" + departure.astype(str).str.zfill(4),
        late=(flights["arr_delay"] > 15).astype(int),
        day=date.dt.strftime("%Y-%m-%d"),
        weekday=date.dt.day_of_week,
        departure_minute=departure // 100 * 60 + departure % 100,
        # 24:00 is written 2400 in the tables.
        arrival_minute=(arrival // 100 * 60 + arrival % 100) % 1440,
        aircraft_age=flights["year"] - flights["built"],
    )  # fmt: skip


def main() -> None:
    """Writes the training and the held-out rows."""
    flights = features(pd.read_parquet(FOLDER / "data" / "flights.parquet"))
    keep = list(dict.fromkeys([CONTRACT["id"], CONTRACT["label"], *EXTRA, *INPUTS]))
    month = flights["day"].str[:7]
    for name, months in (("training", "train_months"), ("holdout", "holdout_months")):
        part = flights[month.isin(PARAMS["split"][months])]
        part[keep].sort_values(CONTRACT["id"]).to_parquet(FILES[name], index=False)


if __name__ == "__main__":
    main()
