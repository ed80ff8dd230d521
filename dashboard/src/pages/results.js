// What campaigns bring beside their control groups, with intervals that hold however often one looks (docs/results.md).
import { useMemo } from "preact/hooks";
import { useAnswer } from "../api.js";
import { intervals } from "../charts.js";
import { Figure } from "../figure.js";
import { day, decimal, money, moment, percent1, points, signedMoney, signedNumber, whole, words } from "../format.js";
import { html } from "../html.js";
import { Answer, Badge, Card, Choice, Empty, Stat, Table } from "../parts.js";
import { link, turn } from "../route.js";
import { t } from "../texts.js";

const SHARES = new Set(["conversion", "churn", "visit"]);
const AMOUNTS = new Set(["revenue", "average_order_value"]);
const ABSENT = new Set(["not_saved", "unsigned_or_no_such_route"]);
const TONES = { found: "good", no_effect_of_note: "", not_enough_data: "warn", blocked: "bad", no_control_group: "" };

// How a metric is told, as it is and as a difference.
const told = (metric) => (SHARES.has(metric) ? percent1 : AMOUNTS.has(metric) ? money : decimal);
const difference = (metric) => (SHARES.has(metric) ? points : AMOUNTS.has(metric) ? signedMoney : signedNumber);
const named = (metric) => t(`metric.${metric}`, {}, words(metric));

export function Results({ route }) {
  const results = useAnswer("/results");
  const none = html`<${Empty} title=${t("results.none")}>${t("results.none_do")}<//>`;
  if (ABSENT.has(results.error?.code) || results.error?.status === 404) return none;
  return html`<${Answer} of=${results} height=${360}>${(data) => (data.results.length ? html`<${All} data=${data} route=${route} />` : none)}<//>`;
}

function All({ data, route }) {
  const chosen = data.results.find((one) => one.campaign === route.name) ?? data.results[0];
  return html`
    <div class="grid">
      <${Card} wide title=${t("results.audience")} note=${t("results.at", { at: moment(data.as_of) })}>
        <${Table} caption=${t("results.audience")} rows=${data.results} columns=${[
          { key: "campaign", label: t("results.audience"), show: (row) => html`<a href=${link("results", row.campaign)} aria-current=${row === chosen ? "true" : undefined}>${row.campaign}</a>` },
          { key: "state", label: t("results.verdict"), show: (row) => html`<${Badge} tone=${TONES[row.state]}>${t(`results.${row.state}`, {}, row.state)}<//>` },
          { key: "treatment", label: t("results.treated"), number: true, show: (row) => whole(row.customers.treatment) },
          { key: "control", label: t("results.control"), number: true, show: (row) => whole(row.customers.control) },
          { key: "effect", label: t("metric.conversion"), number: true, show: (row) => points(row.metrics.find((one) => one.metric === "conversion")?.effect) },
        ]} />
      <//>
      <${One} one=${chosen} route=${route} key=${chosen.campaign} />
    </div>`;
}

function One({ one, route }) {
  const metrics = one.metrics.map((metric) => metric.metric);
  const asked = route.query.get("metric");
  const metric = one.metrics.find((each) => each.metric === asked) ?? one.metrics[0];
  return html`
    <${Card} wide title=${one.campaign} actions=${html`<${Badge} tone=${TONES[one.state]}>${t(`results.${one.state}`, {}, one.state)}<//>`}>
      <${Verdict} one=${one} />
      <dl class="stats">
        <${Stat} label=${t("results.treated")} value=${whole(one.customers.treatment)} />
        <${Stat} label=${t("results.control")} value=${whole(one.customers.control)} note=${one.assignment && t("results.planned", { p: percent1(one.assignment.planned_control) })} />
        <${Stat} label=${t("results.window")} value=${t("results.days", { n: decimal(one.window_days) })} note=${one.exposed.first && `${day(one.exposed.first)} – ${day(one.exposed.last)}`} />
        ${one.return && html`<${Stat} label=${t("results.return")} value=${money(one.return.gain - one.return.cost)} note=${`${money(one.return.gain_low - one.return.cost)} – ${money(one.return.gain_high - one.return.cost)}`} />`}
      </dl>
    <//>
    ${metric && html`<${Effects} one=${one} /><${BySegment} one=${one} metric=${metric} metrics=${metrics} />`}
    ${one.before_and_after.length > 0 && html`<${BeforeAndAfter} rows=${one.before_and_after} />`}`;
}

function Verdict({ one }) {
  if (one.state === "blocked") return html`<div class="state bad" role="alert"><strong>${t(`results.${one.reason}`, {}, t("results.mismatch"))}</strong></div>`;
  if (one.state === "no_control_group") return html`<p>${t("results.before_after")}</p>`;
  if (one.state === "not_enough_data") return html`<p>${one.days_more === null ? t("results.nobody_comes") : t("results.days_more", { n: whole(one.days_more) })}</p>`;
  const found = one.metrics.filter((metric) => metric.finding);
  return html`<p>${found.map((metric) => html`<${Badge} tone=${(metric.finding === "higher") === (metric.metric !== "churn") ? "good" : "bad"}>${named(metric.metric)}: ${t(`results.${metric.finding}`)} ${difference(metric.metric)(metric.effect)}<//> `)}</p>`;
}

// Relative effects share one scale, whatever their unit is.
function Effects({ one }) {
  const rows = one.metrics.map((metric) => ({ ...metric, name: named(metric.metric), ...Object.fromEntries(Object.entries(metric.relative ?? {}).map(([key, value]) => [`relative_${key}`, value])) }));
  const shown = rows.filter((row) => Number.isFinite(row.relative_effect));
  const draw = useMemo(() => intervals(shown, { label: "name", value: "relative_effect", low: "relative_low", high: "relative_high", show: percent1 }), [one]);
  if (!shown.length) return null;
  return html`
    <${Card} title=${t("results.effect")} note=${t("results.effect_note")}>
      <${Figure} title=${t("results.effect")} file=${`results-${one.campaign}`} rows=${rows} draw=${draw} height=${shown.length * 42 + 34} columns=${measured("metric", (row) => row.name)} />
    <//>`;
}

