"""Secret stores. Manifests have references to secrets, and one adapter per file reads them."""
