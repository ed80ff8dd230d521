// One customer: what they did, where they are and why, what would change it, what comes next, and their erasure.
import { useMemo, useState } from "preact/hooks";
import { call, person, useAnswer } from "../api.js";
import { contributions, timeLine } from "../charts.js";
import { Figure } from "../figure.js";
import { ago, day, moment, money, percent, percent1, shortDay, signed, whole, words } from "../format.js";
import { html } from "../html.js";
import { Act, Answer, Badge, Card, Choice, Confirm, Empty, Stat, Table } from "../parts.js";
import { link, turn } from "../route.js";
import { t } from "../texts.js";

const REASONS = 10;
const PREDICTIONS = { churn_probability: ["customer.churn", percent], conversion_probability: ["customer.conversion", percent], expected_ltv: ["customer.value", money] };
// Of targets of the shop's own, the name says what a number is.
const show = (name, value) => (PREDICTIONS[name]?.[1] ?? (name.endsWith("_probability") ? percent : name.endsWith("_uplift") ? percent1 : money))(value);
const called = (name) => (PREDICTIONS[name] ? t(PREDICTIONS[name][0]) : words(name.replace(/_probability$/, "")));

export function Customer({ route }) {
  if (!route.name) return html`<${Empty} title=${t("customer.none")}>${t("customer.none_do")}<//>`;
  return html`<${One} id=${route.name} route=${route} key=${route.name} />`;
}

function One({ id, route }) {
  const decision = useAnswer(`${person(id)}/segment?explain=true&what_if=true`);
  const moves = useAnswer(`${person(id)}/history?limit=50`);
  const deliveries = useAnswer(`${person(id)}/deliveries?limit=50`);
  const timeline = useAnswer(`${person(id)}/timeline`);
  const catalogue = useAnswer("/segments");
  const names = Object.fromEntries((catalogue.data?.segments ?? []).map((one) => [one.id, one.name]));
  if (decision.error?.code === "customer_not_found") return html`<${Empty} title=${t("customer.unknown")}>${t("customer.unknown_do")}<//>`;
  const undecided = decision.error?.code === "no_decision_yet";
  return html`
    <div class="grid">
      ${undecided
        ? html`<${Card} wide title=${id}><${Empty} title=${t("customer.no_decision")}>${t("customer.no_decision_do")}<//><//>`
        : html`<${Answer} of=${decision} height=${240}>${(data) => html`<${Decision} data=${data} id=${id} />`}<//>`}
      <${TimeLine} of=${timeline} moves=${moves.data?.transitions ?? []} names=${names} />
      ${decision.data && html`<${Why} data=${decision.data} route=${route} /><${Next} data=${decision.data} />`}
      <${Card} wide title=${t("customer.moves")}>
        <${Answer} of=${moves} height=${120}>${(data) => html`<${Moves} rows=${data.transitions} names=${names} />`}<//>
      <//>
      <${Card} title=${t("customer.deliveries")}>
        <${Answer} of=${deliveries} height=${120}>${(data) => html`<${Deliveries} rows=${data.deliveries} />`}<//>
      <//>
      ${decision.data && html`<${Products} id=${id} />`}
      ${timeline.data && html`<${Known} attributes=${timeline.data.attributes} />`}
      <${Erasure} id=${id} />
    </div>`;
}

function Decision({ data, id }) {
  const { segment, predictions, horizon_days: days = {} } = data;
  return html`
    <${Card} wide title=${id} actions=${html`<span class="row">
        ${data.automated_traffic && html`<${Badge} tone="warn">${t("customer.automated")}<//>`}
        ${data.audiences?.map((one) => html`<a href=${link("audiences", one.key)}><${Badge}>${one.key}${one.arm === "control" ? ` · ${t("customer.control")}` : ""}<//></a>`)}
      </span>`}>
      <dl class="stats">
        <${Stat} label=${t("customer.segment")} words value=${html`<a href=${link("segments", String(segment.id))}>${segment.name ?? segment.id}</a>`} note=${`${t("customer.since", { at: day(segment.since) })}; ${t("customer.margin", { p: percent(segment.margin) })}`} />
        ${Object.keys({ ...PREDICTIONS, ...predictions }).map((name) => html`
          <${Stat} label=${called(name)} value=${show(name, predictions[name])} note=${predictions[name] === null ? data.left_out?.[name] : days[name] && t("customer.within", { n: days[name] })} />`)}
        <${Stat} label=${t("customer.intent")} words value=${words(data.intent)} note=${data.action_details?.title} />
      </dl>
      ${data.action_details && html`<p><strong>${t("customer.action")}:</strong> ${data.action_details.title} — ${data.action_details.description}</p>`}
      ${data.outside_training?.length > 0 && html`<p class="note"><${Badge} tone="warn">!<//> ${t("customer.outside", { features: data.outside_training.slice(0, 5).map((one) => words(one.feature)).join(", ") })}</p>`}
    <//>`;
}

