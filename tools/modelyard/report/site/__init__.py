"""The static site: pages that open from a file and need neither a server nor the network."""
