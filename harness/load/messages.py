"""What master and workers say to each other beside Locust's own messages. All are msgpack maps.

=====================  ==============================================================================================
to the worker
``harness.begin``      ``epoch_s``: the run's second 0 on the wall clock; from then on a report a second is due
``harness.phase``      ``phase, at_s, segments [[start, end, duration_s]], open, spacing, max_users, seed, worker,
                       workers, resumed``: a phase begins; sent again, with other shares and ``resumed``, when a
                       worker was lost
``harness.finish``     stop all users (each may end its iteration within the stop timeout) and send what is left
``harness.hurry``      cut off what users are still at, after ``harness.finish``
to the master
``harness.second``     ``second, users, cpu, lag_ms, iterations, late, waiting, starved, throttled, stolen, lateness,
                       endpoints, series, failures, samples``: all up to the end of that second that was not sent yet
                       (see ``Recorder.take``); ``series`` is ``[[second, rows]]``, for a request that ended earlier
                       may be reported late; ``lateness`` is ``[[phase, delay, own]]`` (see ``journal.Lateness``)
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
