"""The pure domain: cluster document, ladder, choice of level, plan. No I/O, threads or clock."""
