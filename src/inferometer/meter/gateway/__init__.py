"""The data plane: a reverse proxy that records what it forwards."""
