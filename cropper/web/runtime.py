"""ONNX Runtime Web: one pinned release of it, by npm or from a file, checked by its hash."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from cropper.errors import MissingExtraError, MissingModelError

__all__ = ["ON_GPU", "PACKAGE", "runtime_files"]

PACKAGE = "onnxruntime-web@1.22.0"  # later ones are larger, and no faster here
_SHA512 = "Ud/+EBo6mhuaQWt/OjaOk0iNWjXqJoeeMFr6xQEERZdIZH2OWpGzuujz7lfuOBjUa6TEE/sc4nb7Da5dNL34fg=="
_NAMES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
ON_GPU = (  # loaded by whoever asks for it
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.jsep.mjs",
    "ort-wasm-simd-threaded.jsep.wasm",
)
_SECONDS = 300
_LICENCE = "onnxruntime-web-LICENSE.txt"  # of the package, whose archive has none


def runtime_files(archive: Path | None) -> Mapping[str, bytes]:
    """The runtime's files by name, and its licence.

    ``archive`` is the package as ``npm pack`` saves it; None asks npm for it, which asks its
    registry. Raises MissingExtraError without npm, and MissingModelError where the package cannot
    be had or is not the pinned one.
    """
    content = _packed() if archive is None else archive.read_bytes()
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != _SHA512:
        where = archive or PACKAGE
        raise MissingModelError(f"{where} is not {PACKAGE} as it was released: its hash is another")
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        found = {}
        for name in (*_NAMES, *ON_GPU):
            member = package.extractfile(f"package/dist/{name}")
            assert member is not None, "the hash is that of a package that has it"
            found[name] = member.read()
    return found | {_LICENCE: (files("cropper.web") / _LICENCE).read_bytes()}


def _packed() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingExtraError(
            f"the site needs {PACKAGE}, and there is no npm to fetch it: install Node.js, or get "
            f"the archive elsewhere (`npm pack {PACKAGE}`) and name it by `runtime`"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", PACKAGE, "--silent", "--ignore-scripts"]
        command += ["--pack-destination", folder]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout).strip().splitlines()
            raise MissingModelError(
                f"npm cannot fetch {PACKAGE}: {(said or ['no reason'])[-1]}"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise MissingModelError(f"npm did not fetch {PACKAGE} in {_SECONDS} s") from error
        return next(Path(folder).glob("*.tgz")).read_bytes()
