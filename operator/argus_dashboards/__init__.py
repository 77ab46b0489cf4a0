"""Grafana's dashboards, made from code: `boards` has all of them, `draw` what they are made of."""
