"""What the scorers' networks see: what excites a unit, and what a crop's score hangs on."""

from cropper.see.units import Geometry, Patch, TopPatches, Tower, tower_of
from cropper.see.why import score_losses

__all__ = ["Geometry", "Patch", "TopPatches", "Tower", "score_losses", "tower_of"]
