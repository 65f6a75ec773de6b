"""The search for the cheapest deployment that meets the SLO."""
