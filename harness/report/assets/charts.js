// The charts: plotly.js draws them from the one JSON island; a choice of endpoint, phase or theme draws them anew.
"use strict";

(() => {
  const plots = new Map([...document.querySelectorAll("[data-chart]")].map((node) => [node.dataset.chart, node]));
  if (!plots.size) return;
  const data = page.data("chart-data");
  const state = { endpoint: 0, phase: "measured", range: null, printing: false };

  const { overTime, ofSpread, unit, wholeRange, text, short, colour, faded, phaseTones } = chartKinds(data, state);
  const plainText = (value) => value.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

  function layoutOf(id, node, own) {
    const timed = id in overTime;
    const axis = { gridcolor: faded("line", 0.8), zeroline: false, linecolor: colour("line"), automargin: !timed, tickfont: { size: 11 }, fixedrange: true };
    const width = state.printing ? 345 : node.clientWidth;
    const [from, to] = state.range ?? wholeRange;
    const perUnit = (width - 70) / (to - from);
    const phases = timed ? data.phases : [];
    return {
      width: state.printing ? width : undefined, height: state.printing ? 170 : undefined, autosize: !state.printing,
      margin: { l: 64, r: 10, t: timed ? 22 : 12, b: 26 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("soft") },
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink"), size: 12 } },
      hovermode: own.hovermode ?? "x unified", dragmode: timed ? "zoom" : false,
      showlegend: false,
      xaxis: timed ? { ...axis, fixedrange: false, range: [from, to], ticksuffix: unit.suffix, hoverformat: ",.4~g" } : { ...axis, ...own.x },
      yaxis: { ...axis, rangemode: "tozero", nticks: 6, separatethousands: true, ...own.y },
      shapes: [...phases.map((phase) => ({
        type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1, layer: "below", line: { width: 0 },
        x0: phase.start_s / unit.of, x1: phase.end_s / unit.of, fillcolor: faded(phaseTones[phase.kind], phase.measured ? 0.09 : 0.16),
      })), ...(own.shapes ?? [])],
      annotations: phases.flatMap((phase) => {
        const start = Math.max(phase.start_s / unit.of, from), end = Math.min(phase.end_s / unit.of, to);
        const room = Math.floor(((end - start) * perUnit) / 6.4);
        return room < 3 ? [] : [{
          xref: "x", yref: "paper", x: start, y: 1, xanchor: "left", yanchor: "bottom", showarrow: false, borderpad: 1,
          text: text(short(phase.name, room)), hovertext: text(phase.name), font: { size: 11, color: colour("soft") },
        }];
      }),
    };
  }

  function draw(id) {
    const node = plots.get(id);
    const endpoint = data.endpoints[state.endpoint];
    const spread = data.endpoints[state.endpoint].spread[state.phase];
    let own;
    if (id in overTime) own = overTime[id](endpoint);
    else own = spread ? ofSpread[id](spread) : "No request of this endpoint ended in this phase.";
    if (typeof own === "string") own = { traces: [], nothing: own };
    const layout = layoutOf(id, node, own);
    if (own.nothing) {
      layout.xaxis.visible = layout.yaxis.visible = false;
      layout.annotations = [{ xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, text: own.nothing, font: { size: 14 } }];
      layout.shapes = [];
    }
    Plotly.react(node, own.traces, layout, { displayModeBar: false, responsive: true, doubleClick: "reset" });
    if (id in overTime && !node.dataset.drawn) node.on("plotly_relayout", (event) => zoomed(event));
    legend(node, own.traces);
    node.dataset.drawn = `${state.endpoint}/${state.phase}`;
  }

  // A legend of its own: plotly's takes the room of the plot on a phone, and cannot be reached by keyboard.
  function legend(node, traces) {
    const list = node.parentElement.querySelector(".legend");
    const items = (traces.length > 1 ? traces : []).map((trace, place) => {
      const item = Object.assign(document.createElement("button"), { type: "button", textContent: plainText(trace.name) });
      const tone = trace.marker?.color ?? trace.line.color;
      item.style.setProperty("--tone", tone);
      item.className = trace.line?.dash ?? "solid";
      item.ariaPressed = "true";
      item.addEventListener("click", () => {
        item.ariaPressed = String(item.ariaPressed !== "true");
        Plotly.restyle(node, { visible: item.ariaPressed === "true" }, [place]);
      });
      return item;
    });
    list.replaceChildren(...items);
  }

  // One chart a turn, those in view first, so that the page answers while it draws.
  let waiting = [];
  let running = false;
  function redraw(ids) {
    const inView = (id) => { const { top, bottom } = plots.get(id).getBoundingClientRect(); return bottom > 0 && top < innerHeight; };
    waiting = [...new Set([...waiting, ...ids])].sort((a, b) => inView(b) - inView(a));
    if (!running) { running = true; setTimeout(turn); }
  }
  function turn() {
    const id = waiting.shift();
    if (id === undefined) { running = false; document.documentElement.dataset.charts = "drawn"; return; }
    document.documentElement.dataset.charts = "drawing";
    setTimeout(turn); // first, so that a chart that cannot be drawn does not stop the others
    draw(id);
  }

  function zoomed(event) {
    const from = event["xaxis.range[0]"], to = event["xaxis.range[1]"];
    let range = state.range;
    if (from !== undefined) range = [from, to];
    else if (event["xaxis.autorange"] || event["xaxis.range"]) range = null;
    if (String(range) === String(state.range)) return;
    state.range = range;
    redraw(Object.keys(overTime));
  }

  const endpointSelect = document.getElementById("endpoint");
  const spreadSelect = document.getElementById("spread-endpoint");
  const phaseSelect = document.getElementById("spread-phase");
  const withLoad = data.endpoints[0].spread;
  if (withLoad.measured) phaseSelect.add(new Option("all measured phases", "measured"));
  for (const phase of data.phases) if (withLoad[phase.index]) phaseSelect.add(new Option(phase.name, phase.index));
  state.phase = phaseSelect.value;
  const choose = (place) => {
    state.endpoint = Number(place);
    endpointSelect.value = spreadSelect.value = place;
    redraw(plots.keys());
  };
  endpointSelect.addEventListener("change", () => choose(endpointSelect.value));
  spreadSelect.addEventListener("change", () => choose(spreadSelect.value));
  phaseSelect.addEventListener("change", () => { state.phase = phaseSelect.value; redraw(Object.keys(ofSpread)); });

  page.loadPlotly().then(() => {
    redraw(plots.keys());
    document.addEventListener("themechange", () => redraw(plots.keys()));
    document.addEventListener("printstart", () => { state.printing = true; for (const id of plots.keys()) draw(id); });
    document.addEventListener("printend", () => { state.printing = false; redraw(plots.keys()); });
  }).catch((fault) => {
    const note = document.getElementById("chart-fault");
    note.hidden = false;
    note.textContent = `The charts cannot be drawn in this browser (${fault.message}); any browser since 2023 can.`;
  });
})();
