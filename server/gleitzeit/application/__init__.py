"""The parts put together: configuration, providers and engine as one `Application`."""

from gleitzeit.application.application import Application, open_application
from gleitzeit.application.checking import Checked

__all__ = ["Application", "Checked", "open_application"]
