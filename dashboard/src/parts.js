// What all pages are made of.
import { useEffect, useRef, useState } from "preact/hooks";
import { snapshot } from "./api.js";
import { html } from "./html.js";
import { rights } from "./signin.js";
import { t } from "./texts.js";

export const Card = ({ title, note, wide, actions, children }) => html`
  <section class=${wide ? "card wide" : "card"}>
    ${title && html`<header><h2>${title}</h2>${actions}</header>`}
    ${note && html`<p class="note">${note}</p>`}
    ${children}
  </section>`;

export const Stat = ({ label, value, note, tone, words }) => html`
  <div class=${`stat ${tone ?? ""}${words ? " words" : ""}`}><dt>${label}</dt><dd>${value}</dd>${note && html`<dd class="note">${note}</dd>`}</div>`;

export const Badge = ({ tone, children }) => html`<span class=${`badge ${tone ?? ""}`}>${children}</span>`;

export const Empty = ({ title, children }) => html`
  <div class="state"><strong>${title}</strong>${children && html`<p>${children}</p>`}</div>`;

export const Waiting = ({ height = 120 }) => html`
  <div class="waiting" style=${{ minHeight: `${height}px` }} role="status"><span class="hidden">${t("loading")}</span></div>`;

// What went wrong, and what to do about it.
export function Failure({ error, reload }) {
  const known = { 401: "signed_out", 403: "forbidden", 404: "not_found", 429: "too_many", 0: error.code }[error.status];
  const what = t(`error.${known}`, {}, null) ?? t("error.other");
  return html`
    <div class="state bad" role="alert">
      <strong>${what}</strong>
      ${error.message && html`<p>${error.message}</p>`}
      ${reload && !snapshot && html`<button type="button" onClick=${reload}>${t("again")}</button>`}
    </div>`;
}

// One of waiting, failed or there: `children` is what to do with an answer.
export function Answer({ of, height, children }) {
  if (of.data) return children(of.data);
  return of.error ? html`<${Failure} ...${of} />` : html`<${Waiting} height=${height} />`;
}

export const Choice = ({ label, value, options, onChange }) => html`
  <label class="choice"><span>${label}</span>
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${options.map(([key, text]) => html`<option value=${key} selected=${key === value}>${text}</option>`)}
    </select>
  </label>`;

// A table of `columns`: {key, label, number, show}; `show` makes of a row what its cell says.
export const Table = ({ columns, rows, caption, most = 500 }) => html`
  <div class="scrolled" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption class="hidden">${caption}</caption>
      <thead><tr>${columns.map((one) => html`<th scope="col" class=${one.number ? "number" : ""}>${one.label}</th>`)}</tr></thead>
      <tbody>${rows.slice(0, most).map((row) => html`
        <tr>${columns.map((one) => html`<td class=${one.number ? "number" : ""}>${one.show ? one.show(row) : row[one.key]}</td>`)}</tr>`)}
      </tbody>
    </table>
  </div>
  ${rows.length > most && html`<p class="note">${t("more_rows", { n: rows.length - most })}</p>`}`;

// A button that says which right it needs where the reader lacks it. The API asks for it all the same.
export function Act({ right, onClick, tone, children, ...others }) {
  const mine = rights();
  const lacks = (mine && !mine[right]) || snapshot;
  const why = snapshot ? t("error.snapshot") : t(`needs.${right}`);
  return html`
    <button type="button" class=${tone ?? ""} disabled=${!!lacks} title=${lacks ? why : undefined} onClick=${onClick} ...${others}>${children}</button>
    ${lacks && html`<span class="note">${why}</span>`}`;
}

// Asks once more before something that cannot be taken back; `word` has to be typed where it is given.
export function Confirm({ title, text, word, go, onClose }) {
  const dialog = useRef(null);
  const [typed, setTyped] = useState("");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current.showModal(), []);
  const confirm = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await go();
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return html`
    <dialog ref=${dialog} onClose=${onClose} aria-labelledby="asked">
      <form onSubmit=${confirm}>
        <h2 id="asked">${title}</h2>
        <p>${text}</p>
        ${word && html`<label>${t("type_to_confirm", { word })}
          <input value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" /></label>`}
        ${error && html`<${Failure} error=${error} />`}
        <div class="row">
          <button type="button" onClick=${onClose}>${t("cancel")}</button>
          <button type="submit" class="danger" disabled=${busy || (word && typed !== word)}>${title}</button>
        </div>
      </form>
    </dialog>`;
}
