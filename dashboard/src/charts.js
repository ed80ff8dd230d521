// Every kind of chart, drawn by Observable Plot; names of the shop's own come in as texts and stay that.
import * as Plot from "@observablehq/plot";
import { sankey, sankeyJustify, sankeyLinkHorizontal } from "d3-sankey";
import { render } from "preact";
import { colourOf } from "./figure.js";
import { percent, shortDay, whole } from "./format.js";
import { html } from "./html.js";

const FONT = { fontSize: "12px", fontFamily: "inherit", background: "transparent", overflow: "visible" };
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
// Capital letters are wider than others.
const lengthOf = (text) => [...String(text)].reduce((sum, one) => sum + (one === one.toUpperCase() && /\p{L}/u.test(one) ? 8.6 : 6.6), 0);
const labelWidth = (width, labels) => Math.min(Math.max(...labels.map(lengthOf), 26) + 16, width * 0.42);

function framed(width, height, options) {
  return Plot.plot({ width, height, style: FONT, marginTop: 8, marginRight: 16, ...options });
}

// One bar a row, the longest name cut to its place.
export const bars = (rows, { label, value, colour, show = whole }) => (width, height) => {
  const left = labelWidth(width, rows.map((row) => row[label]));
  return framed(width, height, {
    marginLeft: left,
    marginRight: 64,
    marginBottom: 4,
    x: { axis: null, domain: [Math.min(0, ...rows.map((row) => row[value])), Math.max(1e-9, ...rows.map((row) => row[value]))] },
    y: { label: null, tickSize: 0, domain: rows.map((_, i) => i), tickFormat: (i) => cut(String(rows[i][label]), Math.floor((left - 14) / 7)) },
    marks: [
      Plot.barX(rows, { x: value, y: (_, i) => i, fill: colour ?? (() => "var(--c1)"), insetTop: 3, insetBottom: 3, rx: 3 }),
      Plot.text(rows, { x: value, y: (_, i) => i, text: (row) => show(row[value]), textAnchor: "start", dx: 6 }),
    ],
  });
};

// What speaks for (right) and against (left), by how much.
export const contributions = (rows, { label, value, show }) => (width, height) => {
  const narrow = width < 560;
  const left = narrow ? 8 : Math.min(520, width * 0.5);
  const most = Math.max(1e-9, ...rows.map((row) => Math.abs(row[value])));
  return framed(width, height, {
    marginLeft: left,
    marginRight: 48,
    marginBottom: 4,
    x: { axis: null, domain: [-most * 1.15, most * 1.15] },
    y: { axis: null, domain: rows.map((_, i) => i) },
    marks: [
      Plot.barX(rows, {
        x: value, y: (_, i) => i, rx: 3, insetTop: narrow ? 20 : 4, insetBottom: 4,
        fill: (row) => (row[value] > 0 ? "var(--up)" : "var(--down)"),
      }),
      Plot.ruleX([0], { stroke: "var(--line)" }),
      Plot.text(rows, {
        x: value, y: (_, i) => i, text: (row) => show(row[value]), dx: 6, textAnchor: "start",
        filter: (row) => row[value] > 0, dy: narrow ? 8 : 0,
      }),
      Plot.text(rows, {
        x: value, y: (_, i) => i, text: (row) => show(row[value]), dx: -6, textAnchor: "end",
        filter: (row) => row[value] <= 0, dy: narrow ? 8 : 0,
      }),
      narrow
        ? Plot.text(rows, { frameAnchor: "left", y: (_, i) => i, text: label, lineWidth: (width - 16) / 14, textOverflow: "ellipsis-end", textAnchor: "start", dy: -9 })
        : Plot.text(rows, { frameAnchor: "left", y: (_, i) => i, text: label, lineWidth: (left - 16) / 14, lineHeight: 1.2, textAnchor: "end", dx: -8 }),
    ],
  });
};

