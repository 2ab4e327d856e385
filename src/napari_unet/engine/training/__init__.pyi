from .fine_tuning import fit as fit
from .head import fit_head as fit_head
from .inspection import inspect as inspect
from .lessons import Lessons as Lessons
from .loss import weighted_cross_entropy as weighted_cross_entropy
from .plan import TrainingPlan as TrainingPlan
from .sampling import patch_context as patch_context
from .trainer import Trainer as Trainer
