// What all charts share: colours, layout, legend, empty state, and drawing again when theme or paper change.
"use strict";

const plots = {
  nodes: new Map([...document.querySelectorAll("[data-chart]")].map((node) => [node.dataset.chart, node])),

  colour: (name) => page.colour(name),
  faded: (name, share) => page.colour(name).replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`),
  // Plotly reads a little HTML in texts. Names from the target are text.
  text: (value) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
  plainText: (value) => value.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"),
  short: (value, most) => (value.length > most ? `${value.slice(0, Math.max(1, most - 1))}…` : value),

  axis: () => ({
    gridcolor: plots.faded("line", 0.8), zeroline: false, linecolor: plots.colour("line"), automargin: true, tickfont: { size: 11 }, fixedrange: true,
  }),

  /** The layout that every chart begins with. */
  layout: (more) => ({
    autosize: true, margin: { l: 56, r: 12, t: 12, b: 30 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: plots.colour("soft") },
    hoverlabel: { bgcolor: plots.colour("card"), bordercolor: plots.colour("line"), font: { color: plots.colour("ink"), size: 12 } },
    hovermode: "x unified", dragmode: false, showlegend: false, shapes: [], annotations: [], ...more,
  }),

  /** Draw `traces`, or the text `traces` that says why there is nothing to draw. */
  draw(id, traces, layout) {
    const node = plots.nodes.get(id);
    const empty = typeof traces === "string";
    if (empty) {
      layout.xaxis.visible = layout.yaxis.visible = false;
      layout.annotations = [{ xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, text: traces, font: { size: 14 } }];
      layout.shapes = [];
    }
    Plotly.react(node, empty ? [] : traces, layout, { displayModeBar: false, responsive: true, doubleClick: "reset", doubleClickDelay: 500, showTips: false });
    plots.legend(node, empty ? [] : traces);
  },

  // Plotly's own legend takes the room of the plot on a phone and cannot be reached by keyboard.
  legend(node, traces) {
    const items = (traces.length > 1 ? traces : []).map((trace, index) => {
      const item = Object.assign(document.createElement("button"), { type: "button", textContent: plots.plainText(trace.name) });
      item.style.setProperty("--tone", trace.marker?.color ?? trace.line.color);
      item.className = trace.line?.dash ?? "solid";
      item.ariaPressed = "true";
      item.addEventListener("click", () => {
        item.ariaPressed = String(item.ariaPressed !== "true");
        Plotly.restyle(node, { visible: item.ariaPressed === "true" }, [index]);
      });
      return item;
    });
    node.parentElement.querySelector(".legend").replaceChildren(...items);
  },

  /** Unpack plotly.js, call `drawAll`, and call it again when the theme changes and around printing. */
  async start(drawAll, { printStart = drawAll, printEnd = drawAll } = {}) {
    try {
      await page.loadPlotly();
    } catch (error) {
      const note = document.getElementById("chart-error");
      note.hidden = false;
      note.textContent = `This browser cannot draw the charts (${error.message}). Browsers released since 2023 can.`;
      return;
    }
    drawAll();
    document.addEventListener("themechange", drawAll);
    document.addEventListener("printstart", printStart);
    document.addEventListener("printend", printEnd);
  },
};
