// SPDX-License-Identifier: GPL-2.0-only
// The jitter page: draws what the JSON beside it says. Text goes in as text, never as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const run = data.run;
const page = document.getElementById("page");
const tip = document.getElementById("tip");
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 480, HEIGHT = 210, LEFT = 56, RIGHT = 10, TOP = 10, BOTTOM = 30;
const WIDE = innerWidth < 720 ? 560 : 960;  // of charts that take the whole width
const COLORS = { cell: "var(--cell)", bare: "var(--bare)" };
const PLACES = { cell: "in a cell", bare: "bare machine" };

// --- elements ------------------------------------------------------------------

function element(name, properties, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function shape(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function chip(text, kind) { return element("span", { className: `chip ${kind || ""}` }, text); }

function section(title, explanation, ...children) {
  page.append(element("h2", {}, title), element("p", { className: "soft" }, explanation), ...children);
}

const isNumber = (value) => typeof value === "string" && /^[-+\u2212]?[\d.]/.test(value);
// What stands where there is no number, or but one.
const standsIn = (value) => value === "–" || value === "always";

function table(head, rows) {
  const numeric = head.map((_, index) => rows.some((row) => isNumber(row[index])) &&
    rows.every((row) => isNumber(row[index]) || standsIn(row[index])));
  const cell = (kind) => (value, index) => {
    const made = element(kind, numeric[index] ? { className: "number" } : {}, value);
    if (value instanceof HTMLElement && value.className.startsWith("bar")) made.className = "wide";
    return made;
  };
  const body = rows.map((row) => element("tr", {}, ...row.map(cell("td"))));
  const heads = head.map(cell("th"));
  return element("div", { className: "card scroll" },
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...body)));
}

