"""Registration of versions, and their withdrawal."""
