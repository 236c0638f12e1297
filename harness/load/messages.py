"""What master and workers say to each other beside Locust's own messages. All are msgpack maps.

=====================  ==============================================================================================
to the worker
``harness.begin``      ``epoch_s``: the run's second 0 on the wall clock; from then on a report a second is due
``harness.phase``      ``phase, at_s, segments [[start, end, duration_s]], open, spacing, max_users, seed, worker,
                       workers, resumed``: a phase begins; sent again, with other shares and ``resumed``, when a
                       worker was lost
``harness.finish``     ``wait_s``: give arrivals that are due but have no user that long to get one, then stop all
                       users (each may end its iteration within the stop timeout) and send what is left
``harness.hurry``      cut off what users are still at, after ``harness.finish``
to the master
``harness.second``     all up to the end of a second that was not sent yet, and how the worker fared: see
                       :class:`harness.load.report.Report`; ``series`` and ``lateness`` are flat arrays
                       (:class:`harness.record.series_table.SeriesTable`)
``harness.finished``   ``dropped, errors``: the worker has stopped and sent everything; ``errors`` counts by kind
                       what tasks raised
=====================  ==============================================================================================
"""

from __future__ import annotations

BEGIN = "harness.begin"
PHASE = "harness.phase"
FINISH = "harness.finish"
HURRY = "harness.hurry"
SECOND = "harness.second"
FINISHED = "harness.finished"
