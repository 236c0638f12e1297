// The controls around the flame graphs: profile, search, difference, and the path to the frame zoomed to.
"use strict";

(async () => {
  const profiles = await page.data("flames-data");
  const boxes = new Map();

  for (const box of document.querySelectorAll(".flame")) {
    const part = (name) => box.querySelector(`.${name}`);
    const path = part("flame-path");
    const graph = new FlameGraph(part("flame-graph"), (state) => showPath(graph, path, state));
    const choose = (index) => {
      part("flame-profile").value = index;
      const profile = profiles[index];
      part("flame-diff-label").hidden = !profile.base;
      graph.show(profile);
      graph.colourByDifference(part("flame-diff").checked);
    };
    part("flame-profile").addEventListener("change", (event) => choose(event.target.value));
    part("flame-search").addEventListener("input", (event) => graph.search(event.target.value));
    part("flame-diff").addEventListener("change", (event) => graph.colourByDifference(event.target.checked));
    choose(part("flame-profile").value);
    boxes.set(box.id, { box, graph, choose, search: part("flame-search"), select: part("flame-profile") });
  }

  function showPath(graph, host, { path, matched }) {
    const pieces = [];
    const label = (text) => pieces.push(Object.assign(document.createElement("span"), { textContent: text }));
    const crumbs = path.length > 5 ? [path[0], null, ...path.slice(-3)] : path;
    crumbs.forEach((node, at) => {
      if (at) label("›");
      if (!node) label("…");
      else if (node === path.at(-1)) label(`${graph.label(node)}: ${graph.weight(node.weight)}${path.length > 1 ? `, ${graph.percent(node.weight / path[0].weight)}` : ""}`);
      else pieces.push(button(node.parent ? graph.label(node) : "all", () => graph.zoom(node)));
    });
    if (path.length > 1) pieces.push(button("Reset", () => graph.zoom(path[0])));
    else if (graph.profile.rate_hz) label(`· sampled ${graph.profile.rate_hz} times a second${cost(graph.profile)}`);
    if (matched !== null) {
      pieces.push(Object.assign(document.createElement("span"), { className: "matched", textContent: `${graph.percent(matched)} matched` }));
    }
    host.replaceChildren(...pieces);
  }

  function cost({ cores }) {
    return cores === null ? "" : `; sampling took ${cores < 0.01 ? "less than 0.01" : cores.toFixed(2)} of a core`;
  }

  function button(label, action) {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: label });
    made.addEventListener("click", action);
    return made;
  }

  // Click a suspect to find it in the CPU profile in which its share is largest.
  for (const link of document.querySelectorAll("[data-find]")) {
    link.addEventListener("click", () => {
      const cpu = boxes.get("flame-cpu");
      if (!cpu) return;
      const share = (option) => FlameGraph.matched(profiles[option.value], link.dataset.find);
      const best = [...cpu.select.options].reduce((a, b) => (share(b) > share(a) ? b : a));
      cpu.choose(best.value);
      cpu.search.value = link.dataset.find;
      cpu.graph.search(link.dataset.find);
      cpu.box.scrollIntoView({ behavior: "smooth", block: "center" });
    });
  }
})();
