"""Kubernetes: a Deployment or a LeaderWorkerSet, its service, and what scales it."""
