"""The page with its engine in the browser: a static site that needs no server."""

from cropper.web.policy import POLICY

__all__ = ["POLICY"]
