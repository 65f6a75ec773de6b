"""The loop closed on a real engine: run it, load it, fit it, change what pays, prove the saving."""
