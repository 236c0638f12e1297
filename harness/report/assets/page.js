// What the page does besides charts: theme, sortable tables, choice of a phase, copying the command.
"use strict";

const page = {
  /** The text that is in the page gzipped, under this id. */
  async unpacked(id) {
    const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (sign) => sign.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  },
  data: async (id) => JSON.parse(await page.unpacked(id)),

  /** The colour of a CSS variable in the current theme. */
  colour(name) {
    const probe = document.getElementById("colour-probe") ?? document.body.appendChild(
      Object.assign(document.createElement("span"), { id: "colour-probe", hidden: true }));
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  },

  isDark: () => {
    const set = document.documentElement.dataset.theme;
    return set === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : set === "dark";
  },

  async loadPlotly() {
    document.head.append(Object.assign(document.createElement("script"), { textContent: await page.unpacked("plotly-source") }));
  },

  setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
  },
};

(() => {
  const KEY = "harness-report-theme";
  // Browsers may forbid storage for pages from disk. The choice then lasts as long as the page is open.
  const storage = { get: () => { try { return localStorage.getItem(KEY); } catch { return null; } },
    set: (value) => { try { localStorage.setItem(KEY, value); } catch { return; } } };
  const stored = storage.get();
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
  document.getElementById("theme").addEventListener("click", () => {
    const theme = page.isDark() ? "light" : "dark";
    storage.set(theme);
    page.setTheme(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (document.documentElement.dataset.theme === "auto") page.setTheme("auto");
  });

  // Paper is light. The style sheet handles the page; charts take their colours from the theme, so it is set.
  let before = null;
  addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    document.dispatchEvent(new Event("printstart"));
  });
  addEventListener("afterprint", () => {
    document.documentElement.dataset.theme = before ?? "auto";
    document.dispatchEvent(new Event("printend"));
  });

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    const sort = (head) => {
      const column = heads.indexOf(head);
      const byNumber = head.dataset.sort === "number";
      const descending = head.ariaSort ? head.ariaSort === "ascending" : byNumber;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.ariaSort = descending ? "descending" : "ascending";
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = byNumber ? (a, b) => value(a) - value(b) : (a, b) => value(a).localeCompare(value(b), "en", { numeric: true });
      for (const body of table.tBodies) {
        const rows = [...body.rows].filter((row) => !row.classList.contains("all"));
        rows.sort((a, b) => (descending ? -1 : 1) * compare(a, b));
        body.append(...rows);
      }
    };
    for (const head of heads) {
      head.tabIndex = 0;
      head.addEventListener("click", () => sort(head));
      head.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        sort(head);
      });
    }
  }

  // A long table shows its first rows, and how many there are.
  for (const box of document.querySelectorAll(".scroll.tall")) {
    const more = Object.assign(document.createElement("button"), { type: "button", className: "more" });
    box.after(more);

    const shown = () => [...box.querySelectorAll("tbody:not([hidden]) tr:not(.all, [hidden])")].length;
    more.addEventListener("click", () => { box.classList.remove("tall"); more.remove(); });
    new ResizeObserver(() => {
      more.hidden = box.scrollHeight <= box.clientHeight + 1;
      more.textContent = `Show all ${shown()} rows`;
    }).observe(box.firstElementChild);
  }

  const endpointPhase = document.getElementById("endpoint-phase");
  if (endpointPhase) {
    endpointPhase.addEventListener("change", () => {
      for (const body of document.getElementById("endpoint-table").tBodies) {
        body.hidden = body.dataset.phase !== endpointPhase.value;
      }
    });
    selection.link(endpointPhase, "phase");
  }

  const changes = document.getElementById("baseline-table");
  if (changes) {
    const phase = document.getElementById("baseline-phase"), clearOnly = document.getElementById("baseline-changed");
    const show = () => {
      for (const body of changes.tBodies) {
        body.hidden = body.dataset.phase !== phase.value;
        for (const row of body.rows) row.hidden = clearOnly.checked && row.dataset.meaning === "no clear change";
      }
    };
    phase.addEventListener("change", show);
    clearOnly.addEventListener("change", show);
    selection.link(phase, "phase");
    show();
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        // Without access to the clipboard, select the text, so that one key copies it.
        getSelection().selectAllChildren(source);
      }
    });
  }

  const links = new Map([...document.querySelectorAll(".bar nav a")].map((link) => [link.hash.slice(1), link]));
  const visible = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) visible[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const current = [...links.keys()].find((id) => visible.has(id));
    for (const [id, link] of links) link.toggleAttribute("aria-current", id === current);
    // The bar scrolls where it has no room for all; not by scrollIntoView, which would stop the page's own scrolling.
    const link = links.get(current), bar = link?.parentElement;
    bar?.scrollTo({ left: link.offsetLeft - bar.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2 });
  }, { rootMargin: "-110px 0px -60% 0px" }); // below the bar, also where it shows what is selected
  for (const id of links.keys()) observer.observe(document.getElementById(id));
})();
