"""Which of the types that can be made a client accepts."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ANY_PICTURE", "JSON", "choose"]

JSON = "application/json"
ANY_PICTURE = "image/*"  # as an offer: a picture in the format of its source


def choose(accept: str | None, offers: Sequence[str]) -> str | None:
    """The offer that an Accept header asks for first (RFC 9110, 12.5.1), None if there is none.

    Among types of equal weight the client's order counts, then that of the offers. Without a
    header, and for ``*/*``, it is the first offer.
    """
    wanted = []
    for part in (accept or "*/*").lower().split(","):
        media_type, *parameters = (each.strip() for each in part.split(";"))
        weight = _weight(parameters)
        if weight > 0:
            wanted.append((weight, media_type))
    for _, media_type in sorted(wanted, key=lambda each: -each[0]):
        for offer in offers:
            if media_type in ("*/*", offer) or media_type == offer.partition("/")[0] + "/*":
                return offer
    return None


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
