"""The one field kind that Django does not bring in the form that travels."""

import json

from django.core.exceptions import ValidationError
from django.db import models


class JsonTextField(models.TextField):
    """Any JSON value, kept as JSON text in the table and in `serialized`: there it is a string that holds JSON."""

    morango_serialize_to_string = True

    def from_db_value(self, value, expression, connection, *_context_of_old_django):
        return json.loads(value)

    def to_python(self, value):
        """The value of a JSON text; a value that is no text is taken for one that was read already."""
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError as error:
                raise ValidationError("not JSON: {}".format(error)) from error
        return value

    def clean(self, value, model):
        """Nothing is left to do: a text at this point is a JSON value, and reading it again would spoil it."""
        return value

    def get_prep_value(self, value):
        return json.dumps(value)

    def value_to_string(self, model):
        return self.get_prep_value(self.value_from_object(model))

    # What versions before 0.8 ask for instead. They leave it to the model to read the text again.
    value_from_object_json_compatible = value_to_string
