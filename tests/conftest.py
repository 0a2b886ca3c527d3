"""Settings that every test shares."""

import sys

import structlog
from hypothesis import HealthCheck, settings

# A shared machine may be slow at any moment; whether a property holds must not depend on that.
settings.register_profile(
    "novatio", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("novatio")

# A node that runs in a thread of the tests logs at any moment. Unconfigured, structlog would write
# into whatever stands for standard output just then, such as the captured answer of a command.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
