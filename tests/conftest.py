"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# Times decide nothing here: the machine may be busy with other tests.
settings.register_profile("argus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("argus")
