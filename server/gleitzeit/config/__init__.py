"""Configuration: a file, the environment and flags as one frozen object."""

from gleitzeit.config.loading import home_folder, load_configuration
from gleitzeit.config.roots import check_root, usable_root
from gleitzeit.config.settings import Configuration

__all__ = ["Configuration", "check_root", "home_folder", "load_configuration", "usable_root"]
