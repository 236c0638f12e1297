"""What people and CI read of a run: ``report.html``, ``summary.md`` and ``junit.xml``, drawn from its folder alone."""

from __future__ import annotations

from harness.record.run_folder import RunFolder, write_text
from harness.report.recorded import read_recorded


def write_reports(folder: RunFolder) -> None:
    """Write ``report.html``, ``summary.md`` and ``junit.xml`` into the run folder ``folder``.

    What a run lacks (no journal, no profiles, no baseline) is said in the report and is no error. Raises
    :class:`HarnessError` where ``plan.json`` or ``summary.json`` is missing, or where a file of the folder is damaged.
    """
    # Here, so that whoever only asks for this function's name does not load jinja2.
    from harness.report.junit import junit_xml
    from harness.report.markdown import summary_markdown
    from harness.report.page import report_html

    recorded = read_recorded(folder)
    write_text(folder.report, report_html(recorded))
    write_text(folder.markdown, summary_markdown(recorded.summary))
    write_text(folder.junit, junit_xml(recorded.summary))
