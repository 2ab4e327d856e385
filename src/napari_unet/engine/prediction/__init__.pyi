from .overlap_tile import network_probabilities as network_probabilities
from .predictor import Predictor as Predictor
from .review import review as review
from .segmentation import segment as segment
from .segmentation import whole_planes as whole_planes
from .suggestions import suggest as suggest
