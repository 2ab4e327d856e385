from .measuring import PlaneMeasured as PlaneMeasured
from .measuring import measure as measure
from .object_rings import ObjectOutline as ObjectOutline
from .object_rings import trace_outlines as trace_outlines
from .object_runs import ObjectRuns as ObjectRuns
from .object_table import Grid as Grid
from .object_table import Measures as Measures
from .object_table import ObjectTable as ObjectTable