// Lines over days, one a series, named at their ends or, where there is no room, by their colours alone (the table says).
export const lines = (rows, { series, value, show = whole, colours, zero = true, x = "date" }) => (width, height) => {
  const names = [...new Set(rows.map((row) => row[series]))];
  const room = width > 430;
  const right = room ? Math.min(labelWidth(width, names), width * 0.28) : 16;
  const last = names.map((name) => rows.findLast((row) => row[series] === name));
  const typed = rows.map((row) => ({ ...row, when: new Date(row[x]) }));
  const mine = (row) => colours?.[row[series]] ?? colourOf(names.indexOf(row[series]));
  const values = rows.map((row) => row[value]).filter(Number.isFinite);
  // Values so close that their usual digits are the same have as many as tell them apart.
  const close = !zero && Math.max(...values) - Math.min(...values) < Math.abs(Math.max(...values)) / 50;
  return framed(width, height, {
    marginLeft: 52,
    marginRight: right,
    x: { type: "utc", label: null, ticks: Math.max(2, Math.floor(width / 110)), tickFormat: shortDay },
    y: { label: null, grid: true, zero, tickFormat: close ? undefined : show, ticks: 4, nice: true },
    marks: [
      ...names.map((name) => Plot.lineY(typed.filter((row) => row[series] === name), { x: "when", y: value, stroke: mine({ [series]: name }), strokeWidth: 2, curve: "monotone-x" })),
      room && Plot.text(last.map((row) => ({ ...row, when: new Date(row[x]) })), { x: "when", y: value, text: (row) => cut(row[series], Math.floor(right / 7)), fill: mine, textAnchor: "start", dx: 6 }),
      Plot.tip(typed, Plot.pointer({ x: "when", y: value, title: (row) => `${row[series]}\n${shortDay(row[x])}: ${show(row[value])}` })),
    ].filter(Boolean),
  });
};

// One value beside everybody's, as multiples of it on a logarithmic scale.
export const beside = (rows, { label, ratio, show }) => (width, height) => {
  const left = labelWidth(width, rows.map((row) => row[label]));
  const most = Math.max(1.5, ...rows.map((row) => Math.max(row[ratio], 1 / row[ratio])));
  return framed(width, height, {
    marginLeft: left,
    marginRight: 70,
    marginTop: 26,
    marginBottom: 4,
    x: { type: "log", domain: [1 / most, most], axis: "top", label: null, ticks: (width < 560 ? [0.1, 0.33, 1, 3, 10] : [0.1, 0.25, 0.5, 1, 2, 4, 10]).filter((one) => one <= most && one >= 1 / most), tickFormat: (one) => `${one}×`, grid: true },
    y: { label: null, tickSize: 0, domain: rows.map((_, i) => i), tickFormat: (i) => cut(rows[i][label], Math.floor((left - 14) / 7)) },
    marks: [
      Plot.ruleX([1], { stroke: "var(--muted)" }),
      Plot.ruleY(rows, { y: (_, i) => i, x1: 1, x2: ratio, stroke: (row) => (row[ratio] > 1 ? "var(--up)" : "var(--down)"), strokeWidth: 3 }),
      Plot.dot(rows, { y: (_, i) => i, x: ratio, r: 5, fill: (row) => (row[ratio] > 1 ? "var(--up)" : "var(--down)") }),
      Plot.text(rows, { y: (_, i) => i, text: show, frameAnchor: "right", textAnchor: "start", dx: 8 }),
    ],
  });
};

// Estimates with the intervals that hold at any time.
export const intervals = (rows, { label, value, low, high, show = percent, tick = show }) => (width, height) => {
  const left = labelWidth(width, rows.map((row) => row[label]));
  const ends = rows.flatMap((row) => [row[low], row[high]]).filter(Number.isFinite);
  return framed(width, height, {
    marginLeft: left,
    marginTop: 26,
    marginBottom: 4,
    x: { axis: "top", label: null, grid: true, tickFormat: tick, ticks: Math.max(3, Math.floor(width / 120)), domain: [Math.min(0, ...ends), Math.max(0, ...ends)], nice: true },
    y: { label: null, tickSize: 0, domain: rows.map((_, i) => i), tickFormat: (i) => cut(rows[i][label], Math.floor((left - 14) / 7)) },
    marks: [
      Plot.ruleX([0], { stroke: "var(--muted)" }),
      Plot.ruleY(rows, { y: (_, i) => i, x1: low, x2: high, stroke: "var(--c1)", strokeWidth: 4, strokeLinecap: "round", strokeOpacity: 0.4 }),
      Plot.dot(rows, { y: (_, i) => i, x: value, r: 5, fill: "var(--c1)" }),
    ],
  });
};

