"""The parts put together: configuration, providers and engine as one `Application`."""

from gleitzeit.application.application import Application
from gleitzeit.application.checking import Checked
from gleitzeit.application.opening import open_application
from gleitzeit.application.undecided import Undecided

__all__ = ["Application", "Checked", "Undecided", "open_application"]
