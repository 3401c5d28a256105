"""flights, weather and planes of the months asked for → one table of flights that arrived."""

import pandas as pd
from settings import DATA, FOLDER, PARAMS


def main() -> None:
    """Joins each flight with the weather of its hour and the year its aircraft was built."""
    months = PARAMS["split"]["train_months"] + PARAMS["split"]["holdout_months"]
    flights = pd.concat(pd.read_parquet(DATA / "flights" / f"{month}.parquet") for month in months)
    weather = pd.concat(pd.read_parquet(DATA / "weather" / f"{month}.parquet") for month in months)
    planes = pd.read_parquet(DATA / "planes.parquet")
    flights = flights[flights["arr_delay"].notna()]
    joined = flights.merge(
        weather.drop(columns=["year", "month", "day", "hour"]), on=["origin", "time_hour"], how="left"
    )
    joined = joined.merge(planes[["tailnum", "year"]].rename(columns={"year": "built"}), on="tailnum", how="left")
    output = FOLDER / "data" / "flights.parquet"
    output.parent.mkdir(exist_ok=True)
    joined.to_parquet(output, index=False)


if __name__ == "__main__":
    main()
