"""The school: the same models, fields, partitions and scopes as `examples/src/school.rs`, for the Python package."""
