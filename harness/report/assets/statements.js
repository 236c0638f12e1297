// The statements of requests that were traced in the selected span, beside those of the rest of the phase.
"use strict";

(async () => {
  const phases = await page.data("requests-data");
  const box = document.getElementById("span-statements");
  const { sum, number, ms } = spanTables;
  const figures = ({ traced, statements, database_ms: database, repeated }, numbers) => {
    const requests = sum(traced, numbers);
    const times = repeated.map(({ text, times: of }) => ({ text, times: sum(of, numbers) / requests }));
    return { requests, statements: sum(statements, numbers) / requests, ms: sum(database, numbers) / requests, times };
  };
  const most = ({ now }) => now.times.reduce((a, b) => (b.times > a.times ? b : a), { text: "", times: 0 });

  spanTables.follow(() => {
    box.hidden = !selection.span;
    if (box.hidden) return;
    const rows = spanTables.parts(phases).flatMap(({ phase, inside, rest }) => phase.rows
      .map((row) => ({ ...row, phase: phase.phase, now: figures(row, inside), rest: figures(row, rest) }))
      .filter(({ now }) => now.requests));
    spanTables.fill(box.querySelector("table"), [
      ["Phase", "", (row) => row.phase],
      ["Endpoint", "endpoint", (row) => row.endpoint],
      ["Traced", "n", (row) => number(row.now.requests)],
      ["Statements", "n", (row) => number(row.now.statements)],
      ["Statements in the rest", "n", (row) => number(row.rest.statements)],
      ["Database", "n", (row) => ms(row.now.ms)],
      ["Database in the rest", "n", (row) => ms(row.rest.ms)],
      ["Most repeated", "endpoint", (row) => { const { text, times } = most(row); return text && `${number(times)} × ${text}`; }],
    ], rows);
    box.querySelector(".empty").hidden = rows.length > 0;
  });
})();
