"""URLs as they are given and as they are shown: without passwords, tokens and signatures."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from cropper.errors import ConfigError

__all__ = ["as_local", "cleaned", "is_http", "is_url", "name_in", "scheme_of", "shown", "trimmed"]

_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*::)*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>()]+", re.IGNORECASE)
_LOCAL = ("file", "local")
# What comes before the @ is a container of Azure's there, and no secret unless it has a colon
_CONTAINERS = ("abfs", "abfss", "adl")


def is_url(text: str) -> bool:
    """Whether a text names a file or a folder by its URL; ``file://`` is one too."""
    return bool(_SCHEME.match(text))


def scheme_of(url: str) -> str:
    """In lower case; of a chain all of it, as in ``zip::s3``."""
    return url.partition("://")[0].lower()


def is_http(url: str) -> bool:
    return scheme_of(url) in ("http", "https")


def shown(text: str) -> str:
    """A URL for messages, records and pages: what may be secret is left out. Else the text itself.

    >>> shown("https://me:secret@host/a.jpg?signature=abc")
    'https://host/a.jpg?...'
    """
    if not is_url(text):
        return text
    scheme, _, rest = text.partition("://")
    rest, mark, _ = _without_query(rest)
    host, slash, path = rest.partition("/")
    user, at, place = host.rpartition("@")
    if at and (scheme.lower() not in _CONTAINERS or ":" in user):
        host = place
    return f"{scheme}://{host}{slash}{path}" + f"{mark}..." * bool(mark)


def cleaned(text: str, url: str) -> str:
    """A message of somebody else's, with all URLs as they are shown, and no secret of ``url``."""
    rest, _, query = _without_query(url.partition("://")[2])
    user, at, _ = rest.partition("/")[0].rpartition("@")
    secrets = [query, *re.split("[&=]", query), user, user.partition(":")[2]]
    for secret in sorted({each for each in secrets if len(each) > 3}, key=len, reverse=True):
        for form in (secret, unquote(secret)):
            if at or query:
                text = text.replace(form, "...")
    return _IN_TEXT.sub(lambda found: shown(found[0]), text)


def name_in(url: str) -> str:
    """The name of the file that a URL leads to, fit for a folder of this machine.

    Raises ConfigError where it has none.
    """
    path = url.partition("://")[2]
    if is_http(url):
        path = _without_query(path)[0]
    _, _, path = path.partition("/")
    name = path.rpartition("/")[2]
    name = re.sub(r"[/\x00]", "_", unquote(name) if is_http(url) else name)
    if name in ("", ".", ".."):
        raise ConfigError(f"{shown(url)} has no file's name at its end: name one file")
    return name


def as_local(text: str) -> str:
    """A ``file://`` URL as the path that it is; any other text as it is."""
    if not is_url(text) or scheme_of(text) not in _LOCAL:
        return text
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise ConfigError(f"{shown(text)} is no file of this machine: write file:///folder/name")
    return unquote(parts.path)


def trimmed(url: str) -> str:
    """Without slashes at its end."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rstrip('/')}"


def _without_query(rest: str) -> tuple[str, str, str]:
    """What stands before the first ? or #, that mark, and what stands behind it."""
    found = re.search("[?#]", rest)
    return (rest[: found.start()], found[0], rest[found.end() :]) if found else (rest, "", "")
