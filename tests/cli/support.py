"""What tests of several commands share."""

from __future__ import annotations

# of one photo's JSON record
FIELDS = ["input", "output", "source_size", "box", "box_norm", "score"]
FIELDS += ["focus_x", "focus_y", "faces", "full_frame_score"]
FIELDS += ["centre_score", "preferred_to_full_frame", "preferred_to_centre"]
FIELDS += ["scorer", "candidates", "seconds"]
