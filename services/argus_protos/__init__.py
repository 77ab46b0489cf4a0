"""The contracts of protos/, generated; see scripts/protos.py."""