function TimeLine({ of, moves, names }) {
  const rows = of.data?.days ?? [];
  const show = (row) => `${shortDay(row.at)}\n${words(row.type)}: ${whole(row.count)}${row.amount ? `\n${money(row.amount)}` : ""}${row.categories.length ? `\n${row.categories.join(", ")}` : ""}`;
  const draw = useMemo(
    () => timeLine(rows.map((row) => ({ ...row, what: words(row.type) })).toReversed(), { kind: "what", when: "at", size: "count", moves: moves.map((one) => one.at), show }),
    [of.data, moves],
  );
  const kinds = new Set(rows.map((row) => row.type)).size;
  return html`
    <${Card} wide title=${rows.length ? null : t("customer.timeline")} note=${moves.length ? t("customer.timeline_note") : null}>
      <${Answer} of=${of} height=${180}>${() =>
        rows.length
          ? html`<${Figure} title=${t("customer.timeline")} file="timeline" rows=${rows} draw=${draw} height=${Math.max(110, kinds * 34 + 40)}
              columns=${[{ key: "at", label: t("customer.day"), show: (row) => day(row.at) }, { key: "type", label: t("customer.kind"), show: (row) => words(row.type) }, { key: "count", label: t("customer.count"), number: true }, { key: "amount", label: t("customer.amount"), number: true, show: (row) => (row.amount ? money(row.amount) : "") }, { key: "categories", label: t("customer.categories"), show: (row) => row.categories.join(", ") }]} />`
          : html`<${Empty} title=${t("customer.nothing")} />`}<//>
    <//>`;
}

function Why({ data, route }) {
  const explanation = data.explanation ?? {};
  const parts = ["segment", ...Object.keys({ ...PREDICTIONS, ...data.predictions })].filter((name) => explanation[name]?.length);
  const part = parts.includes(route.query.get("why")) ? route.query.get("why") : parts[0];
  const all = explanation[part] ?? [];
  const rows = all.slice(0, REASONS);
  const draw = useMemo(() => contributions(rows, { label: "text", value: "contribution", show: signed }), [data, part]);
  const label = (name) => (name === "segment" ? t("customer.segment") : called(name));
  return html`
    <${Card} wide title=${t("customer.why")} actions=${parts.length > 0 && html`<${Choice} label=${t("customer.why_of")} value=${part} options=${parts.map((name) => [name, label(name)])} onChange=${(value) => turn({ why: value })} />`}>
      ${rows.length
        ? html`<${Figure} title=${label(part)} note=${explanation.about?.[part]?.scale} file=${`reasons-${part}`} rows=${all} draw=${draw} height=${rows.length * 40 + 16}
            columns=${[{ key: "text", label: t("customer.reason") }, { key: "feature", label: t("segments.feature") }, { key: "contribution", label: t("customer.share"), number: true, show: (row) => signed(row.contribution) }]} />`
        : html`<${Empty} title=${explanation.problem ?? "–"} />`}
    <//>`;
}