function tell(target, text) {
  const show = (event) => {
    tip.textContent = text;
    tip.hidden = false;
    const left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${Math.max(8, event.clientY - tip.offsetHeight - 10)}px`;
  };
  target.addEventListener("pointerenter", show);
  target.addEventListener("pointermove", show);
  target.addEventListener("pointerleave", () => { tip.hidden = true; });
}

// --- numbers -------------------------------------------------------------------

function grouped(value, digits) {
  if (value === null || value === undefined) return "–";
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(digits ?? 1);
  const [whole, rest] = shown.replace("-", "\u2212").split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") + (rest ? `.${rest}` : "");
}

function signed(value) { return (value > 0 ? "+" : "") + grouped(value); }

function time(ns) {
  if (ns === null || ns === undefined) return "–";
  return Math.abs(ns) >= 100000 ? `${grouped(ns / 1000)} µs` : `${grouped(ns)} ns`;
}

function instructions(ns) {
  const each = run.clock.ns_per_instruction;
  return each ? `${grouped(Math.round(ns / each))} instructions` : "";
}

// --- charts --------------------------------------------------------------------

function ticks(low, high, wanted) {
  if (high <= low) return [low];
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) found.push(at);
  return found;
}

function frame(label, width) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width || WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  return svg;
}

function scale(low, high, from, to) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

function rows(svg, y, low, high, format, width) {
  for (const at of ticks(low, high, 5)) {
    shape(svg, "line", { class: "grid", x1: LEFT, x2: (width || WIDTH) - RIGHT, y1: y(at), y2: y(at) });
    shape(svg, "text", { x: LEFT - 8, y: y(at) + 4, "text-anchor": "end" }, format(at));
  }
}

function columns(svg, x, low, high, format) {
  for (const at of ticks(low, high, 6))
    shape(svg, "text", { x: x(at), y: HEIGHT - 8, "text-anchor": "middle" }, format(at));
}

function range(series) {
  const low = Math.min(...series.map((one) => one.minimum));
  const high = Math.max(...series.map((one) => one.maximum));
  const margin = (high - low || Math.max(high, 1)) * 0.06;
  return [Math.max(0, low - margin), high + margin];
}

const BINS = 60;

function histogram(series, title) {
  const svg = frame(`Histogram of ${title}`);
  const [low, high] = range(series);
  const size = (high - low) / BINS;
  const counts = series.map((one) => {
    const bins = new Array(BINS).fill(0);
    for (const sample of one.samples) bins[Math.min(BINS - 1, Math.floor((sample - low) / size))]++;
    return bins;
  });
  // The square root shows a single straggler beside thousands that agree.
  const most = Math.max(1, ...counts.flat());
  const x = scale(low, high, LEFT, WIDTH - RIGHT);
  const y = scale(0, Math.sqrt(most), HEIGHT - BOTTOM, TOP);
  const marks = [...new Set([1, most >= 25 ? Math.round(most / 10) : 0, Math.round(most / 2), most])];
  for (const at of marks.filter((mark) => mark > 0)) {
    const height = y(Math.sqrt(at));
    shape(svg, "line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: height, y2: height });
    shape(svg, "text", { x: LEFT - 8, y: height + 4, "text-anchor": "end" }, grouped(at));
  }
  columns(svg, x, low, high, time);
  shape(svg, "line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(0), y2: y(0) });
  const width = (WIDTH - RIGHT - LEFT) / BINS;
  series.forEach((one, index) => counts[index].forEach((count, bin) => {
    if (!count) return;
    const top = y(Math.sqrt(count));
    const bar = shape(svg, "rect", {
      x: LEFT + bin * width, y: top, width: Math.max(2, width - 1), height: y(0) - top,
      rx: 1.5, fill: COLORS[one.place], "fill-opacity": 0.85,
    });
    const from = low + bin * size;
    tell(bar, `${PLACES[one.place]}: ${count} of ${one.count}\n${time(Math.round(from))} to ${time(Math.round(from + size))}`);
  }));
  return svg;
}

const POINTS = 600;

function thinned(samples) {
  if (samples.length <= POINTS) return samples.map((value, index) => [index, value]);
  // Of every stretch its smallest and its largest, so that no straggler is lost.
  const stretch = Math.ceil(samples.length / (POINTS / 2)), kept = [];
  for (let start = 0; start < samples.length; start += stretch) {
    let low = start, high = start;
    for (let at = start; at < Math.min(start + stretch, samples.length); at++) {
      if (samples[at] < samples[low]) low = at;
      if (samples[at] > samples[high]) high = at;
    }
    for (const at of low === high ? [low] : [low, high].sort((a, b) => a - b)) kept.push([at, samples[at]]);
  }
  return kept;
}

function timeline(series, title) {
  const svg = frame(`${title} in the order of measuring`);
  const [low, high] = range(series);
  const last = Math.max(...series.map((one) => one.samples.length)) - 1;
  const x = scale(0, last, LEFT, WIDTH - RIGHT), y = scale(low, high, HEIGHT - BOTTOM, TOP);
  rows(svg, y, low, high, time);
  columns(svg, x, 0, last, (at) => (Number.isInteger(at) ? grouped(at) : ""));
  for (const one of series) {
    const points = thinned(one.samples);
    const path = points.map(([at, value], index) => `${index ? "L" : "M"}${x(at)} ${y(value)}`);
    shape(svg, "path", {
      d: path.join(""), fill: "none", stroke: COLORS[one.place], "stroke-width": 1.2, "stroke-opacity": 0.55,
    });
    for (const [at, value] of points) {
      const dot = shape(svg, "circle", { cx: x(at), cy: y(value), r: points.length > 200 ? 1.6 : 2.6, fill: COLORS[one.place] });
      tell(dot, `${PLACES[one.place]}, sample ${at}: ${time(value)}`);
    }
  }
  return svg;
}

function figure(svg, caption) { return element("figure", {}, svg, element("figcaption", {}, caption)); }

// --- the page ------------------------------------------------------------------

function groups() {
  const found = new Map();
  for (const one of run.series) {
    const key = `${one.name}/${one.kind}`;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(one);
  }
  return [...found.values()];
}

function verdict() {
  const comparison = run.comparison;
  if (!comparison) return chip("not compared with a baseline");
  const differing = comparison.findings.filter((one) => one.baseline !== one.today).length;
  if (differing) return chip(`${differing} of ${comparison.findings.length} figures differ from the baseline`, "bad");
  return chip(`all ${comparison.findings.length} figures as in the baseline`, "good");
}

function heading() {
  document.title = `Jitter of ${run.commit}`;
  const facts = {
    commit: element("code", {}, run.commit), date: run.date.replace("T", " ").replace("Z", " UTC"),
    target: run.target, clock: run.clock.kind === "icount"
      ? `counted, ${run.clock.ns_per_instruction} ns an instruction` : "of the host",
    kernel: run.versions.kernel, emulator: run.versions.emulator, compiler: run.versions.compiler,
  };
  const list = Object.entries(facts).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  page.append(element("h1", {}, "Jitter"), verdict(), element("dl", { className: "facts" }, ...list));
}

function tile(title, ns, note) {
  const [value, unit] = time(ns).split(" ");
  return element("div", { className: "card tile" }, element("span", {}, title),
    element("b", {}, value, element("span", { className: "unit" }, ` ${unit || ""}`)),
    element("span", {}, note));
}

function tiles() {
  const main = groups().find((group) => group[0].kind === "jitter" && group.some((one) => one.place === "cell"));
  if (!main) return;
  const cell = main.find((one) => one.place === "cell"), bare = main.find((one) => one.place === "bare");
  const made = [
    tile(`${cell.title}: median`, cell.median, instructions(cell.median)),
    tile("worst tick", cell.maximum, `of ${grouped(cell.count)}`),
    tile("spread", cell.maximum - cell.minimum, "worst less best"),
  ];
  if (bare) made.push(tile("the hypervisor adds", cell.median - bare.median, `bare machine: ${time(bare.median)}`));
  page.append(element("div", { className: "tiles" }, ...made));
}

function seriesCard(group) {
  const first = group[0];
  const what = first.kind === "jitter" ? "how late a tick is" : "what the exit of a tick costs";
  const keys = group.map((one) => {
    const key = element("span", { className: "key" },
      `${PLACES[one.place]}: ${time(one.minimum)} / ${time(one.median)} / ${time(one.maximum)}`);
    key.style.setProperty("--color", COLORS[one.place]);
    return key;
  });
  const sampled = group.filter((one) => one.samples.length);
  // Costs in counted time are mostly one and the same number: a sentence says more than a chart.
  const constant = first.kind === "cost" && group.every((one) => one.minimum === one.maximum);
  const title = `${first.title}, ${what}`;
  return element("article", { className: "card series" },
    element("header", {}, element("h3", {}, title),
      element("div", {}, ...keys)),
    constant ? element("p", { className: "soft" }, `All ${grouped(first.count)} samples are the same.`)
    : sampled.length ? element("div", { className: "charts" },
      figure(histogram(sampled, title), `How often each ${first.kind === "jitter" ? "lateness" : "cost"} was seen (square root scale)`),
      figure(timeline(sampled, title), "In the order of measuring")) : element("p", { className: "soft" }, "No samples are kept."));
}

function bar(value, reference, limit) {
  const made = element("div", { className: value > limit ? "bar bad" : "bar" });
  const most = Math.max(value, reference);
  const fill = element("i", {}), mark = element("u", {});
  fill.style.width = `${(value / most) * 100}%`;
  mark.style.left = `calc(${(limit / most) * 100}% - 1px)`;
  made.append(fill, mark);
  tell(made, `${grouped(value)} of ${grouped(reference)} (${Math.round((value / reference) * 100)} %)\nline: limit of ${grouped(limit)}`);
  return made;
}

function judged(value, reference, limit) {
  if (limit === null || reference === null || !reference) return { word: "–", rest: ["–", "–", ""] };
  const kept = value <= limit;
  return {
    word: chip(kept ? `${Math.round((value / reference) * 100)} %` : `over by ${grouped(value - limit)}`, kept ? "good" : "bad"),
    rest: [grouped(reference), grouped(limit), bar(value, reference, limit)],
  };
}

function costs() {
  const cells = run.costs.filter((one) => one.place === "cell");
  if (!cells.length) return;
  const rowsOf = cells.map((one) => {
    const bare = run.costs.find((other) => other.place === "bare" && other.name === one.name);
    const { word, rest } = judged(one.median, one.reference, one.limit);
    const spread = one.minimum === one.maximum ? "always" : `${grouped(one.minimum)}–${grouped(one.maximum)}`;
    return [one.title, word, grouped(one.median), spread, bare ? grouped(bare.median) : "–", ...rest];
  });
  section("What an exit costs", "Guest instructions from before the exit to after it, the loop around it subtracted. "
    + "The reference is the best existing hypervisor of this kind on the same emulator; the line in the bar is our limit.",
    table(["exit", "", "median", "range", "bare machine", "reference", "limit", "of the reference"], rowsOf));
}

function operations() {
  if (!run.operations.length) return;
  section("What management costs", "Instructions of all CPUs together, from the call to its return.",
    table(["operation", "", "instructions", "reference", "limit", "of the reference"], run.operations.map((one) => {
      const { word, rest } = judged(one.instructions, one.reference, one.limit);
      return [one.name, word, grouped(one.instructions), ...rest];
    })));
}

function budgets() {
  if (!run.budgets.length) return;
  const rowsOf = run.budgets.flatMap((one) => {
    const reasons = [...new Set([...Object.keys(one.allowed), ...Object.keys(one.seen)])].sort();
    const shown = reasons.length ? reasons : ["none"];
    return shown.map((reason) => {
      const allowed = one.allowed[reason] || 0, seen = one.seen[reason] || 0;
      const word = chip(allowed === seen ? "kept" : signed(seen - allowed), allowed === seen ? "good" : "bad");
      return [`${one.scenario}: ${one.event}`, word, reason, grouped(allowed), grouped(seen), grouped(one.events)];
    });
  });
  section("Exit budgets", "How many exits each event may cause, by reason; a reason that is not listed may cause none.",
    table(["event", "", "reason", "allowed", "seen", "events measured"], rowsOf));
}

function comparison() {
  const found = run.comparison;
  if (!found) return;
  const how = found.against === "rebuilt"
    ? `Its sources were built and run with today's tools, because ${found.why}.` : "The figures are those kept in the repository.";
  const change = (one) => one.baseline === one.today ? chip("same", "good")
    : chip(one.baseline === null ? "new" : one.today === null ? "gone" : signed(one.today - one.baseline), "bad");
  const row = (one) => [change(one), one.figure, grouped(one.baseline), grouped(one.today), one.unit];
  const head = ["change", "figure", "baseline", "today", "unit"];
  const differing = found.findings.filter((one) => one.baseline !== one.today);
  const same = found.findings.filter((one) => one.baseline === one.today);
  section("Against the baseline", `Commit ${found.commit}. ${how}`,
    ...(differing.length ? [table(head, differing.map(row))] : []),
    ...(same.length ? [element("details", { open: !differing.length && same.length <= 12 },
      element("summary", {}, `${same.length} of ${found.findings.length} figures are the same`), table(head, same.map(row)))] : []));
}

function wall() {
  const found = run.wall;
  if (!found) return;
  const arms = [found.first, found.control, found.second];
  const svg = frame("Medians of runs and their intervals", WIDE);
  const values = arms.flatMap((arm) => [arm.low, arm.high, ...arm.run_medians]);
  const low = Math.min(...values), high = Math.max(...values), margin = (high - low || 1) * 0.08;
  const x = scale(low - margin, high + margin, 130, WIDE - 20);
  for (const at of ticks(low - margin, high + margin, WIDE / 160)) {
    shape(svg, "line", { class: "grid", x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM });
    shape(svg, "text", { x: x(at), y: HEIGHT - 8, "text-anchor": "middle" }, time(Math.round(at)));
  }
  arms.forEach((arm, index) => {
    const y = 40 + index * 52;
    const color = index === 2 ? "var(--cell)" : "var(--bare)";
    shape(svg, "text", { x: 118, y: y + 4, "text-anchor": "end", style: "font-size:14px" }, arm.name);
    for (const value of arm.run_medians)
      shape(svg, "circle", { cx: x(value), cy: y, r: 4, fill: color, "fill-opacity": 0.3 });
    shape(svg, "line", { x1: x(arm.low), x2: x(arm.high), y1: y, y2: y, stroke: color, "stroke-width": 4, "stroke-linecap": "round" });
    const dot = shape(svg, "circle", { cx: x(arm.median), cy: y, r: 7, fill: color });
    tell(dot, `${arm.name}: ${time(arm.median)}\n95 %: ${time(arm.low)} to ${time(arm.high)}`);
  });
  section("On the host's clock", `Target ${found.target}, runs in turn: the median of each run, the median of those and its `
    + `95 % interval. The control is the first build again, so what differs between these two is noise. `
    + `Differences below ${time(found.absolute_floor_ns)} or ${grouped(found.relative_floor * 100)} % are none. Never a gate.`,
    element("div", { className: "card" }, element("p", {}, element("b", {}, found.verdict)), svg));
}

function historical() {
  const figures = new Map();
  const add = (key, entry, value, unit) => {
    if (!figures.has(key)) figures.set(key, { unit, points: [] });
    figures.get(key).points.push({ entry, value });
  };
  for (const entry of data.history) {
    for (const one of entry.series) {
      add(`${one.title}, ${one.kind}, ${PLACES[one.place]}: median`, entry, one.median, "ns");
      add(`${one.title}, ${one.kind}, ${PLACES[one.place]}: worst`, entry, one.maximum, "ns");
    }
    for (const one of entry.costs) add(`${one.title}, ${PLACES[one.place]}`, entry, one.median, "instructions");
    for (const one of entry.operations) add(one.name, entry, one.instructions, "instructions");
  }
  return figures;
}

function comparable(entry) { return JSON.stringify([entry.versions, entry.clock, entry.target]); }

function historyChart(chosen, name) {
  const width = WIDE, svg = frame(`${name} over commits`, width);
  const values = chosen.points.map((point) => point.value);
  const low = Math.min(...values), high = Math.max(...values), margin = (high - low || Math.max(1, high)) * 0.15;
  const bottom = Math.max(0, low - margin);
  const x = scale(0, Math.max(1, chosen.points.length - 1), LEFT + 20, width - 30);
  const y = scale(bottom, high + margin, HEIGHT - BOTTOM, TOP);
  const format = (value) => (chosen.unit === "ns" ? time(value) : grouped(value));
  rows(svg, y, bottom, high + margin, format, width);
  let path = "", before = null;
  chosen.points.forEach((point, index) => {
    const broken = before !== null && comparable(before.entry) !== comparable(point.entry);
    path += `${index && !broken ? "L" : "M"}${x(index)} ${y(point.value)}`;
    if (broken) {
      const at = (x(index - 1) + x(index)) / 2;
      const line = shape(svg, "line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--soft)", "stroke-dasharray": "3 4" });
      tell(line, "other tools from here on: not comparable");
    }
    before = point;
  });
  shape(svg, "path", { d: path, fill: "none", stroke: "var(--cell)", "stroke-width": 2 });
  const step = Math.ceil(chosen.points.length / (WIDE / 96));
  chosen.points.forEach((point, index) => {
    const mine = point.entry.commit === run.commit;
    const dot = shape(svg, "circle", { cx: x(index), cy: y(point.value), r: mine ? 6 : 4, fill: "var(--cell)" });
    tell(dot, `${point.entry.commit}, ${point.entry.date.slice(0, 10)}\n${format(point.value)}\n${point.entry.versions.emulator}`);
    if (index % step === 0) shape(svg, "text", { x: x(index), y: HEIGHT - 8, "text-anchor": "middle" }, point.entry.commit.slice(0, 8));
  });
  return svg;
}

function history() {
  const figures = historical();
  if (!figures.size) return;
  const choice = element("select", { id: "figure", ariaLabel: "figure" },
    ...[...figures.keys()].map((name) => element("option", { value: name }, name)));
  const place = element("div", {});
  const draw = () => place.replaceChildren(historyChart(figures.get(choice.value), choice.value));
  choice.addEventListener("change", draw);
  draw();
  section("Over commits", `${data.history.length} measured commits. A dashed line stands where kernel, emulator, compiler or clock changed: `
    + "figures on its two sides are not comparable.", element("div", { className: "card" }, choice, place));
}

heading();
tiles();
comparison();
if (run.series.length) {
  section("Distribution", "Smallest / median / largest. What the same program does on the bare machine, without hypervisor, stands beside it.",
    ...groups().map(seriesCard));
}
costs();
operations();
budgets();
wall();
history();
