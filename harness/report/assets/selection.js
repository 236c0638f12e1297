// What the reader has selected: phase, endpoint and span of time. All parts of the page follow it, and the address has it.
"use strict";

/**
 * `selection.phase` and `selection.endpoint` are names as the page shows them, `selection.span` is [from, to] in seconds of
 * the run, `selection.versus` is what flame graphs are compared with; each is "" or null if nothing is selected. A section
 * calls `follow` and draws itself again when one of them changes. The address is `#SECTION?phase=steady&span=12-19`.
 */
const selection = {
  KEYS: ["phase", "endpoint", "span", "versus"],
  phase: "", endpoint: "", span: null, versus: "",
  listeners: [],

  follow(listener) { selection.listeners.push(listener); },

  /** A name as options of selects give it. */
  name: (text) => text.replace(/\s+/g, " ").trim(),

  /** Change some of the selection, such as {phase: "steady", span: null}. */
  set(changes) {
    const changed = Object.keys(changes).filter((key) => String(selection[key] ?? "") !== String(changes[key] ?? ""));
    if (!changed.length) return;
    for (const key of changed) selection[key] = changes[key];
    selection.write(selection.section());
    for (const listener of selection.listeners) listener(changed);
  },

  /** Let a select of phases or endpoints show what is selected, as far as it has it, and select what is chosen in it. */
  link(select, key) {
    const initial = select.selectedOptions[0];
    const plainName = (name) => name.replace(/ \(build [AB]\)$/, "");
    const wanted = () => {
      const name = selection[key];
      if (!name) return initial;
      const options = [...select.options].filter((option) => plainName(option.text) === plainName(name));
      // In a duet, a phase stands for its build B.
      return options.find((option) => option.text === name) ?? options.find((option) => option.text.endsWith("(build B)")) ?? options[0];
    };
    const show = () => {
      const option = wanted();
      if (!option || option.selected) return;
      option.selected = true;
      select.dispatchEvent(new Event("change"));
    };
    select.addEventListener("change", () => {
      const option = select.selectedOptions[0];
      if (option !== wanted()) selection.set({ [key]: "all" in option.dataset ? "" : option.text });
    });
    selection.follow((changed) => { if (changed.includes(key)) show(); });
    show();
  },

  /** Go to a section of the page, and keep what is selected. */
  go(section) {
    selection.write(section);
    document.getElementById(section)?.scrollIntoView({ block: "start" });
  },

  section: () => location.hash.slice(1).split("?")[0],

  write(section) {
    const query = String(new URLSearchParams(selection.KEYS.flatMap((key) =>
      selection[key] ? [[key, key === "span" ? selection.span.join("-") : selection[key]]] : [])));
    history.replaceState(null, "", `#${section}${query && `?${query}`}`);
  },

  read() {
    const query = new URLSearchParams(location.hash.split("?")[1] ?? "");
    const span = (query.get("span") ?? "").split("-").map(Number);
    return {
      phase: query.get("phase") ?? "", endpoint: query.get("endpoint") ?? "", versus: query.get("versus") ?? "",
      span: span.length === 2 && span[0] < span[1] ? span : null,
    };
  },
};

(() => {
  Object.assign(selection, selection.read());
  addEventListener("hashchange", () => {
    if (location.hash.includes("?")) {
      selection.set(selection.read());
      selection.go(selection.section());
    } else selection.write(selection.section()); // a link to a section
  });

  // A link to what is selected already changes no hash.
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (link && link.hash === location.hash) selection.go(selection.section());
  });

  addEventListener("load", () => { if (location.hash.includes("?")) selection.go(selection.section()); });

  // What belongs to one endpoint (data-of) or one moment (data-at, seconds) is shown unless another one is selected.
  const isSelected = ({ of, at }) => (!selection.endpoint || of === undefined || selection.name(of) === selection.endpoint)
    && (!selection.span || at === undefined || (at >= selection.span[0] && at <= selection.span[1]));
  const filter = () => {
    for (const part of document.querySelectorAll("[data-of], [data-at]")) part.hidden = !isSelected(part.dataset);
    for (const part of document.querySelectorAll("details[data-of-phase]")) {
      if (selection.phase) part.open = part.dataset.ofPhase === selection.phase;
    }
  };
  selection.follow(filter);
  filter();

  const bar = document.getElementById("selected");
  const seconds = (value) => value.toLocaleString("en");
  const parts = { phase: () => selection.phase, endpoint: () => selection.endpoint,
    span: () => selection.span && `${selection.span.map(seconds).join("–")} s` };
  const showBar = () => {
    const chips = Object.entries(parts).flatMap(([key, text]) => {
      if (!text()) return [];
      const chip = Object.assign(document.createElement("button"), { type: "button", textContent: `${text()} ✕` });
      chip.dataset.clears = key;
      chip.ariaLabel = `Clear ${text()}`;
      chip.addEventListener("click", () => selection.set({ [key]: key === "span" ? null : "" }));
      return [chip];
    });
    bar.hidden = !chips.length;
    bar.querySelector("a").hidden = !selection.span || !document.getElementById("flames");
    bar.querySelector(".chips").replaceChildren(...chips);
  };
  selection.follow(showBar);
  showBar();
})();
