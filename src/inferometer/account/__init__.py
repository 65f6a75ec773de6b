"""Money, energy and carbon of an outcome: the bill."""
