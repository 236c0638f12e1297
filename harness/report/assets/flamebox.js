// One flame graph with its controls. It follows the selection: its phase, its span of time, and what it is compared with.
"use strict";

class FlameBox {
  static ROWS = 15;

  constructor(element, all) {
    this.element = element;
    this.all = all;
    this.select = this.#part("profile");
    this.versus = this.#part("versus");
    this.graph = new FlameGraph(this.#part("graph"), (state) => this.#showPath(state));
  }

  #part(name) { return this.element.querySelector(`.flame-${name}`); }

  /** The numbers of the profiles that it offers. */
  indices() { return [...this.select.options].map((option) => Number(option.value)); }

  start() {
    this.select.addEventListener("change", () => this.#show());
    this.#part("search").addEventListener("input", (event) => this.graph.search(event.target.value));
    this.versus.addEventListener("change", () => selection.set({ versus: this.versus.value }));
    this.#part("changes").addEventListener("toggle", () => this.#showChanges());
    if (this.all[this.select.value].unit === "samples") selection.link(this.select, "phase");
    selection.follow((changed) => {
      if (changed.includes("span")) this.#followSpan();
      if (changed.includes("span") || changed.includes("versus")) this.#show();
    });
    this.#show();
  }

  /** Show the phase in which most of the selected span was sampled. */
  #followSpan() {
    if (!selection.span) return;
    const sampled_s = (index) => profiles.overlaps(this.all[index], selection.span).reduce((sum, seconds) => sum + seconds, 0);
    const most = this.indices().reduce((a, b) => (sampled_s(b) > sampled_s(a) ? b : a));
    if (sampled_s(most) > sampled_s(this.select.value)) selection.set({ phase: selection.name(this.all[most].phase) });
  }

  /** Show the profile of this number. */
  choose(index) {
    this.select.value = index;
    this.#show();
  }

  /** Show what matches `term`. */
  find(term) {
    this.#part("search").value = term;
    this.graph.search(term);
    this.element.scrollIntoView({ behavior: "smooth", block: "center" });
  }

  #show() {
    const whole = this.all[this.select.value];
    const numbers = selection.span && whole.spans.length ? profiles.spansIn(whole, selection.span) : [];
    const part = numbers.length > 0 && numbers.length < whole.spans.length;
    const shown = part ? profiles.sliced(whole, numbers) : whole;
    const offers = this.#offers(whole, shown, part && numbers);
    this.versus.replaceChildren(...Object.entries(offers).map(([name, { label }]) => new Option(label, name)));
    this.versus.parentElement.hidden = Object.keys(offers).length < 2;
    const usual = part ? "rest" : whole.base && "suspects" in this.element.dataset ? "baseline" : "nothing";
    this.versus.value = selection.versus in offers ? selection.versus : usual;
    this.graph.show({ ...shown, against: offers[this.versus.value].against() });
    this.#about(shown, { part, missed: selection.span && whole.unit === "samples" && !numbers.length });
    this.#showChanges();
  }

