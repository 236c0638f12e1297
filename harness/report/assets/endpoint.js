// The section of the selected endpoint: its rows of the tables of endpoints and changes. Its charts follow the selection.
"use strict";

(() => {
  const section = document.getElementById("endpoint-section");
  const all = document.getElementById("endpoint-table");
  const copyOf = (row, first) => {
    const copy = row.cloneNode(true);
    copy.hidden = false;
    copy.cells[0].replaceChildren(first);
    return copy;
  };

  /** Fill `id` with rows of `source` that are the endpoint's; `first` says what stands in the first cell. */
  function fill(id, source, first) {
    const table = document.getElementById(id);
    const head = source.tHead.cloneNode(true);
    head.rows[0].cells[0].textContent = "Phase";
    for (const cell of head.rows[0].cells) { cell.removeAttribute("tabindex"); cell.removeAttribute("aria-sort"); }
    const isIts = (row) => selection.name(row.querySelector("[data-endpoint]")?.dataset.endpoint ?? "") === selection.endpoint;
    const rows = [...source.tBodies].flatMap((body) => [...body.rows].filter(isIts)
      .map((row) => copyOf(row, first(body, row))));
    const body = document.createElement("tbody");
    body.append(...rows);
    table.replaceChildren(head, body);
    table.parentElement.hidden = !rows.length;
    return rows.length;
  }

  function show() {
    section.hidden = !selection.endpoint;
    if (section.hidden) return;
    document.getElementById("endpoint-name").textContent = selection.endpoint;
    fill("endpoint-phases", all, (body) => body.dataset.title);
    const changes = document.getElementById("baseline-table") ?? document.getElementById("builds-table");
    const found = changes ? fill("endpoint-changes", changes, (body, row) => body.dataset.phase ?? row.cells[row.cells.length - 1].textContent) : 0;
    document.getElementById("endpoint-changes-title").hidden = !found;
    const charted = [...document.getElementById("endpoint").options].some((option) => option.text === selection.endpoint);
    section.querySelector(".grid").hidden = !charted;
    document.getElementById("endpoint-uncharted").hidden = charted;
  }

  document.addEventListener("click", (event) => {
    const name = event.target.closest?.("[data-endpoint]")?.dataset.endpoint;
    if (name === undefined) return;
    selection.set({ endpoint: selection.name(name) });
    selection.go(section.id);
  });
  document.getElementById("endpoint-close").addEventListener("click", () => { selection.set({ endpoint: "" }); selection.go("endpoints"); });
  selection.follow((changed) => { if (changed.includes("endpoint")) show(); });
  show();
})();
