"""What people and CI read of a run: the report, a summary, a comment and JUnit's XML, drawn from its folder alone."""

from __future__ import annotations

from harness.record.run_folder import RunFolder, write_text


def write_reports(folder: RunFolder) -> None:
    """Write ``report.html``, ``summary.md``, ``comment.md`` and ``junit.xml`` into the run folder ``folder``.

    What a run lacks (profiles, a baseline, requests) is said in the report and is no error. Raises
    :class:`HarnessError` where the run is not judged yet, or where a file of the folder is missing or damaged.
    """
    # Here, so that whoever only asks for this function's name does not load jinja2, numpy and scipy.
    from harness.report.bench_page import bench_html
    from harness.report.comment import comment_markdown
    from harness.report.junit import junit_xml
    from harness.report.markdown import summary_markdown
    from harness.report.page import report_html
    from harness.report.recorded import read_judged, read_judged_suite

    if folder.is_bench:
        suite = read_judged_suite(folder)
        summary, page = suite.summary, bench_html(suite)
    else:
        judged = read_judged(folder)
        summary, page = judged.summary, report_html(judged)
    write_text(folder.report, page)
    write_text(folder.markdown, summary_markdown(summary))
    write_text(folder.comment, comment_markdown(summary))
    write_text(folder.junit, junit_xml(summary))
