// A chart with its table, its CSV file and a link that restores the view. Charts are drawn for the width that they have.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { Table } from "./parts.js";
import { t } from "./texts.js";

export const COLOURS = Array.from({ length: 8 }, (_, i) => `var(--c${i + 1})`);
export const colourOf = (i) => COLOURS[i % COLOURS.length];

// `draw(width, height)` makes an SVG element; `columns` and `rows` are its table. `file` is the name of its CSV file.
export function Figure({ title, note, draw, height = 240, columns, rows, file, least = 0 }) {
  const [asTable, setAsTable] = useState(false);
  return html`
    <figure>
      <figcaption>
        <span class="caption">${title}</span>
        <span class="tools">
          <button type="button" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>${asTable ? t("chart") : t("table")}</button>
          <button type="button" onClick=${() => download(`${file}.csv`, csv(columns, rows))}>CSV</button>
          <${CopyLink} />
        </span>
      </figcaption>
      ${note && html`<p class="note">${note}</p>`}
      ${asTable
        ? html`<${Table} columns=${columns} rows=${rows} caption=${title} />`
        : html`<${Drawing} draw=${draw} height=${height} label=${title} least=${least} />`}
    </figure>`;
}

function Drawing({ draw, height, label, least }) {
  const place = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const measure = () => place.current && setWidth(Math.max(least, Math.floor(place.current.clientWidth)));
    const observer = new ResizeObserver(measure);
    observer.observe(place.current);
    measure();
    return () => observer.disconnect();
  }, [least]);
  useEffect(() => {
    if (!width) return;
    const picture = draw(width, height);
    // A picture is told as one thing, so that what its parts are called would be said to nobody.
    for (const part of picture.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", label);
    place.current.replaceChildren(picture);
  }, [draw, width, height, label]);
  return html`<div class="drawing" ref=${place} style=${{ minHeight: `${height}px` }}></div>`;
}

function CopyLink() {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(location.href).catch(() => prompt(t("link"), location.href));
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  };
  return html`<button type="button" onClick=${copy} aria-live="polite">${copied ? t("copied") : t("link")}</button>`;
}

// A spreadsheet runs what begins like a formula: it gets an apostrophe before it.
function cell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(columns, rows) {
  const lines = [columns.map((one) => cell(one.label)), ...rows.map((row) => columns.map((one) => cell(row[one.key])))];
  return lines.map((line) => line.join(",")).join("\r\n");
}

export function download(name, text) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}
