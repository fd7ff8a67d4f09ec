"""What `--about` tells: every setting with its type, whether it is required, its default and its variable."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from singer_sdk.about import AboutFormatter

from tap_emaillogs.config.load import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.about import AboutInfo

    from tap_emaillogs.streams.provider import Provider

_DEFAULT = re.compile(r"(?<! ) *+\bDefault: (.{1,200})\.$")
_REQUIRED = re.compile(r"(?<! ) *+\bRequired( without [^.]{1,200})?\.")


def formatted(info: AboutInfo, providers: Iterable[Provider], output_format: str | None) -> str:
    """Return what the tap is, in the SDK's form, or as text."""
    if output_format == "json":
        info = replace(info, settings=with_required(info.settings, providers))
        return AboutFormatter.get_formatter("json").format_about(info)
    if output_format == "markdown":
        head = AboutFormatter.get_formatter("markdown").format_about(replace(info, settings={"properties": {}}))
        rows = "\n".join(map(_markdown_row, _settings(info.settings, info.env_var_prefix)))
        return re.sub(r"(?m)^(\|:-[-:|]*\|\n)", lambda found: f"{found[1]}{rows}\n", head, count=1)
    head = AboutFormatter.get_formatter("text").format_about(replace(info, settings={"properties": {}}))
    return head + "\n".join(_lines(info))


def with_required(schema: Mapping[str, Any], providers: Iterable[Provider]) -> dict[str, Any]:
    """Return the schema with what each provider requires; `accounts` may give that as well.

    Defaults of a provider's settings stay in their descriptions: whoever makes a plugin definition of this would
    otherwise switch the provider on.
    """
    found = copy.deepcopy(dict(schema))
    for provider in providers:
        found["properties"][provider.name]["anyOf"] = [
            *({"required": [*keys]} for keys in provider.required),
            {"required": ["accounts"]},
        ]
    return found


def _lines(info: AboutInfo) -> Iterator[str]:
    for name, variable, schema in _settings(info.settings, info.env_var_prefix):
        required, default, description = _told(schema)
        yield f"  - Name: {name}"
        yield f"    Type: {kind_of(schema) or 'any'}"
        yield f"    Required: {required}"
        if default:
            yield f"    Default: {default}"
        if allowed := schema.get("enum"):
            yield f"    One of: {', '.join(str(value) for value in allowed if value is not None)}"
        yield f"    Environment Variable: {variable}"
        if description:
            yield f"    Description: {description}"


def _settings(schema: Mapping[str, Any], prefix: str, path: str = "") -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for name, spec in schema.get("properties", {}).items():
        inner = f"{path}{name}"
        yield inner, prefix + inner.upper().replace(".", "_").replace("-", "_"), spec
        yield from _settings(spec, prefix, f"{inner}.")


def _told(schema: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return whether it is required, its default and the rest of its description."""
    description = " ".join(str(schema.get("description") or "").split())
    default, required = "", "no"
    if found := _DEFAULT.search(description):
        description, default = description[: found.start()], found[1].replace("`", "")
    elif (given := schema.get("default")) is not None:
        default = str(given).lower() if isinstance(given, bool) else str(given)
    if needed := _REQUIRED.search(description):
        description = (description[: needed.start()] + description[needed.end() :]).strip()
        required = "yes" + (needed[1] or "")
    return required, default, description


def _markdown_row(setting: tuple[str, str, Mapping[str, Any]]) -> str:
    name, _, schema = setting
    required, default, description = _told(schema)
    return f"| {name} | {required} | {default} | {description.replace('|', chr(92) + '|')} |"
