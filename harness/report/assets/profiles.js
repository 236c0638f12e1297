// CPU profiles as `harness/report/sections/flames.py` writes them: parts of their time, and what they are compared with.
"use strict";

const profiles = {
  /** How many seconds of each of its spans lie in [from, to]. */
  overlaps: ({ spans }, [from, to]) => spans.map(([start, end]) => Math.max(0, Math.min(end, to) - Math.max(start, from))),

  /** The numbers of the spans of `profile` of which at least half lies in [from, to]; else of the one that shares most. */
  spansIn(profile, span) {
    const shared = profiles.overlaps(profile, span);
    const inside = [...shared.keys()].filter((number) => shared[number] >= (profile.spans[number][1] - profile.spans[number][0]) / 2);
    const most = shared.indexOf(Math.max(...shared));
    return inside.length || !shared[most] ? inside : [most];
  },

  /** `profile` with the samples of these spans alone; `from` and `to` say when they were taken. */
  sliced(profile, numbers) {
    const wanted = new Set(numbers);
    const cut = ([name, , line, children, own = []]) => {
      const left = children.map(cut).filter(([, weight]) => weight);
      let weight = left.reduce((sum, child) => sum + child[1], 0);
      for (let at = 0; at < own.length; at += 2) if (wanted.has(own[at])) weight += own[at + 1];
      return [name, weight, line, left];
    };
    const tree = cut(profile.tree);
    const spans = profile.spans.filter((_, number) => wanted.has(number));
    const sum = (column) => spans.reduce((total, span) => total + span[column], 0);
    const perRequest = (1000 * sum(3)) / sum(2) / tree[1];
    return {
      ...profile, tree, functions: profiles.functions(tree, profile.names.length), run_ms: isFinite(perRequest) ? perRequest : undefined,
      from: Math.min(...spans.map(([start]) => start)), to: Math.max(...spans.map(([, end]) => end)),
    };
  },

  /** For each name, the weight on top of the stack and anywhere on it. */
  functions(tree, count) {
    const found = Array.from({ length: count }, () => [0, 0]);
    const above = new Array(count).fill(0);
    const visit = ([name, weight, , children]) => {
      found[name][0] += weight - children.reduce((sum, child) => sum + child[1], 0);
      if (!above[name]) found[name][1] += weight;
      above[name] += 1;
      children.forEach(visit);
      above[name] -= 1;
    };
    visit(tree);
    return found;
  },

  /** `other` as what `profile` is compared with, which `where` names. */
  beside(profile, other, where) {
    const places = new Map(other.names.map((name, index) => [name, index]));
    return {
      where, samples: other.tree[1], ms: other.run_ms,
      functions: profile.names.map((name) => other.functions[places.get(name)] ?? [0, 0]),
    };
  },

  /** The functions whose own CPU time has changed most; milliseconds a request, or shares where requests are not known. */
  changes({ names, functions, tree, against, run_ms: ms }, most) {
    const perRequest = Boolean(ms && against.ms);
    const [now, before] = perRequest ? [ms, against.ms] : [1 / tree[1], 1 / against.samples];
    const rows = names.map((name, index) => {
      const [own, total] = functions[index], [ownBefore, totalBefore] = against.functions[index];
      return { name, own: own * now, ownBefore: ownBefore * before, total: total * now, totalBefore: totalBefore * before,
        share: total / tree[1], shareBefore: totalBefore / against.samples };
    }).filter(({ name }) => name !== "all" && name !== "…");
    const change = (row) => Math.abs(row.own - row.ownBefore);
    return { perRequest, rows: rows.sort((a, b) => change(b) - change(a)).slice(0, most).filter(change) };
  },
};
