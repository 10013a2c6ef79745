"""`python -m mmsim` is the same as `mmsim`."""

import sys

from mmsim.cli import main

sys.exit(main())
