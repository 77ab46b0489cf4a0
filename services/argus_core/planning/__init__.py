"""The plan: how many workers of each pool hold each loadout, what a GPU second is worth, and why.

`decide.decide` is the way in; `problem` holds what it reads and `plan` what it returns, both
plain data. `load` turns the routers' reports into what the problem needs. The solver (numpy,
highspy) is imported by `decide` only, so that readers of a plan need neither.
"""
