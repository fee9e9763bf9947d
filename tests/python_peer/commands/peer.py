"""The peer itself: who it is, what it is capable of, what it hears."""

from django.conf import settings
from morango.models.core import DatabaseIDModel
from morango.models.core import InstanceIDModel
from morango.utils import CAPABILITIES

from commands.certificates import shared_key
from project import CAPABILITY_SETTINGS
from server import Recorder

ALL_CAPABILITIES = {"GZIP_BUFFER_POST", *CAPABILITY_SETTINGS}


def instance():
    """Who this peer is, and how far its counter has come."""
    current, _ = InstanceIDModel.get_or_create_current_instance()
    return {"id": current.id, "counter": current.counter, "proquint": current.get_proquint()}


def renew_instance():
    """Become another instance on the same data, as after a copied or restored database."""
    DatabaseIDModel.objects.create()
    InstanceIDModel.get_or_create_current_instance(clear_cache=True)
    return instance()


def set_capabilities(capabilities):
    """Have exactly these capabilities from now on, as server and as client; answers those there are."""
    wanted = set(capabilities)
    if not wanted <= ALL_CAPABILITIES:
        raise LookupError("no such capability: {}".format(", ".join(sorted(wanted - ALL_CAPABILITIES))))
    for capability, (name, value_when_on) in CAPABILITY_SETTINGS.items():
        setattr(settings, name, value_when_on if capability in wanted else not value_when_on)
    # The package reads its settings into this set once, and from then on asks only the set.
    CAPABILITIES.clear()
    CAPABILITIES.update(wanted)
    if "ALLOW_CERTIFICATE_PUSHING" in wanted:
        shared_key()
    return sorted(CAPABILITIES)


def without_capabilities(unwanted):
    """Lose some capabilities, where there are any to lose."""
    if unwanted:
        set_capabilities(CAPABILITIES - set(unwanted))


def start_recording():
    """Write down from now on every request that arrives, and its answer."""
    Recorder.exchanges = []


def stop_recording():
    """What was written down since, in order."""
    exchanges, Recorder.exchanges = Recorder.exchanges, None
    return exchanges or []


COMMANDS = (instance, renew_instance, set_capabilities, start_recording, stop_recording)
