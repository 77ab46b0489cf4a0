"""The simulator: policies against recorded arrivals, in virtual time.

`scenario` is what happens, `engine.simulate` lets it happen to a policy, `outcome` is what became
of every request, and `summary` what is told of it. `bound` is what nobody can beat.
"""
