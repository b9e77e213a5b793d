"""What of Gleitzeit's own environment every server gets: how to reach the network and where caches are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mcp.client.stdio import get_default_environment

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
_FOLDERS = "XDG_CACHE_HOME XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME"

_UPPER = frozenset(f"{_CERTIFICATES} {_PROXIES} {_UV} {_PIP} {_NPM} {_FOLDERS}".split())
_LOWER = frozenset(name.lower() for name in f"{_PROXIES} {_NPM}".split())
INHERITED = _UPPER | _LOWER
"""The names of the variables, beside those that the SDK passes: HOME, LOGNAME, PATH, SHELL, TERM and USER."""

_CREDENTIALS = re.compile(r"://[^/\s]*@")


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that every server gets, but for addresses with a password or token in them."""
    named = {name: environment[name] for name in sorted(INHERITED & environment.keys())}
    kept = {name: value for name, value in named.items() if not _CREDENTIALS.search(value)}
    return {**get_default_environment(), **kept}
