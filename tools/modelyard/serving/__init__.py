"""The local server: Open Inference Protocol v2 on plain ASGI, with a contract check in front and a log behind."""
