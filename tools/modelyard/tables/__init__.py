"""Tables on disk: Parquet, Arrow and CSV in, NumPy columns and canonical values out."""
