// The charts of a run: a choice of endpoint, phase or time range draws them again from the report's JSON.
"use strict";

(async () => {
  if (!plots.nodes.size) return;
  const data = await page.data("charts-data");
  const state = { endpoint: 0, phase: "measured", printing: false };
  const { overTime, distributions, unit, wholeRange } = chartKinds(data, state);
  const { colour, faded, text, short } = plots;
  const LEFT = 64, RIGHT = 10; // margins of charts over time
  // The section of an endpoint has some charts again. They are drawn only while it is shown.
  const kindOf = (id) => plots.nodes.get(id).dataset.kind ?? id;
  const isTimed = (id) => kindOf(id) in overTime;
  const timed = [...plots.nodes.keys()].filter(isTimed);

  function layoutOf(id, node, own) {
    const timed = isTimed(id);
    const axis = { ...plots.axis(), automargin: !timed };
    const width = state.printing ? 345 : node.clientWidth;
    const [from, to] = selection.span?.map((second) => second / unit.of) ?? wholeRange;
    const perUnit = (width - LEFT - RIGHT) / (to - from);
    const phases = timed ? data.phases : [], faults = timed ? data.faults : [];
    const band = (from_s, to_s, tone, share, line = { width: 0 }) => ({
      type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1, layer: "below", line,
      x0: from_s / unit.of, x1: to_s / unit.of, fillcolor: faded(tone, share),
    });
    const named = (from_s, to_s, name, { least, ...more }) => {
      const start = Math.max(from_s / unit.of, from), end = Math.min(to_s / unit.of, to);
      const room = Math.max(least, Math.floor(((end - start) * perUnit) / 6.4));
      return room < 3 || end < from || start > to ? [] : [{
        xref: "x", yref: "paper", x: start, y: 1, xanchor: "left", showarrow: false, borderpad: 1,
        text: text(short(name, room)), hovertext: text(name), font: { size: 11, color: colour("soft") }, ...more,
      }];
    };
    return plots.layout({
      width: state.printing ? width : undefined, height: state.printing ? 170 : undefined, autosize: !state.printing,
      margin: { l: LEFT, r: RIGHT, t: timed ? 22 : 12, b: 26 },
      hovermode: own.hovermode ?? "x unified", dragmode: timed ? "zoom" : false,
      xaxis: timed ? { ...axis, fixedrange: false, range: [from, to], ticksuffix: unit.suffix, hoverformat: ",.4~g" } : { ...axis, ...own.x },
      yaxis: { ...axis, rangemode: "tozero", nticks: 6, separatethousands: true, ...own.y },
      shapes: [
        ...phases.map((phase) => band(phase.start_s, phase.end_s, phase.tone, phase.measured ? 0.09 : 0.16)),
        ...(timed ? data.contaminated : []).map(([start, end]) => band(start, end, "red", 0.14)),
        ...faults.flatMap((fault) => [
        // The line shows a fault that is over at once, too.
        band(fault.start_s, fault.end_s, "purple", 0.2, { width: 1, color: faded("purple", 0.5) }),
        ...(fault.back_s === null ? [] : [band(fault.end_s, fault.back_s, "purple", 0.1)]),
      ]), ...(own.shapes ?? [])],
      annotations: [
        ...phases.flatMap((phase) => named(phase.start_s, phase.end_s, phase.name, { least: 0, yanchor: "bottom" })),
        // Inside the chart, beside the names of phases above it; a short fault has a whole name, too.
        ...faults.flatMap((fault) =>
          named(fault.start_s, fault.end_s, fault.name, { least: 12, yanchor: "top", font: { size: 11, color: colour("purple") }, bgcolor: faded("card", 0.7) })),
      ],
    });
  }

  function draw(id) {
    const node = plots.nodes.get(id);
    const endpoint = data.endpoints[state.endpoint];
    const distribution = endpoint.distributions[state.phase];
    if (!node.getClientRects().length) return; // it is hidden
    let own;
    if (isTimed(id)) own = overTime[kindOf(id)](endpoint);
    else own = distribution ? distributions[kindOf(id)](distribution) : "No request of this endpoint completed in this phase.";
    plots.draw(id, own.traces ?? own, layoutOf(id, node, own));
    if (isTimed(id) && !node.dataset.drawn) follow(node);
    node.dataset.drawn = `${state.endpoint}/${state.phase}`;
  }

  // One chart at a time, visible ones first, so that the page responds while it draws.
  let waiting = [];
  let running = false;
  function redraw(ids) {
    if (!globalThis.Plotly) return; // it is still being unpacked, and all charts are drawn then
    const inView = (id) => { const { top, bottom } = plots.nodes.get(id).getBoundingClientRect(); return bottom > 0 && top < innerHeight; };
    waiting = [...new Set([...waiting, ...ids])].sort((a, b) => inView(b) - inView(a));
    if (!running) { running = true; setTimeout(drawNext); }
  }
  function drawNext() {
    const id = waiting.shift();
    if (id === undefined) { running = false; document.documentElement.dataset.charts = "drawn"; return; }
    document.documentElement.dataset.charts = "drawing";
    setTimeout(drawNext); // first, so that a chart that fails does not stop the others
    draw(id);
  }

  // One crosshair: the time that the mouse points at, in all charts over time.
  function follow(node) {
    node.on("plotly_relayout", zoomed);
    node.addEventListener("mousemove", (event) => {
      const share = (event.clientX - node.getBoundingClientRect().left - LEFT) / (node.clientWidth - LEFT - RIGHT);
      for (const id of timed) cross(plots.nodes.get(id), share >= 0 && share <= 1 ? share : null);
    });
    node.addEventListener("mouseleave", () => { for (const id of timed) cross(plots.nodes.get(id), null); });
  }
  function cross(node, share) {
    const line = node.querySelector(".crosshair") ?? node.appendChild(Object.assign(document.createElement("i"), { className: "crosshair" }));
    line.hidden = share === null;
    line.style.left = `${LEFT + share * (node.clientWidth - LEFT - RIGHT)}px`;
  }

  // To zoom is to select a span: the flame graph shows it, too.
  function zoomed(event) {
    const from = event["xaxis.range[0]"], to = event["xaxis.range[1]"];
    const second = (value) => +Math.min(Math.max(value * unit.of, 0), data.seconds).toFixed(1);
    if (from !== undefined) selection.set({ span: [second(from), second(to)] });
    else if (event["xaxis.autorange"] || event["xaxis.range"]) selection.set({ span: null });
  }
  selection.follow((changed) => { if (changed.includes("span")) redraw(timed); });

  const endpointSelects = [document.getElementById("endpoint"), document.getElementById("distribution-endpoint")];
  const phaseSelect = document.getElementById("distribution-phase");
  endpointSelects[1].replaceChildren(...[...endpointSelects[0].options].map((option) => option.cloneNode(true)));
  const withLoad = data.endpoints[0].distributions;
  if (withLoad.measured) phaseSelect.add(new Option("all measured phases", "measured"));
  for (const phase of data.phases) if (withLoad[phase.index]) phaseSelect.add(new Option(phase.name, phase.index));
  state.phase = phaseSelect.value;
  for (const select of endpointSelects) {
    select.addEventListener("change", () => {
      state.endpoint = Number(select.value);
      redraw(plots.nodes.keys());
    });
    select.options[0].dataset.all = "";
    selection.link(select, "endpoint");
  }
  phaseSelect.addEventListener("change", () => { state.phase = phaseSelect.value; redraw([...plots.nodes.keys()].filter((id) => !isTimed(id))); });
  if (withLoad.measured) phaseSelect.options[0].dataset.all = "";
  selection.link(phaseSelect, "phase");

  plots.start(() => redraw(plots.nodes.keys()), {
    printStart: () => { state.printing = true; for (const id of plots.nodes.keys()) draw(id); },
    printEnd: () => { state.printing = false; redraw(plots.nodes.keys()); },
  });
})();
