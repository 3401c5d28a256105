"""Numbers from tables: numpy in, frozen values out. Reads no file, no clock, and decides nothing."""