const measured = (key, name) => [
  { key, label: t("results.measure"), show: name },
  { key: "treatment", label: t("results.treated"), number: true, show: (row) => told(row.metric)(row.treatment) },
  { key: "control", label: t("results.control"), number: true, show: (row) => told(row.metric)(row.control) },
  { key: "effect", label: t("results.effect"), number: true, show: (row) => difference(row.metric)(row.effect) },
  { key: "low", label: t("results.low"), number: true, show: (row) => difference(row.metric)(row.low) },
  { key: "high", label: t("results.high"), number: true, show: (row) => difference(row.metric)(row.high) },
  { key: "finding", label: t("results.verdict"), show: (row) => (row.finding ? html`<${Badge} tone="good">${t(`results.${row.finding}`)}<//>` : t("results.unclear")) },
];

function BySegment({ one, metric, metrics }) {
  const rows = metric.segments.map((row) => ({ ...row, metric: metric.metric, name: String(row.segment) }));
  const shown = rows.filter((row) => Number.isFinite(row.effect));
  const draw = useMemo(() => intervals(shown, { label: "name", value: "shrunk", low: "low", high: "high", show: difference(metric.metric), tick: SHARES.has(metric.metric) ? (one) => signedNumber(100 * one) : difference(metric.metric) }), [one, metric]);
  return html`
    <${Card} title=${t("results.by_segment")} note=${t("results.by_segment_note")} actions=${html`<${Choice} label=${t("results.measure")} value=${metric.metric} options=${metrics.map((key) => [key, named(key)])} onChange=${(value) => turn({ metric: value })} />`}>
      ${shown.length
        ? html`<${Figure} title=${named(metric.metric)} file=${`results-${one.campaign}-segments`} rows=${rows} draw=${draw} height=${shown.length * 38 + 34} columns=${measured("name", (row) => row.name)} />`
        : html`<${Empty} title=${t("results.not_enough_data")} />`}
    <//>`;
}

function BeforeAndAfter({ rows }) {
  return html`
    <${Card} wide title=${t("results.before_after_title")} note=${t("results.before_after")}>
      <${Table} caption=${t("results.before_after_title")} rows=${rows} columns=${[
        { key: "metric", label: t("results.measure"), show: (row) => named(row.metric) },
        { key: "before", label: t("results.before"), number: true, show: (row) => told(row.metric)(row.before) },
        { key: "after", label: t("results.after"), number: true, show: (row) => told(row.metric)(row.after) },
      ]} />
    <//>`;
}
