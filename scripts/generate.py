"""Writes what is generated from the code into the files that hold it, between their markers.

    python scripts/generate.py            write
    python scripts/generate.py --check    change nothing; status 1 when a file is not as it should be

`meltano.yml` and the definition for the Meltano Hub: every setting of the tap, from its configuration schema. No
setting of a provider gets a default there: a default would switch the provider on. `docs/`: the tables of
`docs_tables.py`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docs_tables
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
KINDS = {
    "string": "string",
    "integer": "integer",
    "number": "string",  # Meltano 4.4 cannot pass on a `decimal` from the environment; the tap reads the text
    "boolean": "boolean",
    "array": "array",
    "object": "object",
}
"""JSON schema type to Meltano's kind."""
ACRONYMS = {word.lower(): word for word in ("API", "ID", "IP", "TLS", "URL")}
TITLES = {provider.name: provider.title for provider in PROVIDERS}


def schema_type(schema: Mapping[str, Any]) -> str:
    """Return a schema's one type beside null."""
    types = schema.get("type", "object")
    return types if isinstance(types, str) else next(kind for kind in types if kind != "null")


def holds_secret(schema: Mapping[str, Any]) -> bool:
    """Tell whether a value, or a part of it, is secret."""
    parts = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return bool(schema.get("secret")) or any(holds_secret(part) for part in parts)


def leaves(properties: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each setting under its dotted name; objects with known properties are taken apart."""
    for name, schema in properties.items():
        if schema_type(schema) == "object" and schema.get("properties") and not schema.get("additionalProperties"):
            yield from leaves(schema["properties"], f"{path}{name}.")
        else:
            yield f"{path}{name}", schema


def label(name: str) -> str:
    """Return a setting's name in words: `SMTP2GO: API key`."""
    head, _, rest = name.partition(".")
    words = [ACRONYMS.get(word, word) for word in re.split(r"[._]", rest if head in TITLES else name) if word]
    text = " ".join(words)
    text = text[0].upper() + text[1:]
    return f"{TITLES[head]}: {text}" if head in TITLES else text


def setting(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield a setting's lines, for Meltano."""
    yield f"- name: {name}"
    if schema_type(schema) == "string" and "enum" in schema:  # of other types Meltano would compare text with them
        yield "  kind: options"
        options = [f"{{label: {json.dumps(str(value))}, value: {json.dumps(value)}}}" for value in schema["enum"]]
        yield f"  options: [{', '.join(options)}]"
    else:
        yield f"  kind: {'date_iso8601' if schema.get('format') == 'date-time' else KINDS[schema_type(schema)]}"
    if holds_secret(schema):
        yield "  sensitive: true"
    yield f"  label: {json.dumps(schema.get('title') or label(name), ensure_ascii=False)}"
    if "description" in schema:
        yield f"  description: {json.dumps(' '.join(schema['description'].split()), ensure_ascii=False)}"


def extractor() -> Iterator[str]:
    """Yield the generated part of the extractor for Meltano."""
    TapEmailLogs.append_builtin_config(TapEmailLogs.config_jsonschema)
    yield "settings_group_validation:"
    for provider in PROVIDERS:
        for keys in provider.required:
            yield f"- [{', '.join(f'{provider.name}.{key}' for key in keys)}]"
    yield "settings:"
    for name, schema in leaves(TapEmailLogs.config_jsonschema["properties"]):
        yield from setting(name, schema)


BLOCKS: tuple[tuple[str, str, Callable[[], Iterator[str]]], ...] = (
    ("meltano.yml", "extractor", extractor),
    ("hub/tap-emaillogs.yml", "extractor", extractor),
    ("docs/streams.md", "streams", docs_tables.streams),
    ("docs/settings.md", "settings", docs_tables.settings),
)
"""File, name of the block in it, and what writes its lines."""
MARKERS = {".yml": ("# ", ""), ".md": ("<!-- ", " -->")}
"""What makes a comment, by file name."""


def filled(path: Path, text: str, block: str, lines: Iterable[str]) -> str:
    """Return a file's text with one block replaced; its lines get the indentation of the marker.

    Raises:
        ValueError: The markers are not there, or not once.
    """
    before, after = MARKERS[path.suffix]
    head, foot = f"{before}generated: {block}{after}", f"{before}end of generated{after}"
    markers = re.compile(rf"^( *){re.escape(head)}\n(?:.*\n)*?\1{re.escape(foot)}\n", re.MULTILINE)
    if len(markers.findall(text)) != 1:
        raise ValueError(f"{path.name} must hold the markers of {block} exactly once")

    def between(found: re.Match[str]) -> str:
        return "".join(f"{found[1]}{line}".rstrip() + "\n" for line in (head, *lines, foot))

    return markers.sub(between, text)


def main(arguments: list[str]) -> int:
    """Run the command line."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = []
    for name, block, lines in BLOCKS:
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = filled(path, old, block, lines())
        if new != old:
            stale.append(f"{name} ({block})")
            if not arguments:
                path.write_text(new, encoding="utf-8")
    if arguments and stale:
        print(f"not as generated: {', '.join(stale)}; run scripts/generate.py", file=sys.stderr)
        return 1
    print(f"written: {', '.join(stale)}" if stale else "all as generated")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
