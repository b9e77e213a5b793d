"""What of Gleitzeit's own environment every server gets: how to reach the network and where caches are."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

_POSIX = "HOME LOGNAME PATH SHELL TERM USER"
_WINDOWS = (
    "APPDATA HOMEDRIVE HOMEPATH LOCALAPPDATA PATH PATHEXT PROCESSOR_ARCHITECTURE SYSTEMDRIVE SYSTEMROOT TEMP "
    "USERNAME USERPROFILE"
)
_CERTIFICATES = "SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS"
_PROXIES = "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY"
_UV = (
    "UV_CACHE_DIR UV_CONFIG_FILE UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_HTTP_TIMEOUT UV_INDEX "
    "UV_INDEX_URL UV_INSECURE_HOST UV_LINK_MODE UV_NATIVE_TLS UV_OFFLINE UV_PYTHON UV_PYTHON_DOWNLOADS "
    "UV_PYTHON_INSTALL_DIR UV_PYTHON_INSTALL_MIRROR UV_SYSTEM_CERTS UV_TOOL_DIR"
)
_PIP = "PIP_CERT PIP_CONFIG_FILE PIP_EXTRA_INDEX_URL PIP_INDEX_URL"
_NPM = (
    "NPM_CONFIG_CACHE NPM_CONFIG_CAFILE NPM_CONFIG_HTTPS_PROXY NPM_CONFIG_NOPROXY NPM_CONFIG_PREFIX NPM_CONFIG_PROXY "
    "NPM_CONFIG_REGISTRY NPM_CONFIG_USERCONFIG"
)
# Programs that a manager of versions put on PATH look up the right version there.
_MANAGERS = (
    "ASDF_DATA_DIR ASDF_DIR BUN_INSTALL CARGO_HOME FNM_DIR FNM_MULTISHELL_PATH MISE_DATA_DIR NVM_BIN NVM_DIR "
    "PYENV_ROOT RUSTUP_HOME VOLTA_HOME"
)
_FOLDERS = "XDG_CACHE_HOME XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME"

_SYSTEM = _WINDOWS if sys.platform == "win32" else _POSIX
_UPPER = frozenset(f"{_SYSTEM} {_CERTIFICATES} {_PROXIES} {_UV} {_PIP} {_NPM} {_MANAGERS} {_FOLDERS}".split())
_LOWER = frozenset(name.lower() for name in f"{_PROXIES} {_NPM}".split())
INHERITED = _UPPER | _LOWER
"""The names of the variables."""

_CREDENTIALS = re.compile(r"://[^/\s]*@")


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that every server gets, but for addresses with a password or token in them."""
    named = {name: environment[name] for name in sorted(INHERITED & environment.keys())}
    # What begins like this is a function that some shells export, and no value.
    return {name: value for name, value in named.items() if not (_CREDENTIALS.search(value) or value.startswith("()"))}