  /** What the profile can be compared with: by name, its label and a function that makes it. */
  #offers(whole, shown, numbers) {
    const offers = { nothing: { label: "nothing", against: () => null } };
    if (whole.base) offers.baseline = { label: whole.base.where, against: () => whole.base };
    if (numbers) {
      const rest = [...whole.spans.keys()].filter((number) => !numbers.includes(number));
      const where = `the rest of ${whole.phase}`;
      offers.rest = { label: where, against: () => profiles.beside(shown, profiles.sliced(whole, rest), where) };
    }
    for (const index of whole.unit === "samples" ? this.indices() : []) {
      const other = this.all[index];
      if (other !== whole) offers[other.phase] = { label: other.phase, against: () => profiles.beside(shown, other, other.phase) };
    }
    return offers;
  }

  #about(shown, { part, missed }) {
    const ms = (value) => `${value.toPrecision(3)} ms of CPU time per request`;
    const { against } = this.graph.profile;
    const pieces = [];
    if (part) pieces.push(`Sampled from ${shown.from.toFixed(1)} to ${shown.to.toFixed(1)} s.`);
    else if (missed) pieces.push("The whole phase: it was not sampled in the selected span.");
    if (shown.run_ms) {
      pieces.push(`${ms(shown.run_ms * shown.tree[1])}${against?.ms ? `, ${(against.ms * against.samples).toPrecision(3)} ms in ${against.where}` : ""}.`);
    }
    this.#part("about").replaceChildren(pieces.join(" "));
    if (against) {
      const key = document.createElement("span");
      key.className = "key";
      key.append(Object.assign(document.createElement("i"), { className: "less" }), "smaller share ",
        Object.assign(document.createElement("i"), { className: "more" }), "larger share");
      this.#part("about").append(" ", key);
    }
  }

  #showChanges() {
    const details = this.#part("changes"), profile = this.graph.profile;
    details.hidden = !profile.against;
    if (details.hidden || !details.open) return;
    const { perRequest, rows } = profiles.changes(profile, FlameBox.ROWS);
    const figure = (value) => (!perRequest ? this.graph.percent(value) : value ? `${value.toPrecision(3)} ms` : "0 ms");
    const signed = (value) => `${value < 0 ? "−" : "+"}${figure(Math.abs(value))}`;
    const cell = (text, kind = "n") => Object.assign(document.createElement("td"), { textContent: text, className: kind });
    const unit = perRequest ? ", CPU time per request" : "";
    const heads = ["Function", `Self before${unit}`, "Self now", "Change", "Total before", "Total now", "Share before", "Share now"];
    const head = document.createElement("tr");
    head.append(...heads.map((text, at) => Object.assign(document.createElement("th"), { textContent: text, className: at ? "n" : "" })));
    const table = details.querySelector("table");
    table.replaceChildren(Object.assign(document.createElement("thead"), {}), document.createElement("tbody"));
    table.tHead.append(head);
    table.tBodies[0].append(...rows.map((row) => {
      const line = document.createElement("tr");
      const name = cell("", "endpoint");
      name.append(this.#button(row.name, () => this.find(row.name)));
      line.append(name, cell(figure(row.ownBefore)), cell(figure(row.own)), cell(signed(row.own - row.ownBefore), "n strong"),
        cell(figure(row.totalBefore)), cell(figure(row.total)), cell(this.graph.percent(row.shareBefore)), cell(this.graph.percent(row.share)));
      return line;
    }));
  }

  #showPath({ path, matched }) {
    const { graph } = this;
    const pieces = [];
    const label = (text) => pieces.push(Object.assign(document.createElement("span"), { textContent: text }));
    const crumbs = path.length > 5 ? [path[0], null, ...path.slice(-3)] : path;
    crumbs.forEach((node, at) => {
      if (at) label("›");
      if (!node) label("…");
      else if (node === path.at(-1)) label(`${graph.label(node)}: ${graph.weight(node.weight)}${path.length > 1 ? `, ${graph.percent(node.weight / path[0].weight)}` : ""}`);
      else pieces.push(this.#button(node.parent ? graph.label(node) : "all", () => graph.zoom(node)));
    });
    if (path.length > 1) pieces.push(this.#button("Reset", () => graph.zoom(path[0])));
    else if (graph.profile.rate_hz) label(`· sampled ${+graph.profile.rate_hz.toPrecision(3)} times a second${this.#cost(graph.profile)}`);
    if (matched !== null) {
      pieces.push(Object.assign(document.createElement("span"), { className: "matched", textContent: `${graph.percent(matched)} matched` }));
    }
    this.#part("path").replaceChildren(...pieces);
  }

  #cost({ cores }) {
    return cores === null ? "" : `; sampling took ${cores < 0.01 ? "less than 0.01" : cores.toFixed(2)} of a core`;
  }

  #button(label, action) {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: label });
    made.addEventListener("click", action);
    return made;
  }
}
