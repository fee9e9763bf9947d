"""What is in the package's own tables."""

from django.db import connection
from morango.models.core import Buffer
from morango.models.core import DatabaseMaxCounter
from morango.models.core import RecordMaxCounter
from morango.models.core import Store
from morango.models.core import SyncSession
from morango.models.core import TransferSession
from morango.api.serializers import BufferSerializer
from morango.api.serializers import SyncSessionSerializer
from morango.api.serializers import TransferSessionSerializer

STORE_FIELDS = (
    "id",
    "profile",
    "model_name",
    "partition",
    "source_id",
    "serialized",
    "conflicting_serialized_data",
    "deleted",
    "hard_deleted",
    "last_saved_instance",
    "last_saved_counter",
    "_self_ref_fk",
    "dirty_bit",
    "deserialization_error",
    "deserialization_exception",
    "last_transfer_session_id",
)


def dump_store(profile="school"):
    """All records of the store, ordered by id, each with its record max counters."""
    counters = {}
    for record_id, instance_id, counter in RecordMaxCounter.objects.values_list("store_model_id", "instance_id", "counter"):
        counters.setdefault(record_id, {})[instance_id] = counter
    # Older versions lack some of these, and say with an empty text that there is no error.
    known = [name for name in STORE_FIELDS if name in {field.attname for field in Store._meta.concrete_fields}]
    told = []
    for record in Store.objects.filter(profile=profile).order_by("id").values(*known):
        told.append({name: record.get(name) for name in STORE_FIELDS})
        told[-1]["deserialization_error"] = told[-1]["deserialization_error"] or None
        told[-1]["record_max_counters"] = counters.get(record["id"], {})
    return told


def dump_counters():
    """All database max counters, ordered by partition and instance."""
    return list(
        DatabaseMaxCounter.objects.order_by("partition", "instance_id").values("partition", "instance_id", "counter")
    )


def dump_sessions():
    """All sync and transfer sessions in the form that travels, open and closed, oldest first."""
    return {
        "sync": SyncSessionSerializer(SyncSession.objects.order_by("start_timestamp"), many=True).data,
        "transfer": TransferSessionSerializer(TransferSession.objects.order_by("start_timestamp"), many=True).data,
    }


def dump_buffers():
    """All buffer records in the form that travels."""
    return BufferSerializer(Buffer.objects.order_by("pk"), many=True).data


def stored_sql(sql, params=()):
    """Run one statement on the database, with `%s` for each parameter; answers rows, or how many were touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        if cursor.description is None:
            return {"touched": cursor.rowcount}
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


COMMANDS = (dump_store, dump_counters, dump_sessions, dump_buffers, stored_sql)
