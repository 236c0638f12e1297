// The controls around the flame graphs: profile, span, search, what it is compared with, and the path to the frame zoomed to.
"use strict";

(async () => {
  const all = await page.data("flames-data");
  const boxes = [...document.querySelectorAll(".flame")].map((element) => new FlameBox(element, all));
  for (const box of boxes) box.start();

  // Click a suspect to find it where it was found: in a phase that holds one level, against the baseline; or in what leaked.
  for (const link of document.querySelectorAll("[data-find]")) {
    link.addEventListener("click", () => {
      const term = link.dataset.find, unit = link.dataset.unit ?? "samples";
      const places = boxes.flatMap((box) => box.indices().map((index) => ({ box, index, profile: all[index] })))
        .filter(({ profile }) => profile.unit === unit && FlameGraph.matched(profile, term));
      const rank = ({ profile }) => 2 * Boolean(profile.base) + Boolean(profile.held || profile.kind === "memory-leaked") + FlameGraph.matched(profile, term) / 2;
      if (!places.length) return;
      const { box, index, profile } = places.reduce((a, b) => (rank(b) > rank(a) ? b : a));
      if (unit === "samples") selection.set({ phase: profile.phase, span: null, versus: "" });
      else box.choose(index);
      selection.write("flames");
      box.find(term);
    });
  }
})();
