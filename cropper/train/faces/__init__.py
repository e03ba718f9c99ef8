"""Training of the face descriptor: photos of people, triplets of them, a network."""

from cropper.train.faces.data import Identities, read_identities
from cropper.train.faces.training import FacesConfig, train_faces

__all__ = ["FacesConfig", "Identities", "read_identities", "train_faces"]
