"""Stores of the ledger: SQLite embedded, PostgreSQL for a cluster, a seam for ClickHouse."""
