"""The places of values in an option file, as a:b:c."""


def by_place(options: object, where: str = "") -> dict[str, object]:
    """Every value of nested mappings by its place."""
    if not isinstance(options, dict):
        return {where[1:]: options}
    return {place: value for key, part in options.items() for place, value in by_place(part, f"{where}:{key}").items()}
