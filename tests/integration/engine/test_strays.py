"""What user code leaves behind is ended, as far as the harness may."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.strangers import START_STRANGER, beside_stranger
from tests.support.targets import runs

ENDING = """
from harness.engine.strays import end_strays

own = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
end_strays("no mark", spared=os.getpid(), adopter=os.getpid())
print(own.wait())
"""


def test_strays_end_beside_one_of_another_user(tmp_path: Path) -> None:
    with beside_stranger(tmp_path, START_STRANGER + ENDING) as (printed, stranger):
        assert int(printed) == -signal.SIGKILL
        assert runs(stranger)
