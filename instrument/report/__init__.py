"""The report: one HTML file that states what a run reached, shows it, and says how it was found.

Importing this room loads matplotlib; the command line does so when a run is over.
"""

from instrument.report.page import Circumstances
from instrument.report.write import write_report

__all__ = [
    "Circumstances",
    "write_report",
]
