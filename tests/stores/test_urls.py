"""What is shown of URLs, and what they are called here."""

from __future__ import annotations

import pytest

from cropper.errors import ConfigError
from cropper.stores import as_local, is_url, name_in, shown
from cropper.stores.urls import cleaned


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("photo.jpg", "photo.jpg"),
        ("https://host/a.jpg", "https://host/a.jpg"),
        ("https://me:secret@host:8/a@b.jpg", "https://host:8/a@b.jpg"),
        ("https://token@host/a.jpg?X-Amz-Signature=f00d&x=1", "https://host/a.jpg?..."),
        ("https://host/a.jpg#token=f00d", "https://host/a.jpg#..."),
        ("https://host?token=f00d", "https://host?..."),
        ("https://host?a=b@c/d", "https://host?..."),
        ("sftp://me:secret@host/a.jpg", "sftp://host/a.jpg"),
        ("s3://bucket/a b.jpg", "s3://bucket/a b.jpg"),
        ("abfs://box@account.host/a.jpg", "abfs://box@account.host/a.jpg"),
        ("abfs://box:secret@account.host/a.jpg", "abfs://account.host/a.jpg"),
        ("zip://a.jpg::s3://bucket/x.zip", "zip://a.jpg::s3://bucket/x.zip"),
    ],
)
def test_what_may_be_secret_is_not_shown(url: str, told: str) -> None:
    assert shown(url) == told


def test_messages_of_others_lose_their_secrets() -> None:
    url = "https://me:pa%20ss@host/a.jpg?sig=f%2F00d&key=abcdef"
    message = "no 'https://me:pa%20ss@host/a.jpg?sig=f%2F00d' for f/00d, abcdef and pa ss"
    told = cleaned(message, url)
    assert "https://host/a.jpg" in told
    for secret in ("f%2F00d", "f/00d", "abcdef", "pa ss", "pa%20ss"):
        assert secret not in told
    assert cleaned("at 'https://host/x?token=f00d'", "s3://b/a") == "at 'https://host/x?...'"


@pytest.mark.parametrize("text", ["-", "a.jpg", "./s3:/a.jpg", "a::b.jpg", "C:/a.jpg", "//host/a"])
def test_names_of_files_are_no_urls(text: str) -> None:
    assert not is_url(text)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/x/a%20b.jpg?v=/1.png", "a b.jpg"),
        ("https://host/%2e%2e%2fa.jpg", ".._a.jpg"),
        ("s3://bucket/x/a%20b?.jpg", "a%20b?.jpg"),
        ("HTTPS://host/a.jpg", "a.jpg"),
    ],
)
def test_a_file_here_has_the_name_at_the_end(url: str, name: str) -> None:
    assert name_in(url) == name


@pytest.mark.parametrize("url", ["https://host", "https://host/", "s3://b/..", "https://h/%2e%2e"])
def test_a_url_without_a_name_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no file's name"):
        name_in(url)


def test_file_urls_are_paths() -> None:
    assert (
        as_local("file:///x/a%20b.jpg") == as_local("file://localhost/x/a%20b.jpg") == "/x/a b.jpg"
    )
    assert as_local("local:///x/a.jpg") == "/x/a.jpg"
    assert as_local("x/a.jpg") == "x/a.jpg"
    with pytest.raises(ConfigError, match="no file of this machine"):
        as_local("file://host/a.jpg")
