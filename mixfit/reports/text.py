"""Old forms, on their way out."""

from mixfit.reports.render import print_remarks
from mixfit.reports.report import Remark


def print_labelled(label: str, text: str) -> None:
    """Old form of `print_remarks`."""
    print_remarks([Remark(label, text)])
