"""The command line of Gleitzeit, but for its patience with servers that are silent."""

from __future__ import annotations

import sys

from gleitzeit.cli import main
from gleitzeit_mcp.servers import liveness

if __name__ == "__main__":
    liveness.PING_INTERVAL = 2.0
    liveness.PING_LIMIT = 1.0
    sys.exit(main())
