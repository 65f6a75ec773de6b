"""Stores: SQLite embedded, PostgreSQL for a cluster; ClickHouse beside either, for raw rows."""
