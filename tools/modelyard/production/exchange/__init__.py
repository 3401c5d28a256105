"""Exchange of windows with monitoring libraries that run in environments of their own."""
