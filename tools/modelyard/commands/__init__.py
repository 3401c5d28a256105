"""One file per tool: read options, call a room, print, exit."""
