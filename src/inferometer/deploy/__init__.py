"""From a plan to files that run it: engines, Compose, Kubernetes, Prometheus, Grafana."""
