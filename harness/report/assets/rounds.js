// The charts of benchmarks, from what `harness/report/sections/benchmarks.py` makes.
"use strict";

(async () => {
  if (!plots.nodes.size) return;
  const { benchmarks, run_id, most_rows: MOST_ROWS } = await page.data("rounds-data");
  const select = document.getElementById("benchmark");
  const { colour, faded, text } = plots;
  const short = (value) => text(value.length > 34 ? `…${value.slice(-33)}` : value);
  /** Those with the largest `size`, as many as a chart has rows, in the order of the suite. */
  const largest = (list, size) => {
    const least = list.map(size).sort((a, b) => b - a)[MOST_ROWS - 1] ?? -Infinity;
    return list.filter((one) => size(one) >= least).slice(0, MOST_ROWS);
  };

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

  const charts = {
    durations: (one) => {
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
    order: (one) => {
      const unit = unitOf(one.median_s);
      const x = one.medians.map((_, at) => at * one.step + 1);
      const line = (name, values, tone, dash) => ({
        type: "scatter", mode: one.medians.length < 30 ? "lines+markers" : "lines", name, x, y: values.map((value) => value * unit.of),
        line: { color: colour(tone), width: 1.5, dash },
      });
      const maxima = one.step > 1 ? [line(`maximum of ${one.step}`, one.maxima, "grey", "dot")] : [];
      return {
        traces: [...maxima, line(one.step > 1 ? `median of ${one.step}` : "round", one.medians, "blue")],
        x: { hoverformat: ",d" }, y: { ...axisOf(unit), rangemode: "tozero" },
      };
    },
    history: (one) => {
      if (!one.history.length) return "This is the first bench of this suite on this kind of machine.";
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
      const known = largest(benchmarks, (one) => one.median_s);
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
    changes: () => {
      const known = largest(benchmarks.filter((one) => one.change !== null), (one) => Math.abs(one.change));
      if (!known.length) return "The baseline has none of these benchmarks.";
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
    const node = plots.nodes.get(id);
    const own = charts[id](benchmarks[select.value]);
    const height = own.rows ? Math.max(220, 22 * own.rows + 60) : undefined;
    node.style.height = height ? `${height}px` : "";
    const layout = plots.layout({
      height, hovermode: own.hovermode ?? "x unified", bargap: own.bargap, shapes: own.shapes ?? [], annotations: own.annotations ?? [],
      xaxis: { ...plots.axis(), ...own.x }, yaxis: { ...plots.axis(), rangemode: "tozero", ...own.y },
    });
    plots.draw(id, own.traces ?? own, layout);
    node.dataset.drawn = select.value;
  }

  select.addEventListener("change", () => { for (const id of ["durations", "order", "history"]) draw(id); });
  plots.start(() => {
    for (const id of plots.nodes.keys()) draw(id);
    document.documentElement.dataset.charts = "drawn";
  });
})();
