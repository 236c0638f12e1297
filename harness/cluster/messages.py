"""The messages between master and workers, besides Locust's own. All are msgpack maps.

=====================  ==============================================================================================
to the worker
``harness.begin``      ``began_s``: the run's second 0 on the master's monotonic clock; from then on a report a
                       second is due
``harness.phase``      ``phase, at_s, segments [[start, end, duration_s]], first, open, spacing, max_users, seed,
                       worker, workers, from_s, turns``: a phase begins, or goes on with segment number ``first``; sent
                       again when a worker is lost, with the new division of arrivals from ``from_s`` of the run on,
                       which is then after ``at_s``; in a duet, ``turns`` holds for each segment whether it is the
                       worker's turn
``harness.finish``     ``wait_s``: wait that long for arrivals that are due and have no user, then stop all users
                       (each may finish its iteration within the stop timeout) and send what is left
``harness.abort``      abort running requests, after ``harness.finish``
``harness.accepted``   ``indexes, plan, target, scenario, files, data, warnings``: reply to ``harness.join``: the plan
                       as JSON, a bundle (see ``harness.cluster.bundle``), what ``setup`` returned, a number for each
                       worker
``harness.dealt``      ``feeder, range [begin, end]``: positions of a feeder's rows for the worker alone; none: no more
                       are left
``harness.rejected``   ``reason``: reply to ``harness.join``, why not
to the master
``harness.join``       ``versions, host, loopback, workers``: a remote machine asks to join with so many workers
``harness.joined``     ``index, host, clock_ms [error, bound]``: a worker is ready for the run
``harness.failed``     ``index, reason``: a worker has ended before its time
``harness.deal``       ``index, feeder, count``: worker number ``index`` asks for so many rows of a feeder
``harness.quit``       the scenario stopped or quit its runner, or (``reason``) a feeder is exhausted: the run is to end
``harness.second``     what was recorded up to the end of a second, and the state of the worker: see
                       :class:`harness.engine.worker_report.WorkerReport`; ``requests`` and ``lateness`` are flat arrays
                       (:class:`harness.record.second_table.SecondTable`)
``harness.finished``   ``dropped, errors, exit_code``: the worker has stopped and sent everything; ``errors`` counts
                       what tasks and listeners raised; ``exit_code`` is the scenario's, None if it set none
=====================  ==============================================================================================
"""

from __future__ import annotations

BEGIN = "harness.begin"
PHASE = "harness.phase"
FINISH = "harness.finish"
ABORT = "harness.abort"
ACCEPTED = "harness.accepted"
REJECTED = "harness.rejected"
JOIN = "harness.join"
JOINED = "harness.joined"
FAILED = "harness.failed"
DEAL = "harness.deal"
DEALT = "harness.dealt"
QUIT = "harness.quit"
SECOND = "harness.second"
FINISHED = "harness.finished"
