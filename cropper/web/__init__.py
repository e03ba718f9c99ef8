"""The page with its engine in the browser: a static site that needs no server."""

__all__ = ["POLICY"]

# What a browser may do for the site: speak to the site, run its WebAssembly, open a camera
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "worker-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
