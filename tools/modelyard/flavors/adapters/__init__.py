"""How other servers load a folder of ``served``: a file for each, which their own process imports."""
