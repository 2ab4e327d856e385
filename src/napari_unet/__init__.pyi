__version__: str

from .api import load_model as load_model
from .api import measure as measure
from .api import open_image as open_image
from .api import save_model as save_model
from .api import segment as segment
from .api import train as train
