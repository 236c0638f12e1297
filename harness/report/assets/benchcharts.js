// The charts of a bench: plotly.js draws them from the one JSON island (see `harness/report/bench_charts.py`).
"use strict";

(() => {
  const MOST_ROWS = 50; // benchmarks.html tells of it
  const plots = new Map([...document.querySelectorAll("[data-chart]")].map((node) => [node.dataset.chart, node]));
  if (!plots.size) return;
  const { benchmarks, run_id } = page.data("chart-data");
  const select = document.getElementById("benchmark");
  const colour = (name) => page.colour(name);
  const faded = (name, share) => colour(name).replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);
  // Plotly reads a little HTML in texts; names of tests are text.
  /** More than these, with what `of` says the most, nobody looks through; in the order of the suite. */
  const most = (list, of) => {
    const least = list.map(of).sort((a, b) => b - a)[MOST_ROWS - 1] ?? -Infinity;
    return list.filter((one) => of(one) >= least).slice(0, MOST_ROWS);
  };
  const text = (value) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const short = (value) => text(value.length > 34 ? `…${value.slice(-33)}` : value);

  /** The unit in which `seconds` reads best, and how many of it are a second. */
  function unitOf(seconds) {
    if (seconds < 1e-6) return { of: 1e9, suffix: " ns" };
    if (seconds < 1e-3) return { of: 1e6, suffix: " µs" };
    return seconds < 1 ? { of: 1e3, suffix: " ms" } : { of: 1, suffix: " s" };
  }
  const axisOf = (unit) => ({ ticksuffix: unit.suffix, hoverformat: ",.4~g" });
  const logAxis = { type: "log", dtick: 1, tickvals: [], ticktext: [], rangemode: "normal" };
  for (let power = -9; power < 4; power += 1) {
    const unit = unitOf(10 ** power * 1.0001);
    logAxis.tickvals.push(10 ** power);
    logAxis.ticktext.push(`${+(10 ** power * unit.of).toPrecision(3)}${unit.suffix}`);
  }

  const kinds = {
    rounds: (one) => {
      const unit = unitOf(one.median_s);
      const middle = one.counts.map((_, at) => ((one.edges[at] + one.edges[at + 1]) / 2) * unit.of);
      const dashed = one.baseline_median_s === null ? [] : [{
        type: "line", xref: "x", yref: "paper", x0: one.baseline_median_s * unit.of, x1: one.baseline_median_s * unit.of, y0: 0, y1: 1,
        line: { color: colour("ink"), width: 1.5, dash: "dash" },
      }];
      const beyond = one.beyond ? [{
        xref: "paper", yref: "paper", x: 1, y: 1, xanchor: "right", yanchor: "top", showarrow: false,
        text: `${one.beyond.toLocaleString("en")} beyond`, font: { size: 11, color: colour("soft") },
      }] : [];
      return {
        traces: [{ type: "bar", name: "rounds", x: middle, y: one.counts, marker: { color: colour("blue") } }],
        x: axisOf(unit), y: { hoverformat: ",d" }, shapes: dashed, annotations: beyond, bargap: 0.04,
      };
    },
    course: (one) => {
      const unit = unitOf(one.median_s);
      const x = one.middle.map((_, at) => at * one.step + 1);
      const line = (name, values, tone, dash) => ({
        type: "scatter", mode: one.middle.length < 30 ? "lines+markers" : "lines", name, x, y: values.map((value) => value * unit.of),
        line: { color: colour(tone), width: 1.5, dash },
      });
      const greatest = one.step > 1 ? [line(`greatest of ${one.step}`, one.greatest, "grey", "dot")] : [];
      return {
        traces: [...greatest, line(one.step > 1 ? `median of ${one.step}` : "round", one.middle, "blue")],
        x: { hoverformat: ",d" }, y: { ...axisOf(unit), rangemode: "tozero" },
      };
    },
    history: (one) => {
      if (!one.history.length) return "This is the first bench of this suite here.";
      const unit = unitOf(one.median_s);
      const points = [...one.history, { run_id, median_s: one.median_s, mean_s: one.mean_s }];
      const line = (name, key, tone) => ({
        type: "scatter", mode: "lines+markers", name, x: points.map((_, at) => at + 1), y: points.map((point) => point[key] * unit.of),
        text: points.map((point) => text(point.run_id)), hovertemplate: `${name} %{y:,.4~g}${unit.suffix}<br>%{text}<extra></extra>`,
        line: { color: colour(tone), width: 1.5 }, marker: { size: 6 },
      });
      return {
        traces: [line("mean", "mean_s", "grey"), line("median", "median_s", "blue")],
        x: { dtick: Math.ceil(points.length / 10), hoverformat: "d" }, y: { ...axisOf(unit), rangemode: "tozero" }, hovermode: "closest",
      };
    },
    all: () => {
      const known = most(benchmarks, (one) => one.median_s);
      return {
        traces: [{
          type: "scatter", mode: "markers", name: "median", y: known.map((one) => short(one.name)), x: known.map((one) => one.median_s),
          error_x: {
            type: "data", symmetric: false, array: known.map((one) => one.p95_s - one.median_s),
            arrayminus: known.map((one) => one.median_s - one.min_s), color: faded("blue", 0.6), thickness: 3, width: 0,
          },
          marker: { color: colour("blue"), size: 8 }, hovertemplate: "%{y}: %{x:.3s}s<extra></extra>",
        }],
        x: logAxis, y: { autorange: "reversed", automargin: true, dtick: 1 }, hovermode: "closest", rows: known.length,
      };
    },
    against: () => {
      const known = most(benchmarks.filter((one) => one.change !== null), (one) => Math.abs(one.change));
      if (!known.length) return "The baseline knows none of these benchmarks.";
      const tone = ({ change_interval: [low, high] }) => colour(low > 0 ? "red" : high !== null && high < 0 ? "green" : "grey");
      const high = (one) => one.change_interval[1] ?? one.change;
      return {
        traces: [{
          type: "scatter", mode: "markers", name: "change", y: known.map((one) => short(one.name)), x: known.map((one) => 100 * one.change),
          error_x: {
            type: "data", symmetric: false, array: known.map((one) => 100 * (high(one) - one.change)),
            arrayminus: known.map((one) => 100 * (one.change - one.change_interval[0])), color: faded("ink", 0.5), thickness: 2, width: 4,
          },
          marker: { color: known.map(tone), size: 9 }, hovertemplate: "%{y}: %{x:+.3~g} %<extra></extra>",
        }],
        x: { ticksuffix: " %", rangemode: "tozero", zeroline: true, zerolinecolor: colour("ink") },
        y: { autorange: "reversed", automargin: true, dtick: 1 }, hovermode: "closest", rows: known.length,
      };
    },
  };

  function draw(id) {
    const node = plots.get(id);
    let own = kinds[id](benchmarks[select.value]);
    if (typeof own === "string") own = { traces: [], nothing: own };
    const axis = { gridcolor: faded("line", 0.8), zeroline: false, linecolor: colour("line"), automargin: true, tickfont: { size: 11 }, fixedrange: true };
    const height = own.rows ? Math.max(220, 22 * own.rows + 60) : undefined;
    node.style.height = height ? `${height}px` : "";
    const layout = {
      autosize: true, height,
      margin: { l: 56, r: 12, t: 12, b: 30 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("soft") },
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink"), size: 12 } },
      hovermode: own.hovermode ?? "x unified", dragmode: false, showlegend: false, bargap: own.bargap,
      xaxis: { ...axis, ...own.x }, yaxis: { ...axis, rangemode: "tozero", ...own.y },
      shapes: own.shapes ?? [], annotations: own.annotations ?? [],
    };
    if (own.nothing) {
      layout.xaxis.visible = layout.yaxis.visible = false;
      layout.annotations = [{ xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, text: own.nothing, font: { size: 14 } }];
    }
    Plotly.react(node, own.traces, layout, { displayModeBar: false, responsive: true });
    legend(node, own.traces);
    node.dataset.drawn = select.value;
  }
  // As in the report of a run: a legend of its own, that a phone has room for and a keyboard reaches.
  function legend(node, traces) {
    const items = (traces.length > 1 ? traces : []).map((trace) => {
      const item = Object.assign(document.createElement("span"), { textContent: trace.name, className: trace.line.dash ?? "solid" });
      item.style.setProperty("--tone", trace.line.color);
      return item;
    });
    node.parentElement.querySelector(".legend").replaceChildren(...items);
  }
  const drawAll = () => { for (const id of plots.keys()) draw(id); document.documentElement.dataset.charts = "drawn"; };

  page.loadPlotly().then(() => {
    drawAll();
    select.addEventListener("change", () => { draw("rounds"); draw("course"); draw("history"); });
    document.addEventListener("themechange", drawAll);
    document.addEventListener("printstart", drawAll);
  }).catch((fault) => {
    const note = document.getElementById("chart-fault");
    note.hidden = false;
    note.textContent = `The charts cannot be drawn in this browser (${fault.message}); any browser since 2023 can.`;
  });
})();
