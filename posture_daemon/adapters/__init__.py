"""Real and stand-in parts behind the Protocols of `ports.py`."""
