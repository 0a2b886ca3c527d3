"""Settings that every test shares."""

from hypothesis import HealthCheck, settings

# A shared machine may be slow at any moment; whether a property holds must not depend on that.
settings.register_profile(
    "novatio", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("novatio")
