"""Time, memory and power of one engine step, and what follows for a deployment under load."""
