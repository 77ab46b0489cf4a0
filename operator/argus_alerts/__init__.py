"""Rules for Prometheus: plain data, which manifests/ and the chart are written from."""
