"""Lets old versions of the package, with the old Django that they ask for, run on the Python of today.

Each of these gives back a name that Python or a library has dropped since, or reads a value in its newer form. Nothing
of what the package itself does is changed. On a version that needs none of it, nothing happens.
"""

import collections
import collections.abc
import inspect


def mend():
    """Call it once, before anything of Django is imported."""
    for name in ("Callable", "Hashable", "Iterable", "Iterator", "Mapping", "MutableMapping", "Sequence", "Sized"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    if not hasattr(inspect, "getargspec"):
        inspect.getargspec = inspect.getfullargspec


def mend_django():
    """Call it once, when Django is set up."""
    from django import VERSION

    if VERSION < (3, 1) and settings_use_postgres():
        # Today's psycopg2 says the distance to UTC as a time span; old Django knows it as minutes.
        from django.db.backends.postgresql import base
        from django.utils.timezone import utc

        base.utc_tzinfo_factory = lambda _distance_of_utc: utc


def settings_use_postgres():
    from django.conf import settings

    return settings.DATABASES["default"]["ENGINE"].endswith("postgresql")


def leaves_json_texts_to_models():
    """Whether this version does not read a JSON field's text by itself."""
    return version() < (0, 8)


def wants_serializable_connection():
    """Whether this version works on PostgreSQL through a second connection, of its own isolation level."""
    return version() < (0, 6, 8)


def takes(function, name):
    """Whether a function of this version knows an argument of this name."""
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.name == name or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def version():
    """The version of the package that runs."""
    from morango import __version__

    return tuple(int(part) for part in __version__.split("."))
