"""New model repositories, and what this machine lacks."""
