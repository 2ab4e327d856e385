from .measuring import PlaneMeasured as PlaneMeasured
from .measuring import measure as measure
from .object_table import Grid as Grid
from .object_table import Measures as Measures
from .object_table import ObjectTable as ObjectTable
