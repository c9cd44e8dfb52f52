"""Report of a run: one HTML file that states what was reached, shows it, and says how.

Importing this room loads matplotlib, so the command line does it when a run is over. page.py fills
template.html with the figures; pictures.py and validation_pictures.py draw. Read first: page.py.
"""

from instrument.report.page import Circumstances
from instrument.report.write import write_report

__all__ = [
    "Circumstances",
    "write_report",
]
