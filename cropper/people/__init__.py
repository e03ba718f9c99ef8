"""``cropper faces`` without its shell: who is in the pictures, and who is not known."""

from cropper.people.commands import FacesOptions, WhoOptions, forget, learn, list_faces, verify, who
from cropper.people.groups import GroupOptions, group_faces

__all__ = [
    "FacesOptions",
    "GroupOptions",
    "WhoOptions",
    "forget",
    "group_faces",
    "learn",
    "list_faces",
    "verify",
    "who",
]
