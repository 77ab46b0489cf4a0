"""What the experiments rest on: their scenarios, and the loads that these are put under.

Every builder is a function of a seed, and of what its experiment varies, that can be sent to
another process. Recorded data are read from a folder (`data.folder`); where it is absent,
look-alikes stand in, and the scenario's name says so.
"""
