"""Who a face is: faces as numbers, known people, and how sure a likeness is."""

from cropper.identity.known import KnownPeople, learn_people, learn_person, people_of
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
    "people_of",
    "recognise",
    "stranger_rate",
]
