"""The application's rows: made, changed and deleted as an application would, in the text form that travels."""

import json

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db import transaction
from school.fields import JsonTextField
from school.models import MODELS

FIELDS_OF_MORANGO = ("id", "_morango_dirty_bit", "_morango_source_id", "_morango_partition")
CREATE_BATCH_ROWS = 500


def create(model, fields, source_id=None):
    """Make one row; answers it as it would travel."""
    row = built(MODELS[model], fields, source_id)
    row.save()
    return as_it_travels(row)


def create_many(model, rows=None, count=None, fields=None):
    """Make many rows in one transaction: those given, or `count` of one kind with `{n}` counting in its texts."""
    if rows is None:
        rows = [numbered(fields, number) for number in range(count)]
    made = [built(MODELS[model], each) for each in rows]
    for row in made:
        row.id = row.calculate_uuid()
    with transaction.atomic():
        MODELS[model].objects.bulk_create(made, batch_size=CREATE_BATCH_ROWS)
    return [row.id for row in made]


def update(model, id, fields):
    """Change fields of one row; answers the row as it would travel."""
    row = MODELS[model].objects.get(id=id)
    fill(row, fields)
    row.save()
    return as_it_travels(row)


def delete(model, id):
    """Delete one row and what hangs on it; answers how many rows went, by model."""
    return MODELS[model].objects.get(id=id).delete()[1]


def hard_delete(model, id):
    """The same, and have everyone forget what was in them."""
    return MODELS[model].objects.get(id=id).delete(hard_delete=True)[1]


def get(model, id):
    """One row as it would travel, or nothing."""
    row = MODELS[model].objects.filter(id=id).first()
    return as_it_travels(row) if row else None


def rows(model, where=None):
    """All rows, or those whose fields equal what is given, ordered by id."""
    return [as_it_travels(row) for row in MODELS[model].objects.filter(**(where or {})).order_by("id")]


def dump_rows(model):
    """All rows of a model as they would travel, ordered by id."""
    return rows(model)


def built(model, fields, source_id=None):
    row = model()
    if source_id is not None:
        row._morango_source_id = source_id
    fill(row, fields)
    return row


def fill(row, fields):
    """Set fields from the text form. What foreign keys point at is left to the database to check."""
    known = {field.attname: field for field in row._meta.concrete_fields if field.attname not in FIELDS_OF_MORANGO}
    for name, value in fields.items():
        if name not in known:
            raise LookupError("{} has no field {!r} to set; it has {}".format(row.morango_model_name, name, sorted(known)))
        setattr(row, name, known[name].to_python(value) if isinstance(known[name], JsonTextField) else value)
    is_new = not row.id
    left_out = [
        field.name
        for field in row._meta.concrete_fields
        if isinstance(field, models.ForeignKey) or not (is_new or field.attname in fields)
    ]
    row.clean_fields(exclude=[*FIELDS_OF_MORANGO, *left_out])


def as_it_travels(row):
    return json.loads(DjangoJSONEncoder().encode(row.serialize()))


def numbered(fields, number):
    return {
        name: value.replace("{n}", str(number)) if isinstance(value, str) else value
        for name, value in fields.items()
    }


COMMANDS = (create, create_many, update, delete, hard_delete, get, rows, dump_rows)
