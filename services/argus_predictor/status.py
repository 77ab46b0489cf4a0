"""Exit statuses of a training, for who starts one."""

from __future__ import annotations

WRITTEN = 0
"""The head is better than the one in place, or there was none."""
NOT_BETTER = 3
"""The head in place is as good, and stays."""
