"""The reference of params.yaml, written from its own types: no other text repeats them."""

from tfcil.components.registry import all_components
from tfcil.config.params import Params

_HEAD = """\
# params.yaml

Every key, written by `tfcil params > docs/params.md` from the types that check the file. A key that
is not here is refused, and so is a value outside its range, in one line and before any work.
`tfcil params --schema` prints a JSON schema, with which editors complete and check the file.
"""
_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}


def schema() -> dict:
    """Returns the JSON schema of params.yaml, with the options of every installed component."""
    whole = Params.model_json_schema()
    options = {}
    for component in all_components().values():
        own = type(component.options).model_json_schema()
        whole["$defs"] |= own.pop("$defs", {})
        options[component.name] = own
    whole["properties"]["options"]["properties"] = options
    return whole


def reference() -> str:
    """Returns the reference as Markdown: a table for the top level, each section and component."""
    whole = schema()
    sections = _sections(whole, whole)
    parts = [_HEAD, "## The file\n", _table(whole, whole)]
    for name, keys in sections.items():
        section = whole["$defs"][name]
        title = ", ".join(f"`{key}`" for key in keys)
        parts += [f"## {title}\n", section["description"] + "\n", _table(section, whole)]
    options = whole["properties"]["options"]["properties"]
    for component in all_components().values():
        about = component.module.__doc__.split("\n\n")[0].strip()
        parts += [f"## `options.{component.name}`\n", f"The {component.kind} {about}\n"]
        if options[component.name]["properties"]:
            parts.append(_table(options[component.name], whole))
        else:
            parts.append("It has no options.\n")
    return "\n".join(parts)


def _sections(section, whole, prefix="") -> dict[str, list[str]]:
    """Returns the names of the sections inside a section, each with the keys that have it."""
    found = {}
    for key, entry in section["properties"].items():
        name = _section_of(entry)
        if name:
            found.setdefault(name, []).append(prefix + key)
    inner = [_sections(whole["$defs"][name], whole, f"{keys[0]}.") for name, keys in found.items()]
    return {name: keys for each in [found, *inner] for name, keys in each.items()}


def _table(section, whole) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    required = section.get("required", ())
    for key, entry in section["properties"].items():
        default = "required" if key in required else _default(entry)
        meaning = entry.get("description") or _meaning_of_section(entry, whole)
        cells = (f"`{key}`", _type(entry), default, meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _default(entry) -> str:
    default = entry.get("default")
    if isinstance(default, dict) or ("default" not in entry):
        return ""
    if isinstance(default, bool) or default is None:
        return {True: "`true`", False: "`false`", None: "`null`"}[default]
    return f"`{default}`"


def _meaning_of_section(entry, whole) -> str:
    name = _section_of(entry)
    return whole["$defs"][name]["description"].split("\n")[0] if name else ""


def _section_of(entry) -> str | None:
    """The name of the section that an entry is, or a mapping or an optional of."""
    inside = [entry, *entry.get("anyOf", ()), *entry.get("allOf", ())]
    inside.append(entry.get("additionalProperties"))
    inside += entry.get("patternProperties", {}).values()
    found = [one["$ref"] for one in inside if isinstance(one, dict) and "$ref" in one]
    return found[0].rpartition("/")[2] if found else None


def _type(entry) -> str:
    if "anyOf" in entry:
        return " or ".join(dict.fromkeys(_type(one) for one in entry["anyOf"]))
    if "enum" in entry or "const" in entry:
        return ", ".join(f"`{one}`" for one in entry.get("enum", [entry.get("const")]))
    if entry.get("type") == "array":
        return f"list of {_plural(_type(entry.get('items', {})))}"
    if entry.get("type") == "object":
        return "sections by key" if _section_of(entry) or "properties" in entry else "values by key"
    if "$ref" in entry:
        return "section"
    named = {"null": "`null`", "boolean": "`true`, `false`", "string": "text"}
    base = named.get(entry.get("type"), entry.get("type", "anything"))
    bounds = [text.format(entry[key]) for key, text in _BOUNDS.items() if key in entry]
    return " ".join([base, ", ".join(bounds)]).strip()


def _plural(name) -> str:
    return {"text": "texts", "integer": "integers"}.get(name, name.replace("number", "numbers", 1))
