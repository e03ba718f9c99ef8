"""Who a face is: faces as numbers, known people, and how sure a likeness is."""

from cropper.identity.known import KnownPeople, learn_people, learn_person
from cropper.identity.likeness import RATE, farthest, stranger_rate
from cropper.identity.look import Gallery, Match, SeenFace, look, recognise

__all__ = [
    "RATE",
    "Gallery",
    "KnownPeople",
    "Match",
    "SeenFace",
    "farthest",
    "learn_people",
    "learn_person",
    "look",
    "recognise",
    "stranger_rate",
]
