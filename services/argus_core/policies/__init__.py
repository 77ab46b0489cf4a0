"""Policies: who serves what, at which level, on which worker. Argus's own and those it is held to.

`policy` holds the one interface; every other module is one policy, or what several share. All
are driven alike by the simulator; the router drives Argus's through `argus_core.choice`.
"""
