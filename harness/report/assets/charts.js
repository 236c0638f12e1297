// The charts: plotly.js draws them from the one JSON island; a choice of endpoint, phase or theme draws them anew.
"use strict";

(() => {
  const plots = new Map([...document.querySelectorAll("[data-chart]")].map((node) => [node.dataset.chart, node]));
  if (!plots.size) return;
  const data = page.data("chart-data");
  const state = { endpoint: 0, phase: "measured", spreadEndpoint: 0, range: null, printing: false };

  // Long runs read better in minutes.
  const unit = data.seconds > 600 ? { of: 60, suffix: " min" } : { of: 1, suffix: " s" };
  const times = Array.from({ length: data.points }, (_, point) => ((point + 0.5) * data.step_s) / unit.of);
  const wholeRange = [0, data.seconds / unit.of];
  // Plotly reads a little HTML in texts; names from the target are text.
  const text = (value) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const plainText = (value) => value.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  const short = (value, most) => (value.length > most ? `${value.slice(0, Math.max(1, most - 1))}…` : value);
  const colour = (name) => page.colour(name);
  const faded = (name, share) => colour(name).replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);
  const some = (values) => values?.some((value) => value !== null && value !== 0);
  const PHASE_TONES = { ramp: "sky", steady: "green", stress: "orange", spike: "red", pause: "grey", shape: "blue", diagnose: "grey" };

  const line = (name, y, tone, more = {}) => ({
    type: "scatter", mode: "lines", name: text(short(name, 40)), x: times, y,
    line: { color: colour(tone), width: 1.7, ...more.line }, ...more.trace,
  });
  const area = (name, y, tone, more = {}) =>
    line(name, y, tone, { ...more, trace: { fill: "tozeroy", fillcolor: faded(tone, 0.16), ...more.trace } });

  const ms = { ticksuffix: " ms", hoverformat: ",.4~g" };
  const perSecond = { ticksuffix: "/s", hoverformat: ",.4~g" };
  const logMs = { ...ms, type: "log", dtick: 1, tickformat: ",~g", rangemode: "normal" };

  // Each gives traces and what its layout has of its own; a text instead says why there is nothing to draw.
  const overTime = {
    throughput: ({ ended, failed }) => ({
      traces: [area("responses", ended, "blue"), line("failed", failed, "red", { line: { dash: "dot" } })],
      y: perSecond,
    }),
    percentiles: (endpoint) => ({
      traces: [
        line("max", endpoint.max, "grey", { line: { width: 1, dash: "dot" } }),
        line("P99", endpoint.p99, "orange"), line("P95", endpoint.p95, "blue"), line("P50", endpoint.p50, "sky"),
        ...(endpoint.service_p95 ? [line("P95 of service time", endpoint.service_p95, "purple", { line: { dash: "dash" } })] : []),
      ],
      y: logMs, shapes: limits(), annotations: [],
    }),
    started: ({ started, ended }) => ({
      traces: [line("started", started, "green"), line("responses", ended, "blue", { line: { dash: "dot" } })],
      y: perSecond,
    }),
    "errors-chart": () => errors(),
    heatmap: (endpoint) => heatmap(endpoint.heat),
    users: () => ({
      traces: [area("users", data.generator.users, "green"),
        ...(some(data.generator.waiting) ? [line("arrivals that waited", data.generator.waiting, "red")] : [])],
      y: { hoverformat: ",.0f" },
    }),
    cpu: () => {
      const found = [["target", "blue"], ["generator", "orange"], ["machine", "grey"]]
        .filter(([source]) => some(data.resources[source]?.cpu_percent))
        .map(([source, tone]) => line(source, data.resources[source].cpu_percent, tone));
      return found.length ? { traces: found, y: { ticksuffix: " %", hoverformat: ".1f" } } : "CPU was not sampled.";
    },
    memory: () => {
      const found = [["target", "blue"], ["generator", "orange"]]
        .filter(([source]) => some(data.resources[source]?.rss_bytes))
        .map(([source, tone]) => line(source, data.resources[source].rss_bytes.map((bytes) => bytes && bytes / 1e6), tone));
      return found.length ? { traces: found, y: { ticksuffix: " MB", hoverformat: ",.1f" } } : "Memory was not sampled.";
    },
    handles: () => {
      const target = data.resources.target ?? {};
      const found = [["threads", "threads", "blue"], ["fds", "file descriptors", "orange"]]
        .filter(([key]) => some(target[key])).map(([key, name, tone]) => line(name, target[key], tone));
      return found.length ? { traces: found, y: { hoverformat: ",.0f" } } : "The target's process was not sampled.";
    },
    generator: () => (some(data.generator.worker_cpu) || some(data.generator.lag_ms) ? {
      traces: [line("busiest worker, % of a core", data.generator.worker_cpu, "orange"),
        line("event loop lag, ms", data.generator.lag_ms, "purple")],
      y: { hoverformat: ".1f" },
    } : "The load generator told nothing of itself."),
  };

  const ofSpread = {
    ranges: (spread) => {
      const [low, high] = data.bounds_ms.map((bound) => `${bound.toLocaleString("en")} ms`);
      const all = spread.ranges.reduce((sum, count) => sum + count, 0);
      return {
        traces: [{
          type: "bar", x: [`< ${low}`, `… < ${high}`, `≥ ${high}`, "failed"], y: spread.ranges,
          text: spread.ranges.map((count) => `${count.toLocaleString("en")}<br>${((100 * count) / all).toPrecision(3)} %`),
          textposition: "outside", cliponaxis: false, hoverinfo: "skip", width: 0.6,
          marker: { color: ["sky", "blue", "orange", "red"].map(colour) },
        }],
        y: { nticks: 4, hoverformat: ",d", range: [0, Math.max(...spread.ranges) * 1.3] },
      };
    },
    distribution: (spread) => {
      const all = spread.ranges.reduce((sum, count) => sum + count, 0);
      const traces = [["successful", spread.ok, "blue"], ["failed", spread.failed, "red"]]
        .filter(([, rows]) => rows.length).map(([name, rows, tone]) => steps(name, rows, tone, all));
      return { traces, x: { type: "log", ...ms, dtick: 1 }, y: { ticksuffix: " %", hoverformat: ".3~g" } };
    },
    curve: (spread) => {
      const all = spread.ranges.reduce((sum, count) => sum + count, 0);
      // Beyond 1 in n requests a percentile of n requests says nothing but the maximum.
      const shares = data.spread.curve.filter((share) => (1 - share) * all >= 1);
      const curve = (name, values, tone, dash) => ({
        type: "scatter", mode: "lines", name, line: { color: colour(tone), width: 2, dash },
        x: shares.map((share) => 1 / (1 - share)), y: values.slice(0, shares.length),
        customdata: shares.map((share) => +(share * 100).toFixed(3)), hovertemplate: "P%{customdata}: %{y:,.4~g} ms",
      });
      return {
        traces: [curve("response time", spread.curve, "blue"),
          ...(spread.service ? [curve("service time", spread.service, "purple", "dash")] : [])],
        x: { type: "log", tickvals: [1, 2, 10, 100, 1000, 10000], ticktext: ["min", "P50", "P90", "P99", "P99.9", "P99.99"], showspikes: true },
        y: logMs, hovermode: "closest",
      };
    },
    scatter: () => {
      const load = data.endpoints[0].ended;
      const { p95 } = data.endpoints[state.spreadEndpoint];
      const traces = data.phases.filter((phase) => shownPhase(phase)).map((phase) => {
        const points = times.flatMap((time, point) => {
          const at = time * unit.of;
          return at >= phase.start_s && at < phase.end_s && p95[point] !== null ? [point] : [];
        });
        return {
          type: "scatter", mode: "markers", name: text(short(phase.name, 24)),
          x: points.map((point) => load[point]), y: points.map((point) => p95[point]),
          marker: { color: colour(PHASE_TONES[phase.kind]), size: 6, opacity: 0.75, line: { width: 0.5, color: colour("card") } },
          hovertemplate: "%{x:,.4~g} responses/s: P95 %{y:,.4~g} ms",
        };
      });
      return { traces, x: { ...perSecond, rangemode: "tozero" }, y: logMs, hovermode: "closest" };
    },
  };

  const shownPhase = (phase) => state.phase === "measured" ? phase.measured : String(phase.index) === state.phase;

  function steps(name, rows, tone, all) {
    const shares = new Map();
    for (let at = 0; at < rows.length; at += 2) shares.set(rows[at], (100 * rows[at + 1]) / all);
    const first = Math.min(...shares.keys()), last = Math.max(...shares.keys());
    const x = [], y = [];
    for (let row = first - 1; row <= last + 1; row += 1) {
      x.push(10 ** (row / data.spread.rows_per_decade) / 1000);
      y.push(shares.get(row) ?? 0);
    }
    return { type: "scatter", mode: "lines", name, x, y, fill: "tozeroy", fillcolor: faded(tone, 0.25),
      line: { shape: "hv", color: colour(tone), width: 1.3 } };
  }

  function limits() {
    const name = data.endpoints[state.endpoint].name;
    return data.limits.filter((limit) => limit.endpoint === null ? state.endpoint === 0 : limit.endpoint === name).map((limit) => ({
      type: "line", xref: "x", yref: "y", x0: limit.start_s / unit.of, x1: limit.end_s / unit.of, y0: limit.ms, y1: limit.ms,
      line: { color: colour("ink"), width: 1.5, dash: "dot" },
    }));
  }

  function errors() {
    const { kinds, cells } = data.errors;
    const rows = kinds.map(() => new Array(data.points).fill(0));
    for (let at = 0; at < cells.length; at += 4) {
      const [endpoint, kind, point, count] = cells.slice(at, at + 4);
      if (state.endpoint === 0 || endpoint === state.endpoint - 1) rows[kind][point] += count / data.step_s;
    }
    const tones = ["red", "orange", "purple", "blue", "green", "sky", "grey"];
    const traces = rows.flatMap((row, kind) => row.some(Boolean)
      ? [line(kinds[kind], row, tones[kind], { line: { width: 0.8 }, trace: { stackgroup: "failures", fillcolor: faded(tones[kind], 0.7) } })] : []);
    return traces.length ? { traces, y: perSecond } : "No request failed.";
  }

  function heatmap(cells) {
    if (!cells.length) return "No request ended.";
    let top = 0, bottom = 255;
    for (let at = 1; at < cells.length; at += 3) { top = Math.max(top, cells[at]); bottom = Math.min(bottom, cells[at]); }
    const columns = Math.ceil(data.seconds / data.heat.step_s);
    const blank = () => Array.from({ length: top - bottom + 1 }, () => new Array(columns).fill(null));
    const shade = blank(), counts = blank();
    for (let at = 0; at < cells.length; at += 3) {
      shade[cells[at + 1] - bottom][cells[at]] = Math.log10(cells[at + 2]) + 0.3;
      counts[cells[at + 1] - bottom][cells[at]] = cells[at + 2];
    }
    const perDecade = data.heat.rows_per_decade;
    const value = (row) => 10 ** (row / perDecade) / 1000;
    const ticks = Array.from({ length: 12 }, (_, decade) => decade * perDecade).filter((row) => row >= bottom - 4 && row <= top + 4);
    return {
      traces: [{
        type: "heatmap", z: shade, text: counts, showscale: false, hoverongaps: false,
        x: Array.from({ length: columns }, (_, column) => ((column + 0.5) * data.heat.step_s) / unit.of),
        y: Array.from({ length: top - bottom + 1 }, (_, row) => row + bottom + 0.5),
        customdata: shade.map((row, at) => row.map(() => [value(at + bottom).toPrecision(3), value(at + bottom + 1).toPrecision(3)])),
        hovertemplate: `%{x:.4~g}${unit.suffix}<br>%{customdata[0]} – %{customdata[1]} ms: %{text:,} requests<extra></extra>`,
        zmin: 0, colorscale: [[0, colour("heat-none")], [0.5, colour("heat-some")], [1, colour("heat-most")]],
      }],
      y: { tickvals: ticks, ticktext: ticks.map((row) => `${value(row).toLocaleString("en")} ms`), range: [bottom, top + 1] },
      hovermode: "closest",
    };
  }

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
        x0: phase.start_s / unit.of, x1: phase.end_s / unit.of, fillcolor: faded(PHASE_TONES[phase.kind], phase.measured ? 0.09 : 0.16),
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
    const spread = data.endpoints[state.spreadEndpoint].spread[state.phase];
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
    node.dataset.drawn = `${state.endpoint}/${state.spreadEndpoint}/${state.phase}`;
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
    state.endpoint = state.spreadEndpoint = Number(place);
    endpointSelect.value = spreadSelect.value = place;
    redraw(plots.keys());
  };
  endpointSelect.addEventListener("change", () => choose(endpointSelect.value));
  spreadSelect.addEventListener("change", () => choose(spreadSelect.value));
  phaseSelect.addEventListener("change", () => { state.phase = phaseSelect.value; redraw(Object.keys(ofSpread)); });

  async function loadPlotly() {
    const packed = Uint8Array.from(atob(document.getElementById("plotly-source").textContent), (sign) => sign.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(unpacked).text();
    document.head.append(script);
  }
  loadPlotly().then(() => {
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
