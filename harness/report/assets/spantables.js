// Tables that follow the selection: what a span of a phase shows, beside the rest of that phase.
"use strict";

const spanTables = {
  /** The phases to show: each with the numbers of its spans that are selected, and of the others. */
  parts(phases) {
    if (!selection.span) {
      const shown = phases.filter(({ phase }) => selection.name(phase) === selection.phase);
      return (shown.length ? shown : phases).map((phase) => ({ phase, inside: [...phase.spans.keys()], rest: [] }));
    }
    return phases.map((phase) => ({ phase, inside: profiles.spansIn(phase, selection.span) }))
      .filter(({ inside }) => inside.length)
      .map(({ phase, inside }) => ({ phase, inside, rest: [...phase.spans.keys()].filter((number) => !inside.includes(number)) }));
  },

  sum: (values, numbers) => numbers.reduce((total, number) => total + values[number], 0),

  number: (value) => (Number.isFinite(value) ? value.toLocaleString("en", { maximumSignificantDigits: 3 }) : "–"),
  ms: (value) => (Number.isFinite(value) ? `${spanTables.number(value)} ms` : "–"),

  /** Fill a table; `columns` are [title, class, text of a row]. */
  fill(table, columns, rows) {
    const cell = (tag, text, kind) => Object.assign(document.createElement(tag), { textContent: text, className: kind });
    const line = (cells) => { const made = document.createElement("tr"); made.append(...cells); return made; };
    const head = document.createElement("thead"), body = document.createElement("tbody");
    head.append(line(columns.map(([title, kind]) => cell("th", title, kind === "n" ? "n" : ""))));
    body.append(...rows.map((row) => line(columns.map(([title, kind, text]) => {
      const made = cell("td", text(row), kind);
      if (kind === "n") made.dataset.label = title; // on a narrow screen, where rows are cards
      return made;
    }))));
    table.replaceChildren(head, body);
  },

  /** Draw again whenever another phase or span is selected. */
  follow(draw) {
    selection.follow((changed) => { if (changed.includes("span") || changed.includes("phase")) draw(); });
    draw();
  },
};
