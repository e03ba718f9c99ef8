"""Loaded by the workers of a cluster, so that they know the scorer of the tests."""

from cropper.scorers import registry
from tests.spot import spot_factory


def setup() -> None:
    """What Ray calls; Dask imports this module."""
    registry._factories["spot"] = spot_factory


setup()
