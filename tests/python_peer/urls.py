"""What the peer serves: morango's own paths under `api/morango/v1/`, and nothing else."""

from django.urls import include
from django.urls import path

urlpatterns = [path("", include("morango.urls"))]
