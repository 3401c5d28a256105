"""Tables: Parquet, Arrow and CSV files as NumPy columns and canonical values."""
