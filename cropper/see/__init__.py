"""What the scorers' networks see: what excites a unit, and what a crop's score hangs on."""

from cropper.see.units import Geometry, Patch, TopPatches, Tower, tower_of
from cropper.see.why import Attribution, attribute_score, score_losses

__all__ = ["Attribution", "Geometry", "Patch", "TopPatches", "Tower", "attribute_score"]
__all__ += ["score_losses", "tower_of"]
