"""Adapters for other servers, which load a folder of ``served``: one file each, imported by the server's process."""
