from .basins import cut_basins as cut_basins
from .decoder import cut_objects as cut_objects
from .label_overlaps import LabelImage as LabelImage
from .label_overlaps import count_overlaps as count_overlaps
from .label_overlaps import require_comparable as require_comparable
from .linking import PlaneLinker as PlaneLinker
