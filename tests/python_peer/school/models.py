"""The models of the profile `school`.

A field's name is its column's name, so a row here and the row of the Rust side hold the same under the same names.
Three settings change what there is: `SCHOOL_WITHOUT_MODELS` takes models out of the sync, `SCHOOL_WITH_EXTRA` brings
a model and a field that the other side has never heard of.
"""

import older
from django.conf import settings
from django.db import models
from django.utils import timezone
from morango.models.core import SyncableModel

from school.accounts import Account  # noqa: F401  (Django looks for it here)
from school.fields import JsonTextField


class SchoolModel(SyncableModel):
    """What all have in common: the profile, and a random source id unless a model says otherwise."""

    morango_profile = "school"

    class Meta:
        abstract = True

    def calculate_source_id(self):
        # The oldest version asks even where there is one already.
        return self._morango_source_id or None

    if older.leaves_json_texts_to_models():

        @classmethod
        def deserialize(cls, dict_model):
            read = dict(dict_model)
            for field in cls._meta.concrete_fields:
                if isinstance(field, JsonTextField) and field.attname in read:
                    read[field.attname] = field.to_python(read[field.attname])
            return super().deserialize(read)


class Dataset(SchoolModel):
    """One school's data. Its id is its source id, which is the id of the root certificate made for it."""

    morango_model_name = "dataset"

    description = models.CharField(max_length=200)
    allow_guests = models.BooleanField(default=False)

    @staticmethod
    def compute_namespaced_id(partition_value, source_id_value, model_name):
        return source_id_value

    def calculate_partition(self):
        return "{}:allusers-ro".format(self.ID_PLACEHOLDER)


class BelongsToDataset(SchoolModel):
    """A record of one school."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE)

    class Meta:
        abstract = True

    def calculate_partition(self):
        return "{}:allusers-ro".format(self.dataset_id)


class Facility(BelongsToDataset):
    morango_model_name = "facility"

    name = models.CharField(max_length=100)


class Classroom(BelongsToDataset):
    morango_model_name = "classroom"

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE)


class User(BelongsToDataset):
    """A person. The partition holds the person's own id, so it is known only when the id is."""

    morango_model_name = "user"

    username = models.CharField(max_length=100)
    full_name = models.CharField(max_length=200, blank=True, default="")
    birth_year = models.IntegerField(null=True, blank=True)
    if settings.SCHOOL_WITH_EXTRA:
        nickname = models.CharField(max_length=100, blank=True, default="")

    def calculate_partition(self):
        return "{}:user-ro:{}".format(self.dataset_id, self.ID_PLACEHOLDER)


class BelongsToUser(BelongsToDataset):
    """A record of one person of one school."""

    # What the person may do with it: "user-ro" read, "user-rw" read and write, "user-wo" write.
    access = None

    user = models.ForeignKey(User, on_delete=models.CASCADE)

    class Meta:
        abstract = True

    def calculate_partition(self):
        return "{}:{}:{}".format(self.dataset_id, self.access, self.user_id)


class Membership(BelongsToUser):
    """That a person is in a classroom. The same two make the same record, wherever it is made."""

    morango_model_name = "membership"
    access = "user-ro"

    classroom = models.ForeignKey(Classroom, on_delete=models.CASCADE)

    def calculate_source_id(self):
        return "{}:{}".format(self.user_id, self.classroom_id)


class Assignment(BelongsToUser):
    morango_model_name = "assignment"
    access = "user-ro"

    title = models.CharField(max_length=200)
    due = models.DateTimeField(null=True, blank=True)


class ContentLog(BelongsToUser):
    morango_model_name = "contentlog"
    access = "user-rw"

    content = models.CharField(max_length=200)
    progress = models.FloatField(default=0)
    seconds = models.IntegerField(default=0)
    started = models.DateTimeField(default=timezone.now)
    extra = JsonTextField(default=dict, blank=True)


class Feedback(BelongsToUser):
    morango_model_name = "feedback"
    access = "user-wo"

    text = models.TextField()


class Sampler(BelongsToDataset):
    """One field of every kind, to see how each travels."""

    morango_model_name = "sampler"

    small = models.SmallIntegerField(default=0)
    whole = models.IntegerField(default=0)
    big = models.BigIntegerField(default=0)
    ratio = models.FloatField(default=0)
    flag = models.BooleanField(default=False)
    word = models.CharField(max_length=200, blank=True, default="")
    prose = models.TextField(null=True, blank=True)
    moment = models.DateTimeField(default=timezone.now)
    day = models.DateField(default="2000-01-01")
    clock = models.TimeField(default="00:00:00")
    price = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    uuid = models.UUIDField(default="00000000-0000-0000-0000-000000000000")
    json = JsonTextField(default=dict, blank=True)
    data = models.TextField(blank=True, default="")


if settings.SCHOOL_WITH_EXTRA:

    class Bulletin(BelongsToDataset):
        morango_model_name = "bulletin"

        text = models.TextField()


def _models_by_name():
    found = {}
    for model in (Dataset, Facility, Classroom, User, Membership, Assignment, ContentLog, Feedback, Sampler):
        found[model.morango_model_name] = model
    if settings.SCHOOL_WITH_EXTRA:
        found["bulletin"] = Bulletin
    for name in settings.SCHOOL_WITHOUT_MODELS:
        # A model without a name is one that morango leaves alone. Its (empty) table may stay.
        found.pop(name).morango_model_name = None
    return found


MODELS = _models_by_name()