// What came true against what was said; on the diagonal both are the same.
export const calibration = (rows, { said, came }) => (width, height) =>
  framed(Math.min(width, 480), height, {
    marginLeft: 48,
    marginBottom: 34,
    x: { domain: [0, 1], tickFormat: percent, label: null, grid: true, ticks: 5 },
    y: { domain: [0, 1], tickFormat: percent, label: null, grid: true, ticks: 5 },
    marks: [
      Plot.line([[0, 0], [1, 1]], { stroke: "var(--muted)", strokeDasharray: "4,4" }),
      Plot.line(rows, { x: said, y: came, stroke: "var(--c1)", strokeWidth: 2 }),
      Plot.dot(rows, { x: said, y: came, fill: "var(--c1)", r: 4 }),
    ],
  });

// What somebody did: a row for each kind of event, a dot for each day of it, larger for more.
export const timeLine = (rows, { kind, when, size, moves, show }) => (width, height) => {
  const kinds = [...new Set(rows.map((row) => row[kind]))];
  const typed = rows.map((row) => ({ ...row, at: new Date(row[when]) }));
  const left = labelWidth(width, kinds);
  return framed(width, height, {
    marginLeft: left,
    marginBottom: 28,
    x: { type: "utc", label: null, ticks: Math.max(2, Math.floor(width / 110)), tickFormat: shortDay, inset: 14 },
    y: { label: null, domain: kinds, tickSize: 0, grid: true, tickFormat: (one) => cut(one, Math.floor((left - 14) / 7)) },
    r: { range: [2.5, 9] },
    marks: [
      Plot.ruleX(moves.map((move) => new Date(move)), { stroke: "var(--c3)", strokeDasharray: "3,3" }),
      Plot.dot(typed, { x: "at", y: kind, r: size, fill: (row) => colourOf(kinds.indexOf(row[kind])), fillOpacity: 0.75 }),
      Plot.tip(typed, Plot.pointer({ x: "at", y: kind, title: show })),
    ],
  });
};

// From where to where customers moved. `flows` are {from, to, value}; a name may stand on both sides.
export const flows = (given, { show = whole, colours = {} }) => (width, height) => {
  const left = [...new Set(given.map((one) => one.from))];
  const right = [...new Set(given.map((one) => one.to))];
  const nodes = [...left.map((name) => ({ id: `< ${name}`, name })), ...right.map((name) => ({ id: `> ${name}`, name }))];
  const names = [...new Set([...left, ...right])].sort();
  const room = Math.min(170, width * 0.3);
  const graph = sankey().nodeId((node) => node.id).nodeAlign(sankeyJustify).nodeWidth(10).nodePadding(14)
    .extent([[room, 8], [width - room, height - 8]])({
      nodes: nodes.map((node) => ({ ...node })),
      links: given.map((one) => ({ source: `< ${one.from}`, target: `> ${one.to}`, value: one.value })),
    });
  const path = sankeyLinkHorizontal();
  const colour = (name) => colours[name] ?? colourOf(names.indexOf(name));
  const box = document.createElement("div");
  render(html`
    <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`}>
      ${graph.links.map((one) => html`
        <path d=${path(one)} fill="none" stroke=${colour(one.source.name)} stroke-opacity="0.35" stroke-width=${Math.max(1, one.width)}>
          <title>${`${one.source.name} → ${one.target.name}: ${show(one.value)}`}</title>
        </path>`)}
      ${graph.nodes.map((node) => html`
        <g>
          <rect x=${node.x0} y=${node.y0} width=${node.x1 - node.x0} height=${Math.max(1, node.y1 - node.y0)} fill=${colour(node.name)} rx="2" />
          <text x=${node.x0 < width / 2 ? node.x0 - 8 : node.x1 + 8} y=${(node.y0 + node.y1) / 2} dy="0.35em"
            text-anchor=${node.x0 < width / 2 ? "end" : "start"} fill="currentColor">${cut(node.name, Math.max(4, Math.floor(room / 7.5) - 6))} ${show(node.value)}</text>
        </g>`)}
    </svg>`, box);
  return box.firstElementChild;
};
