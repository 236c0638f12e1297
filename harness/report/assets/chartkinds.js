// What each chart of a run shows: its traces and axes, from the report's JSON and the reader's choice.
"use strict";

/**
 * `data` is what `harness/report/sections/timeline.py` makes, `state` the choice: {endpoint, phase}.
 * Each chart is a function that returns {traces, x?, y, shapes?, hovermode?}, or a text if there is nothing to draw.
 */
function chartKinds(data, state) {
  // Long runs read better in minutes.
  const unit = data.seconds > 600 ? { of: 60, suffix: " min" } : { of: 1, suffix: " s" };
  const times = Array.from({ length: data.points }, (_, point) => ((point + 0.5) * data.step_s) / unit.of);
  const wholeRange = [0, data.seconds / unit.of];
  const { text, short, colour, faded } = plots;

  const line = (name, y, tone, more = {}) => ({
    type: "scatter", mode: "lines", name: text(short(name, 40)), x: times, y,
    line: { color: colour(tone), width: 1.7, ...more.line }, ...more.trace,
  });
  const area = (name, y, tone, more = {}) =>
    line(name, y, tone, { ...more, trace: { fill: "tozeroy", fillcolor: faded(tone, 0.16), ...more.trace } });

  // What the baseline, or build A, was: a broad pale line behind that of today.
  const before = (name, endpoint, key, tone) => !endpoint.behind[key] ? [] : [
    line(`${name}, ${data.behind}`, endpoint.behind[key], tone, { line: { color: faded(tone, 0.35), width: 6 } })];

  const ms = { ticksuffix: " ms", hoverformat: ",.4~g" };
  const perSecond = { ticksuffix: "/s", hoverformat: ",.4~g" };
  // Ticks at decades alone would leave an axis of less than two decades almost without ticks.
  const isNarrow = (lowest, highest) => highest / lowest < 50;
  const logMs = (...rows) => {
    const values = rows.flat().filter((value) => value > 0);
    const narrow = isNarrow(Math.min(...values), Math.max(...values));
    return { ...ms, type: "log", dtick: narrow ? "D2" : 1, tickformat: ",~g", rangemode: "normal" };
  };

  const overTime = {
    throughput: (endpoint) => ({
      traces: [...before("responses", endpoint, "completed", "green"), area("responses", endpoint.completed, "blue"),
        line("failed", endpoint.failed, "red", { line: { dash: "dot" } })],
      y: perSecond,
    }),
    percentiles: (endpoint) => ({
      traces: [
        ...before("P50", endpoint, "p50", "sky"), ...before("P95", endpoint, "p95", "blue"),
        line("max", endpoint.max, "grey", { line: { width: 1, dash: "dot" } }),
        line("P99", endpoint.p99, "orange"), line("P95", endpoint.p95, "blue"), line("P50", endpoint.p50, "sky"),
        ...(endpoint.service_p95 ? [line("P95 of service time", endpoint.service_p95, "purple", { line: { dash: "dash" } })] : []),
      ],
      y: logMs(endpoint.max, endpoint.p50, endpoint.behind.p50 ?? [], limits().map((limit) => limit.y0)), shapes: limits(),
    }),
    started: ({ started, completed }) => ({
      traces: [line("started", started, "green"), line("responses", completed, "blue", { line: { dash: "dot" } })],
      y: perSecond,
    }),
    "errors-chart": () => errors(),
    heatmap: (endpoint) => heatmap(endpoint.heat),
    ...Object.fromEntries(data.line_charts.map((chart) => [chart.id, () => lineChart(chart)])),
  };

  const distributions = {
    ranges: (distribution) => {
      const [low, high] = data.bounds_ms.map((bound) => `${bound.toLocaleString("en")} ms`);
      const all = distribution.ranges.reduce((sum, count) => sum + count, 0);
      return {
        traces: [{
          type: "bar", x: [`< ${low}`, `… < ${high}`, `≥ ${high}`, "failed"], y: distribution.ranges,
          text: distribution.ranges.map((count) => `${count.toLocaleString("en")}<br>${((100 * count) / all).toPrecision(3)} %`),
          textposition: "outside", cliponaxis: false, hoverinfo: "skip", width: 0.6,
          marker: { color: ["sky", "blue", "orange", "red"].map(colour) },
        }],
        y: { nticks: 4, hoverformat: ",d", range: [0, Math.max(...distribution.ranges) * 1.3] },
      };
    },
    distribution: (distribution) => {
      const all = distribution.ranges.reduce((sum, count) => sum + count, 0);
      const traces = [["successful", distribution.ok, "blue"], ["failed", distribution.failed, "red"]]
        .filter(([, rows]) => rows.length).map(([name, rows, tone]) => steps(name, rows, tone, all));
      return { traces, x: { type: "log", ...ms, dtick: 1 }, y: { ticksuffix: " %", hoverformat: ".3~g" } };
    },
    curve: (distribution) => {
      const all = distribution.ranges.reduce((sum, count) => sum + count, 0);
      // Of n requests, percentiles beyond 1 in n are the maximum.
      const shares = data.distributions.curve.filter((share) => (1 - share) * all >= 1);
      const curve = (name, values, tone, dash) => ({
        type: "scatter", mode: "lines", name, line: { color: colour(tone), width: 2, dash },
        x: shares.map((share) => 1 / (1 - share)), y: values.slice(0, shares.length),
        customdata: shares.map((share) => +(share * 100).toFixed(3)), hovertemplate: "P%{customdata}: %{y:,.4~g} ms",
      });
      return {
        traces: [curve("response time", distribution.curve, "blue"),
          ...(distribution.service ? [curve("service time", distribution.service, "purple", "dash")] : [])],
        x: { type: "log", tickvals: [1, 2, 10, 100, 1000, 10000], ticktext: ["min", "P50", "P90", "P99", "P99.9", "P99.99"], showspikes: true },
        y: logMs(distribution.curve), hovermode: "closest",
      };
    },
    scatter: () => {
      const load = data.endpoints[0].completed;
      const { p95 } = data.endpoints[state.endpoint];
      const traces = data.phases.filter((phase) => shownPhase(phase)).map((phase) => {
        const points = times.flatMap((time, point) => {
          const at = time * unit.of;
          return at >= phase.start_s && at < phase.end_s && p95[point] !== null ? [point] : [];
        });
        return {
          type: "scatter", mode: "markers", name: text(short(phase.name, 24)),
          x: points.map((point) => load[point]), y: points.map((point) => p95[point]),
          marker: { color: colour(phase.tone), size: 6, opacity: 0.75, line: { width: 0.5, color: colour("card") } },
          hovertemplate: "%{x:,.4~g} responses/s: P95 %{y:,.4~g} ms",
        };
      });
      return { traces, x: { ...perSecond, rangemode: "tozero" }, y: logMs(traces.map((trace) => trace.y).flat()), hovermode: "closest" };
    },
  };

  function lineChart({ lines, suffix, decimals, empty }) {
    const traces = lines.map(({ name, values, tone, filled }) => (filled ? area : line)(name, values, tone));
    return traces.length ? { traces, y: { ticksuffix: suffix, hoverformat: `,.${decimals}f` } } : empty;
  }

  const shownPhase = (phase) => state.phase === "measured" ? phase.measured : String(phase.index) === state.phase;

  function steps(name, rows, tone, all) {
    const shares = new Map();
    for (let at = 0; at < rows.length; at += 2) shares.set(rows[at], (100 * rows[at + 1]) / all);
    const first = Math.min(...shares.keys()), last = Math.max(...shares.keys());
    const x = [], y = [];
    for (let row = first - 1; row <= last + 1; row += 1) {
      x.push(10 ** (row / data.distributions.rows_per_decade) / 1000);
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
    const { names, cells } = data.errors;
    const rows = names.map(() => new Array(data.points).fill(0));
    for (let at = 0; at < cells.length; at += 4) {
      const [endpoint, kind, point, count] = cells.slice(at, at + 4);
      if (state.endpoint === 0 || endpoint === state.endpoint - 1) rows[kind][point] += count / data.step_s;
    }
    const tones = ["red", "orange", "purple", "blue", "green", "sky", "grey"];
    const traces = rows.flatMap((row, kind) => row.some(Boolean)
      ? [line(names[kind], row, tones[kind], { line: { width: 0.8 }, trace: { stackgroup: "failures", fillcolor: faded(tones[kind], 0.7) } })] : []);
    return traces.length ? { traces, y: perSecond } : "No request failed.";
  }

  function heatmap(cells) {
    if (!cells.length) return "No request completed.";
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
    const decades = Array.from({ length: 12 }, (_, decade) => 10 ** (decade - 3));
    const steps = isNarrow(value(bottom), value(top + 1)) ? [1, 2, 5] : [1];
    const ticks = decades.flatMap((decade) => steps.map((step) => decade * step)).filter((tick) => tick >= value(bottom) && tick <= value(top + 1));
    return {
      traces: [{
        type: "heatmap", z: shade, text: counts, showscale: false, hoverongaps: false,
        x: Array.from({ length: columns }, (_, column) => ((column + 0.5) * data.heat.step_s) / unit.of),
        y: Array.from({ length: top - bottom + 1 }, (_, row) => row + bottom + 0.5),
        customdata: shade.map((row, at) => row.map(() => [value(at + bottom).toPrecision(3), value(at + bottom + 1).toPrecision(3)])),
        hovertemplate: `%{x:.4~g}${unit.suffix}<br>%{customdata[0]} – %{customdata[1]} ms: %{text:,} requests<extra></extra>`,
        zmin: -0.4, zmax: Math.max(...shade.flat()), colorscale: [[0, colour("heat-none")], [0.5, colour("heat-some")], [1, colour("heat-most")]],
      }],
      y: { tickvals: ticks.map((tick) => perDecade * Math.log10(tick * 1000)), ticktext: ticks.map((tick) => `${tick.toLocaleString("en")} ms`), range: [bottom, top + 1] },
      hovermode: "closest",
    };
  }

  return { overTime, distributions, unit, wholeRange };
}
