"""The local server: Open Inference Protocol v2 on plain ASGI, with contract check and prediction log."""
