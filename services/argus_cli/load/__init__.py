"""A load generator: requests at their moments, whatever becomes of the others, and a report."""
