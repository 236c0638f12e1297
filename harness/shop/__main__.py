"""``python -m harness.shop``: see :mod:`harness.shop.process`."""

from __future__ import annotations

import gc
import sys

# CPython would collect garbage while it imports modules, which takes a tenth of the start.
gc.disable()

from harness.shop.process import main  # noqa: E402  (see above)

gc.freeze()
gc.enable()

if __name__ == "__main__":
    sys.exit(main())
