"""The meter: what every token of live traffic cost."""
