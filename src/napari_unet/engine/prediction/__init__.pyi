from .backend import Backend as Backend
from .overlap_tile import network_probabilities as network_probabilities
from .painted_review import review as review
from .predictor import Predictor as Predictor
from .recut import recut as recut
from .segmentation import segment as segment
from .segmentation import whole_planes as whole_planes
from .suggestions import suggest as suggest
