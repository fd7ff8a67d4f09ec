"""The bundled schemas: with the annotations that privacy reads, and without them for everybody else."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from singer_sdk import SchemaDirectory, StreamSchema

from tap_emaillogs.privacy.annotations import Columns, without_annotations

if TYPE_CHECKING:
    from singer_sdk import Stream


class AnnotatedSchemas(SchemaDirectory):
    """A folder of schemas whose texts say what they hold; to the SDK it gives them without that."""

    def fetch_schema(self, key: str) -> dict[str, Any]:
        """Return the schema as SCHEMA messages and catalogs have it."""
        schema: dict[str, Any] = without_annotations(self.annotated(key))
        return schema

    def annotated(self, key: str) -> dict[str, Any]:
        """Return the schema as its file has it."""
        schema: dict[str, Any] = super().fetch_schema(key)
        return schema


SCHEMAS = AnnotatedSchemas(resources.files("tap_emaillogs") / "schemas")
COLUMN = {
    "type": ["string", "null"],
    "description": "Declared by the setting `columns`; text as the vendor writes it.",
}
"""A column that a setting adds. To privacy it is undeclared: all that is known of it is its name."""


class ExtensibleSchema(StreamSchema[str]):
    """The bundled schema, with the columns that the configuration adds."""

    def get_stream_schema(self, stream: Any, stream_class: Any) -> dict[str, Any]:
        """Return it; on the class itself, without the additions."""
        schema: dict[str, Any] = super().get_stream_schema(stream, stream_class)
        known = schema["properties"]
        added = [name for name in getattr(stream, "added_columns", ()) if name not in known]
        return {**schema, "properties": {**known, **dict.fromkeys(added, COLUMN)}} if added else schema


@cache
def columns(kind: type[Stream]) -> Columns:
    """Return what privacy must know of a class of streams: its annotated schema and its primary key."""
    name = inspect.getattr_static(kind, "name")
    schema = inspect.getattr_static(kind, "schema")
    if isinstance(schema, StreamSchema):
        source = schema.schema_source
        name_of_schema = schema.key or name
        schema = (
            source.annotated(name_of_schema)
            if isinstance(source, AnnotatedSchemas)
            else source.get_schema(name_of_schema)
        )
    return Columns(name, schema, tuple(inspect.getattr_static(kind, "primary_keys")))
