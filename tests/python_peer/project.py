"""The settings of the Django project around the `school` models, made in code: one database, nothing else to configure."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import older

HERE = Path(__file__).resolve().parent

CAPABILITY_SETTINGS = {
    # capability: (Django setting that decides it, value that switches it on)
    "ALLOW_CERTIFICATE_PUSHING": ("ALLOW_CERTIFICATE_PUSHING", True),
    "ASYNC_OPERATIONS": ("MORANGO_DISALLOW_ASYNC_OPERATIONS", False),
    "FSIC_V2_FORMAT": ("MORANGO_DISABLE_FSIC_V2_FORMAT", False),
}


def configure(database, without_models=(), with_extra=False, verbose=False, hurried=True):
    """Set Django up on `database`, the path of a SQLite file or the URL of a PostgreSQL database.

    Call it once, before anything imports a model.
    """
    import django
    from django.conf import settings

    # The machine's own identity is not wanted: two peers on one machine differ by their databases, and looking for
    # network interfaces costs a quarter of a second. Set these two outside to choose an instance id.
    os.environ.setdefault("MORANGO_SYSTEM_ID", "python-peer-system")
    os.environ.setdefault("MORANGO_NODE_ID", "python-peer-node")
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))

    settings.configure(
        SECRET_KEY="a test peer keeps no secrets",
        ALLOWED_HOSTS=["*"],
        DEBUG=False,
        USE_TZ=True,
        TIME_ZONE="UTC",
        # Translations are of no use here, and the oldest Django looks for them in a way that Python no longer knows.
        USE_I18N=False,
        ROOT_URLCONF="urls",
        INSTALLED_APPS=["rest_framework", "morango", "school"],
        MIDDLEWARE=[],
        DATABASES=databases(str(database)),
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        # Tables are made from the models at once. Walking through the package's migrations takes seconds.
        MIGRATION_MODULES={"morango": None, "school": None},
        AUTH_USER_MODEL="school.Account",
        AUTHENTICATION_BACKENDS=["school.accounts.AccountBackend"],
        # Test accounts: a slow hash would protect nothing here.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        REST_FRAMEWORK={
            "UNAUTHENTICATED_USER": None,
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        MORANGO_INSTANCE_INFO={"application": "morango-python-peer"},
        SCHOOL_WITHOUT_MODELS=tuple(without_models),
        SCHOOL_WITH_EXTRA=with_extra,
        LOGGING={
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr}},
            "root": {"handlers": ["stderr"], "level": "DEBUG" if verbose else "WARNING"},
        },
    )
    django.setup()
    older.mend_django()

    from django.db.backends.signals import connection_created

    def configure_connection(connection, **_):
        if connection.vendor != "sqlite":
            return
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
            if hurried:
                # The system writes to the disk when it likes: a story may kill the peer, but nobody pulls the plug.
                cursor.execute("PRAGMA synchronous = OFF")

    connection_created.connect(configure_connection, weak=False)


def databases(database):
    """The database under the names by which the package asks for it. Connections are kept open."""
    if not database.startswith("postgres"):
        sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": database, "OPTIONS": {"timeout": 60}}
        return {"default": dict(sqlite, CONN_MAX_AGE=None)}
    url = urlsplit(database)
    postgres = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": url.hostname,
        "PORT": url.port or "",
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "NAME": url.path.lstrip("/"),
        "CONN_MAX_AGE": None,
    }
    if not older.wants_serializable_connection():
        return {"default": postgres}
    from psycopg2.extensions import ISOLATION_LEVEL_SERIALIZABLE

    serializable = dict(postgres, OPTIONS={"isolation_level": ISOLATION_LEVEL_SERIALIZABLE})
    return {"default": postgres, "default-serializable": serializable}


def use_database(database):
    """Work on another database of the same kind, before any has been opened."""
    from django.conf import settings

    for name, values in databases(database).items():
        settings.DATABASES[name].update(values)


def prepare_database():
    """Make what the database lacks: tables, columns of fields that came with a flag, scope definitions."""
    from django.apps import apps
    from django.core.management import call_command
    from django.db import connection

    existing = set(connection.introspection.table_names())
    wanted = [
        model
        for label in ("morango", "school")
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    ]
    with connection.schema_editor() as editor:
        for model in wanted:
            if model._meta.db_table not in existing:
                editor.create_model(model)
    for model in wanted:
        if model._meta.app_label != "school" or model._meta.db_table not in existing:
            continue
        with connection.cursor() as cursor:
            columns = {column.name for column in connection.introspection.get_table_description(cursor, model._meta.db_table)}
        with connection.schema_editor() as editor:
            for field in model._meta.local_concrete_fields:
                if field.column not in columns:
                    editor.add_field(model, field)
    call_command("loaddata", "scopedefinitions", verbosity=0)
