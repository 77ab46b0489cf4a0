"""The predictor: expected quality of a prompt at every level, and its cached neighbours."""
