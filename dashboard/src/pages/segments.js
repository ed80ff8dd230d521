// Who customers are by what they do: sizes, flows, profiles, and examples.
import { useMemo } from "preact/hooks";
import { useAnswer } from "../api.js";
import { bars, beside, flows, lines } from "../charts.js";
import { Figure, colourOf } from "../figure.js";
import { decimal, money, percent, percent1, whole, words } from "../format.js";
import { html } from "../html.js";
import { useReport } from "../insight.js";
import { Answer, Card, Choice, Empty, Stat, Table } from "../parts.js";
import { link, turn } from "../route.js";
import { t } from "../texts.js";

const SHOWN = 12;

export function Segments({ route }) {
  const catalogue = useAnswer("/segments");
  return html`<${Answer} of=${catalogue} height=${400}>${(data) =>
    data.segments.length ? html`<${Catalogue} segments=${data.segments} route=${route} />` : html`<${Empty} title=${t("segments.none")}>${t("segments.none_do")}<//>`}<//>`;
}

function Catalogue({ segments, route }) {
  const { report } = useReport("segments");
  const total = segments.reduce((sum, one) => sum + one.size, 0);
  const chosen = segments.find((one) => String(one.id) === route.name) ?? segments.toSorted((a, b) => b.size - a.size)[0];
  const sorted = segments.map((one, i) => ({ ...one, colour: colourOf(i), share: total ? one.size / total : 0 })).sort((a, b) => b.size - a.size);
  const draw = useMemo(() => bars(sorted, { label: "name", value: "size", colour: (row) => row.colour }), [segments]);
  return html`
    <div class="grid">
      <${Card} title=${t("segments")}>
        <div class="segments">${sorted.map((one) => html`
          <a href=${link("segments", String(one.id), Object.fromEntries(route.query))} aria-current=${one.id === chosen.id ? "true" : undefined}>
            <i style=${{ background: one.colour }}></i><span>${one.name}</span><span class="note">${whole(one.size)} · ${percent(one.share)}</span>
          </a>`)}</div>
      <//>
      <${Card}>
        <${Figure} title=${t("segments.sizes")} file="segments" rows=${sorted} draw=${draw} height=${Math.max(160, sorted.length * 40)}
          columns=${[{ key: "name", label: t("segments.name") }, { key: "size", label: t("segments.size"), number: true, show: (row) => whole(row.size) }, { key: "share", label: t("segments.share"), number: true, show: (row) => percent1(row.share) }]} />
      <//>
      <${OverTime} report=${report} segments=${segments} route=${route} />
      <${One} segment=${chosen} segments=${segments} total=${total} report=${report} />
    </div>`;
}

const MEASURES = { size: whole, revenue: money, churn: percent1, value: money };

function OverTime({ report, segments, route }) {
  const measure = route.query.get("measure") in MEASURES ? route.query.get("measure") : "size";
  const days = report?.days ?? [];
  const moves = report?.flows ?? [];
  const colours = Object.fromEntries(segments.map((one, i) => [one.name, colourOf(i)]));
  const draw = useMemo(() => lines(days, { series: "name", value: measure, show: MEASURES[measure], colours }), [report, measure]);
  const drawFlows = useMemo(() => flows(moves, {}), [report]);
  if (!days.length && !moves.length) {
    return html`<${Card} wide title=${t("segments.over_time")}><${Empty} title=${t("segments.no_history")}>${t("segments.no_history_do")}<//><//>`;
  }
  return html`
    <${Card} actions=${html`<${Choice} label=${t("segments.measure")} value=${measure} onChange=${(value) => turn({ measure: value })} options=${Object.keys(MEASURES).map((key) => [key, t(`segments.${key}`)])} />`} title=${t("segments.over_time")}>
      <${Figure} title=${t(`segments.${measure}`)} file=${`segments-${measure}`} rows=${days} draw=${draw} height=${280}
        columns=${[{ key: "date", label: t("segments.date") }, { key: "name", label: t("segments.name") }, ...Object.entries(MEASURES).map(([key, show]) => ({ key, label: t(`segments.${key}`), number: true, show: (row) => show(row[key]) }))]} />
    <//>
    <${Card} title=${t("segments.flows")} note=${t("segments.flows_note", { n: report.flow_days ?? 30 })}>
      <${Figure} title=${t("segments.flows")} file="flows" rows=${moves} draw=${drawFlows} height=${280}
        columns=${[{ key: "from", label: t("segments.from") }, { key: "to", label: t("segments.to") }, { key: "value", label: t("segments.customers"), number: true }]} />
    <//>`;
}

// The features in which a segment is farthest from all, as multiples: the size-weighted mean of what is typical of each.
export function setApart(segment, segments) {
  const total = segments.reduce((sum, one) => sum + one.size, 0) || 1;
  const rows = Object.entries(segment.profile).map(([name, here]) => {
    const all = segments.reduce((sum, one) => sum + (one.profile[name] ?? 0) * one.size, 0) / total;
    return { name, label: words(name), here, all, ratio: here / all };
  });
  return rows
    .filter((row) => row.here > 0 && row.all > 0 && Number.isFinite(row.ratio) && Math.abs(Math.log(row.ratio)) > 0.1)
    .sort((a, b) => Math.abs(Math.log(b.ratio)) - Math.abs(Math.log(a.ratio)));
}

function One({ segment, segments, total, report }) {
  const members = useAnswer(`/segments/${encodeURIComponent(segment.id)}/customers?limit=10`);
  const all = useMemo(() => setApart(segment, segments), [segment, segments]);
  const rows = all.slice(0, SHOWN);
  const draw = useMemo(() => beside(rows, { label: "label", ratio: "ratio", show: (row) => `${decimal(row.ratio)}×` }), [segment]);
  const latest = report?.days?.findLast((one) => one.id === segment.id);
  return html`
    <${Card} wide title=${segment.name} note=${segment.description}>
      <dl class="stats">
        <${Stat} label=${t("segments.size")} value=${whole(segment.size)} note=${t("segments.share") + " " + percent1(total ? segment.size / total : 0)} />
        ${latest && html`<${Stat} label=${t("segments.revenue")} value=${money(latest.revenue)} /><${Stat} label=${t("segments.churn")} value=${percent1(latest.churn)} /><${Stat} label=${t("segments.value")} value=${money(latest.value)} />`}
      </dl>
    <//>
    <${Card} title=${t("segments.profile")} note=${t("segments.profile_note")}>
      ${rows.length
        ? html`<${Figure} title=${segment.name} file=${`segment-${segment.id}-profile`} rows=${all} draw=${draw} height=${rows.length * 28 + 34}
            columns=${[{ key: "name", label: t("segments.feature") }, { key: "here", label: t("segments.here"), number: true, show: (row) => decimal(row.here) }, { key: "all", label: t("segments.all"), number: true, show: (row) => decimal(row.all) }, { key: "ratio", label: t("segments.ratio"), number: true, show: (row) => `${decimal(row.ratio)}×` }]} />`
        : html`<${Empty} title="–" />`}
    <//>
    <${Card} title=${t("segments.examples")}>
      <${Answer} of=${members} height=${300}>${(data) => html`
        <${Table} caption=${t("segments.examples")} rows=${data.customers} columns=${[{ key: "customer_id", label: t("customer"), show: (row) => html`<a href=${link("customer", row.customer_id)}>${row.customer_id}</a>` }]} />`}<//>
    <//>`;
}