function Next({ data }) {
  const next = data.next_change;
  const changes = data.what_would_change?.changes ?? [];
  const what = next && [next.name ?? names(next), next.intent && words(next.intent), ...(next.audiences ?? [])].filter(Boolean).join(" · ");
  return html`
    <${Card} title=${t("customer.next")}>
      ${next ? html`<p><strong>${day(next.at)}</strong> (${ago(next.at)})</p><p>${what}</p>` : html`<${Empty} title=${t("customer.next_none")} />`}
    <//>
    <${Card} title=${t("customer.what_if")}>
      ${changes.length
        ? html`<ul class="plain">${changes.map((one) => html`<li>${one.text}${one.churn_probability !== null && html` <span class="note">${t("customer.churn")} ${percent1(one.churn_probability)}</span>`}</li>`)}</ul>`
        : html`<${Empty} title=${data.what_would_change?.problem ?? t("customer.what_if_none")} />`}
    <//>`;
}

const names = (next) => (next.to === undefined ? null : String(next.to));

function Moves({ rows, names }) {
  if (!rows.length) return html`<${Empty} title=${t("customer.no_moves")} />`;
  const named = (id) => (id === null ? "–" : (names[id] ?? String(id)));
  return html`<${Table} caption=${t("customer.moves")} rows=${rows} columns=${[
    { key: "at", label: t("customer.when"), show: (row) => day(row.at) },
    { key: "from", label: t("segments.from"), show: (row) => named(row.from) },
    { key: "to", label: t("segments.to"), show: (row) => named(row.to) },
    { key: "cause", label: t("customer.cause"), show: (row) => words(row.cause) },
    { key: "reasons", label: t("customer.why"), show: (row) => row.reasons[0]?.text ?? "" },
  ]} />`;
}

const TONES = { accepted: "good", sent: "good", rejected: "bad", given_up: "bad", withheld: "", waiting: "warn" };

function Deliveries({ rows }) {
  if (!rows.length) return html`<${Empty} title=${t("customer.no_deliveries")} />`;
  return html`<${Table} caption=${t("customer.deliveries")} rows=${rows} columns=${[
    { key: "at", label: t("customer.when"), show: (row) => moment(row.at) },
    { key: "destination", label: t("customer.where") },
    { key: "audience", label: t("customer.audiences"), show: (row) => row.audience ?? "" },
    { key: "state", label: t("customer.state"), show: (row) => html`<${Badge} tone=${TONES[row.state]}>${words(row.state)}<//> ${row.reason ?? ""}` },
  ]} />`;
}

// What they may buy again, and what is new for them; nothing where the shop has no recommender.
function Products({ id }) {
  const { data } = useAnswer(`${person(id)}/recommendations?limit=5`);
  const lists = [["customer.again", data?.buy_again ?? []], ["customer.new_for_them", data?.new_for_you ?? []]].filter(([, rows]) => rows.length);
  return lists.map(([label, rows]) => html`
    <${Card} title=${t(label)}>
      <${Table} caption=${t(label)} rows=${rows} columns=${[
        { key: "product_id", label: t("customer.product"), show: (row) => row.name ?? row.product_id },
        { key: "score", label: t("customer.likely"), number: true, show: (row) => percent1(row.score) },
        { key: "reason", label: t("customer.why") },
      ]} />
    <//>`);
}

function Known({ attributes }) {
  const rows = Object.entries(attributes).map(([name, value]) => ({ name, value: String(value) }));
  if (!rows.length) return null;
  return html`<${Card} title=${t("customer.attributes")}><${Table} caption=${t("customer.attributes")} rows=${rows} columns=${[{ key: "name", label: t("audiences.field") }, { key: "value", label: t("audiences.value") }]} /><//>`;
}

function Erasure({ id }) {
  const [asked, setAsked] = useState(false);
  const [receipt, setReceipt] = useState(null);
  const erase = async () => setReceipt((await call("DELETE", person(id))).receipt_id);
  return html`
    <${Card} title=${t("customer.erase")}>
      ${receipt
        ? html`<p role="status">${t("customer.erased", { receipt })}</p>`
        : html`<p class="note">${t("customer.erase_text", { id })}</p><div class="row"><${Act} right="erase" tone="danger" onClick=${() => setAsked(true)}>${t("customer.erase")}<//></div>`}
      ${asked && html`<${Confirm} title=${t("customer.erase")} text=${t("customer.erase_text", { id })} word=${id} go=${erase} onClose=${() => setAsked(false)} />`}
    <//>`;
}
