"""Other tools' logs into the ledger: LiteLLM, Langfuse and OpenTelemetry, each row once."""
