"""The control loop's shell: `argus_core.control` with clocks, and calls to workers and routers.

`argus up` and the operator run the same `Control`; they differ in how they learn who is where.
"""
