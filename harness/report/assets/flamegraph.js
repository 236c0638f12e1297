// A flame graph, root at the top: zoom by click or Enter, search, tooltip, arrow keys, colours by difference.
"use strict";

class FlameGraph {
  static ROW = 20;
  static NARROWEST = 0.0008; // of the width shown: about a pixel
  static CERTAIN = 3; // standard errors, of independent samples; those near each other are alike, so two are too few

  /**
   * `host` is filled with the graph. `onChange(state)` is called after each change with {path, matched}: the nodes from the
   * root to the one zoomed to, and the share (0…1) of it that the search matches, or null.
   */
  constructor(host, onChange) {
    this.host = host;
    this.onChange = onChange;
    this.rows = host.appendChild(Object.assign(document.createElement("div"), { className: "flame-rows" }));
    this.rows.setAttribute("role", "tree");
    this.tip = document.body.appendChild(Object.assign(document.createElement("div"), { className: "flame-tip", hidden: true }));
    this.term = "";
    const frameOf = (event) => this.shown?.get(event.target.closest?.(".frame"));
    this.rows.addEventListener("click", (event) => { const node = frameOf(event); if (node) this.zoom(node); });
    this.rows.addEventListener("mousemove", (event) => this.#hover(frameOf(event), event.clientX, event.clientY));
    this.rows.addEventListener("mouseleave", () => { this.tip.hidden = true; });
    this.rows.addEventListener("focusin", (event) => {
      const node = frameOf(event);
      if (!node || !event.target.matches(":focus-visible")) return;
      const box = event.target.getBoundingClientRect();
      this.#hover(node, Math.max(0, box.left), box.bottom);
    });
    this.rows.addEventListener("focusout", () => { this.tip.hidden = true; });
    this.rows.addEventListener("keydown", (event) => this.#key(event, frameOf(event)));
  }

  /** Show a profile; if it has `against` (see `profiles.beside`), colours show by how much each function's share differs. */
  show(profile) {
    this.profile = profile;
    this.own = new Set(profile.own);
    this.root = this.#build(profile.tree, null, 0, 0);
    this.largest = 0.02; // differences below 2 % of all stay pale
    if (profile.against) profile.names.forEach((_, name) => { this.largest = Math.max(this.largest, Math.abs(this.#change(name))); });
    this.zoom(this.root);
  }

  #build([name, weight, line, children], parent, start, depth) {
    const node = { name, weight, line, parent, start, depth, children: [] };
    let at = start;
    for (const child of children) {
      node.children.push(this.#build(child, node, at, depth + 1));
      at += child[1];
    }
    return node;
  }

  zoom(node) {
    const hadFocus = this.rows.contains(document.activeElement);
    this.focus = node;
    this.#draw();
    if (hadFocus) this.#focus(node);
    this.host.scrollTop = Math.max(0, (node.depth - 4) * FlameGraph.ROW);
  }

  search(term) {
    this.term = term.trim();
    this.#draw();
  }

  /** For each name, whether it is `term`; if none is, whether it holds it. */
  static hits(names, term) {
    const lower = term.toLowerCase();
    return names.map(names.includes(term) ? (name) => name === term : (name) => name.toLowerCase().includes(lower));
  }

  /** The share of the profile's weight that frames that match `term` take, each sample counted once. */
  static matched(profile, term) {
    const hits = FlameGraph.hits(profile.names, term);
    const weigh = ([name, weight, , children]) => (hits[name] ? weight : children.reduce((sum, child) => sum + weigh(child), 0));
    return weigh(profile.tree) / profile.tree[1];
  }

  label(node) { return this.profile.names[node.name]; }

  location(node) {
    const label = this.label(node);
    return node.line ? label.replace(/\)$/, `:${node.line})`) : label;
  }

  weight(value) {
    if (this.profile.unit === "samples") return `${value.toLocaleString("en")} ${value === 1 ? "sample" : "samples"}`;
    const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
    return `${(value / 1000 ** power).toPrecision(3)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
  }

  percent(share) { return `${(share * 100).toFixed(share < 0.0995 ? 2 : 1)} %`; }

  /** By how much the function's share of all samples has grown; 0 if chance may have done that. */
  #change(name) {
    const { functions, against, tree } = this.profile;
    const count = functions[name][1], before = against.functions[name][1];
    const pooled = (count + before) / (tree[1] + against.samples);
    const error = Math.sqrt(pooled * (1 - pooled) * (1 / tree[1] + 1 / against.samples));
    const change = count / tree[1] - before / against.samples;
    return Math.abs(change) > FlameGraph.CERTAIN * error ? change : 0;
  }

  #draw() {
    const hits = this.term ? FlameGraph.hits(this.profile.names, this.term) : null;
    this.shown = new Map();
    this.elements = new Map();
    const pieces = document.createDocumentFragment();
    const path = [];
    for (let node = this.focus.parent; node; node = node.parent) path.unshift(node);
    for (const node of path) pieces.append(this.#frame(node, 0, 1, hits, true));
    let deepest = this.focus.depth, matched = 0;
    const visit = (node, counted) => {
      const width = node.weight / this.focus.weight;
      const hit = Boolean(hits?.[node.name]);
      if (hit && !counted) matched += node.weight;
      if (width >= FlameGraph.NARROWEST) {
        pieces.append(this.#frame(node, (node.start - this.focus.start) / this.focus.weight, width, hits, false));
        deepest = Math.max(deepest, node.depth);
      }
      for (const child of node.children) visit(child, counted || hit);
    };
    visit(this.focus, false);
    this.rows.replaceChildren(pieces);
    this.rows.style.height = `${(deepest + 1) * FlameGraph.ROW}px`;
    this.rows.classList.toggle("searching", Boolean(hits));
    this.tip.hidden = true;
    this.onChange({ path: [...path, this.focus], matched: hits ? matched / this.focus.weight : null });
  }

  #frame(node, left, width, hits, above) {
    const frame = document.createElement("div");
    frame.className = `frame${above ? " above" : ""}${width < 0.02 ? " narrow" : ""}${hits?.[node.name] ? " match" : ""}${this.own.has(node.name) ? " own" : ""}`;
    frame.style.cssText = `left:${left * 100}%;width:${width * 100}%;top:${node.depth * FlameGraph.ROW}px;background:${this.#colour(node)}`;
    if (width > 0.012) frame.textContent = this.label(node);
    frame.setAttribute("role", "treeitem");
    frame.setAttribute("aria-level", node.depth + 1);
    frame.setAttribute("aria-label", `${this.location(node)}, ${this.weight(node.weight)}, ${this.percent(node.weight / this.root.weight)}`);
    frame.tabIndex = node === this.focus ? 0 : -1;
    this.shown.set(frame, node);
    this.elements.set(node, frame);
    return frame;
  }

  #colour(node) {
    const label = this.label(node);
    if (label === "…" || !node.parent) return "#c9ced6";
    if (this.profile.against) {
      const change = this.#change(node.name);
      const strength = Math.min(1, Math.abs(change) / this.largest);
      const tone = change > 0 ? "213,94,0" : "0,114,178";
      return strength < 0.03 ? "#d9dde3" : `color-mix(in srgb, rgb(${tone}) ${Math.round(12 + 58 * strength)}%, #e6e9ee)`;
    }
    // A file has the same colour in every run.
    const file = label.slice(label.lastIndexOf("(") + 1);
    let hash = 0;
    for (const sign of file) hash = (hash * 31 + sign.codePointAt(0)) >>> 0;
    return `hsl(${18 + (hash % 36)} ${72 + ((hash >> 6) % 20)}% ${64 + ((hash >> 11) % 13)}%)`;
  }

  #hover(node, x, y) {
    this.tip.hidden = !node;
    if (!node) return;
    const { functions, against, run_ms: run } = this.profile;
    const all = this.root.weight;
    const lines = [`${this.weight(node.weight)} · ${this.percent(node.weight / all)} of all`];
    if (node.parent && this.focus.parent) lines[0] += ` · ${this.percent(node.weight / this.focus.weight)} of the frames shown`;
    const [own, total] = functions[node.name];
    if (node.parent && this.label(node) !== "…") lines.push(`This function: total ${this.percent(total / all)}, self ${this.percent(own / all)}`);
    if (against && node.parent && this.label(node) !== "…") {
      const [, before] = against.functions[node.name];
      lines.push(`In ${against.where}: total ${this.percent(before / against.samples)}`);
      const ms = (value) => `${value ? value.toPrecision(3) : 0} ms`;
      if (run && against.ms) lines.push(`CPU time per request: ${ms(total * run)}, in ${against.where} ${ms(before * against.ms)}`);
    }
    const head = Object.assign(document.createElement("b"), { textContent: this.location(node) });
    this.tip.replaceChildren(head, ...lines.flatMap((line, at) => (at ? [document.createElement("br"), line] : [line])));
    const { offsetWidth, offsetHeight } = this.tip;
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - offsetWidth - 8))}px`;
    this.tip.style.top = `${y + 18 + offsetHeight > innerHeight ? Math.max(4, y - offsetHeight - 12) : y + 18}px`;
  }

  #key(event, node) {
    if (!node) return;
    const siblings = node.parent ? node.parent.children.filter((other) => this.elements.has(other)) : [node];
    const beside = (step) => siblings[siblings.indexOf(node) + step];
    const widest = () => node.children.filter((child) => this.elements.has(child)).sort((a, b) => b.weight - a.weight)[0];
    const next = {
      ArrowUp: () => node.parent, ArrowDown: widest, ArrowLeft: () => beside(-1), ArrowRight: () => beside(1), Home: () => this.focus,
    }[event.key];
    if (next) this.#focus(next());
    else if (event.key === "Enter" || event.key === " ") this.zoom(node);
    else if (event.key === "Escape") this.zoom(this.root);
    else return;
    event.preventDefault();
  }

  #focus(node) {
    const frame = node && this.elements.get(node);
    if (!frame) return;
    for (const other of this.elements.values()) other.tabIndex = -1;
    frame.tabIndex = 0;
    frame.focus();
  }
}
