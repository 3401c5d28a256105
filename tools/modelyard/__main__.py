"""``python -m modelyard``."""

from modelyard.cli import main

if __name__ == "__main__":
    main()
