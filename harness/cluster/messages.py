"""What master and workers say to each other beside Locust's own messages. All are msgpack maps.

=====================  ==============================================================================================
to the worker
``harness.begin``      ``began_s``: the run's second 0 on the master's monotonic clock; from then on a report a
                       second is due
``harness.phase``      ``phase, at_s, segments [[start, end, duration_s]], open, spacing, max_users, seed, worker,
                       workers, from_s``: a phase begins; sent again when a worker was lost, with the shares of the
                       others from the moment ``from_s`` of the run on, which is after ``at_s`` then
``harness.finish``     ``wait_s``: give arrivals that are due but have no user that long to get one, then stop all
                       users (each may end its iteration within the stop timeout) and send what is left
``harness.abort``      cut off what users are still at, after ``harness.finish``
``harness.accepted``   ``indexes, plan, target, scenario, files, warnings``: to ``harness.join``, what the worker is
                       to run: the plan as JSON, a bundle (see ``harness.cluster.bundle``), a number for each process
``harness.rejected``   ``message``: to ``harness.join``, why not
to the master
``harness.join``       ``versions, host, loopback, workers``: a machine elsewhere wants to join with so many workers
``harness.joined``     ``index, host, clock_ms [error, bound]``: a worker is ready for the run
``harness.failed``     ``index, message``: a worker has ended before its time, with these last words
``harness.quit``       the scenario stopped or quit its runner: the run is to end
``harness.second``     all up to the end of a second that was not sent yet, and how the worker fared: see
                       :class:`harness.engine.worker_report.WorkerReport`; ``requests`` and ``lateness`` are flat arrays
                       (:class:`harness.record.second_table.SecondTable`)
``harness.finished``   ``dropped, errors, exit_code``: the worker has stopped and sent everything; ``errors`` counts by
                       kind what tasks and listeners raised; ``exit_code`` is the scenario's, None where it set none
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
QUIT = "harness.quit"
SECOND = "harness.second"
FINISHED = "harness.finished"
