// What threads and tasks wait for: how many at a time and by request, in the selected span and in the rest of the phase.
"use strict";

(async () => {
  const LEAST = 0.01; // at a time
  const phases = await page.data("waits-data");
  const figures = ({ spans }, { waiting }, numbers) => {
    const column = (of) => spanTables.sum(spans.map(of), numbers);
    const waited_s = spanTables.sum(waiting, numbers);
    return { threads: waited_s / column(([start, end]) => end - start), ms: (1000 * waited_s) / column(([, , requests]) => requests) };
  };
  const { number, ms } = spanTables;

  spanTables.follow(() => {
    const parts = spanTables.parts(phases);
    const rows = parts.flatMap(({ phase, inside, rest }) => phase.rows
      .map((row) => ({ ...row, phase: phase.phase, now: figures(phase, row, inside), rest: figures(phase, row, rest) }))
      .filter(({ now, rest: others }) => now.threads >= LEAST || others.threads >= LEAST)
      .sort((a, b) => b.now.threads - a.now.threads));
    const beside = selection.span ? [
      ["At a time in the rest", "n", (row) => number(row.rest.threads)],
      ["Per request in the rest", "n", (row) => ms(row.rest.ms)],
    ] : [];
    spanTables.fill(document.querySelector("#waits table"), [
      ["Phase", "", (row) => row.phase],
      ["Waits for", "", (row) => row.what],
      ["In", "endpoint", (row) => row.place],
      ["At a time", "n", (row) => number(row.now.threads)],
      ["Per request", "n", (row) => ms(row.now.ms)],
      ...beside,
    ], rows);
    const sampled = parts.map(({ phase, inside }) => `${phase.spans[inside[0]][0].toFixed(1)}–${phase.spans[inside.at(-1)][1].toFixed(1)} s`);
    document.querySelector("#waits .sampled").textContent = !selection.span ? ""
      : sampled.length ? `Sampled in ${sampled.join(", ")}.` : "Nothing was sampled in the selected span.";
  });
})();
