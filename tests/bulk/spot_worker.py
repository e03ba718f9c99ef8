"""Preloaded by Dask's workers, so that they know the scorer of the tests."""

from cropper.scorers import registry
from tests.conftest import spot_factory

registry._factories["spot"] = spot_factory
