"""What the peer serves: morango's own paths under `api/morango/v1/`, and nothing else."""

from morango.urls import urlpatterns  # noqa: F401  (Django looks for it here)
