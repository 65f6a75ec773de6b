"""Launching each engine: its settings as a file and as flags."""
