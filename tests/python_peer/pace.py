"""Makes the package quicker where its slowness would only cost a story time.

It sleeps between chunks and while it waits for a stage; and whenever a certificate of its own is loaded from the
database, it has its private key checked for primality, 40 ms each. `--unhurried` leaves both as they are.
"""

import time
from contextlib import contextmanager

NAP_SECONDS = 0.002

_pausing = False
_slept_seconds = 0.0


def count():
    """Count from now on how long the package pauses. Call it before `hurry`."""
    import morango.sync.controller

    morango.sync.controller.sleep = _sleep_as_told


def slept_seconds():
    """How long the package has paused so far."""
    return _slept_seconds


def hurry():
    """Let the package's pauses go through here, and load keys unchecked. Retries of a lost connection still wait."""
    import morango.sync.controller
    from morango.models.fields import crypto

    morango.sync.controller.sleep = _sleep
    crypto.CryptographyKey._set_private_key_string = _load_unchecked


@contextmanager
def pauses(wanted):
    """Within this, pause as the package would, or not."""
    global _pausing
    before, _pausing = _pausing, wanted
    try:
        yield
    finally:
        _pausing = before


def _sleep(seconds):
    _sleep_as_told(seconds if _pausing else min(seconds, NAP_SECONDS))


def _sleep_as_told(seconds):
    global _slept_seconds
    started = time.monotonic()
    time.sleep(seconds)
    _slept_seconds += time.monotonic() - started


def _load_unchecked(key, private_key_text):
    from cryptography.hazmat.primitives import serialization

    key._private_key = serialization.load_pem_private_key(
        key.ensure_bytes(private_key_text), password=None, unsafe_skip_rsa_key_validation=True
    )
    key._public_key = key._private_key.public_key()
