from .finished_planes import whole_planes as whole_planes
from .overlap_tile import network_probabilities as network_probabilities
from .predictor import Predictor as Predictor
from .segmentation import segment as segment
from .suggestions import suggest as suggest
