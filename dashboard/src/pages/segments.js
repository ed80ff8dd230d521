// Who customers are by what they do: sizes, flows, profiles, and examples.
import { useEffect, useMemo, useState } from "preact/hooks";
import { call, useAnswer } from "../api.js";
import { bars, beside, flows, lines } from "../charts.js";
import { Figure, colourOf } from "../figure.js";
import { decimal, money, percent, percent1, whole, words } from "../format.js";
import { html } from "../html.js";
import { FLOW_DAYS, summed, useReport } from "../insight.js";
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
      <${One} segment=${chosen} segments=${segments} total=${total} key=${chosen.id} />
      <${OverTime} segments=${segments} route=${route} />
      <${Flows} segments=${segments} />
      <${Demand} segment=${chosen} />
    </div>`;
}

// What reports tell over time: from which, by which name of the time, and what of a row.
const MEASURES = {
  size: { report: "sizes", rows: "days", time: "day", of: (row) => row.customers, show: whole },
  revenue: { report: "revenue", rows: "weeks", time: "week", of: (row) => row.revenue, show: money },
  orders: { report: "revenue", rows: "weeks", time: "week", of: (row) => row.orders, show: whole },
  retention: { report: "retention", rows: "months", time: "month", of: (row) => (row.customers ? row.again / row.customers : 0), show: percent1 },
};

function OverTime({ segments, route }) {
  const asked = route.query.get("measure");
  const measure = asked in MEASURES ? asked : "size";
  const { rows: part, time, of, show, report: name } = MEASURES[measure];
  const report = useReport(name);
  const rows = useMemo(() => (report?.[part] ?? []).map((row) => ({ date: row[time], name: row.segment ?? t("segments.newcomers"), value: of(row) })), [report, measure]);
  const colours = Object.fromEntries(segments.map((one, i) => [one.name, colourOf(i)]));
  const draw = useMemo(() => lines(rows, { series: "name", value: "value", show, colours }), [rows]);
  return html`
    <${Card} title=${t("segments.over_time")} note=${measure === "retention" && t("segments.retention_note")} actions=${html`<${Choice} label=${t("segments.measure")} value=${measure} onChange=${(value) => turn({ measure: value })} options=${Object.keys(MEASURES).map((key) => [key, t(`segments.${key}`)])} />`}>
      ${rows.length
        ? html`<${Figure} title=${t(`segments.${measure}`)} file=${`segments-${measure}`} rows=${rows} draw=${draw} height=${280}
            columns=${[{ key: "date", label: t("segments.date") }, { key: "name", label: t("segments.name") }, { key: "value", label: t(`segments.${measure}`), number: true, show: (row) => show(row.value) }]} />`
        : html`<${Empty} title=${t("segments.no_history")}>${t("segments.no_history_do")}<//>`}
    <//>`;
}

function Flows({ segments }) {
  const report = useReport("flows");
  const moves = useMemo(() => summed(report), [report]);
  const colours = Object.fromEntries(segments.map((one, i) => [one.name, colourOf(i)]));
  const draw = useMemo(() => flows(moves, { colours }), [moves]);
  return html`
    <${Card} title=${t("segments.flows")} note=${moves.length ? t("segments.flows_note", { n: FLOW_DAYS }) : null}>
      ${moves.length
        ? html`<${Figure} title=${t("segments.flows")} file="flows" rows=${moves} draw=${draw} height=${300}
            columns=${[{ key: "from", label: t("segments.from") }, { key: "to", label: t("segments.to") }, { key: "value", label: t("segments.customers"), number: true }]} />`
        : html`<${Empty} title=${t("today.no_moves")}>${t("today.no_moves_do")}<//>`}
    <//>`;
}

// What a segment is likely to buy, for buyers and stock.
function Demand({ segment }) {
  const report = useReport("demand");
  const lines = report?.lines;
  const rows = useMemo(() => (lines?.demand ?? []).filter((row) => row.segment === segment.name).sort((a, b) => b.a_week - a.a_week), [report, segment]);
  const shown = rows.slice(0, SHOWN);
  const draw = useMemo(() => bars(shown, { label: "category", value: "a_week" }), [rows]);
  if (!rows.length) return null;
  return html`
    <${Card} wide title=${`${t("segments.demand")}: ${segment.name}`} note=${t("segments.demand_note", { error: percent(lines.errors[lines.method].weighted_percentage), method: t(`segments.${lines.method}`) })}>
      <${Figure} title=${t("segments.demand")} file="demand" rows=${rows} draw=${draw} height=${Math.max(80, shown.length * 30)}
        columns=${[{ key: "category", label: t("segments.category") }, { key: "a_week", label: t("segments.forecast"), number: true, show: (row) => whole(row.a_week) }, { key: "last_week", label: t("segments.last_week"), number: true, show: (row) => whole(row.last_week) }, { key: "error", label: t("segments.error"), number: true, show: (row) => percent(row.error) }]} />
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

// Of a sample of its members: what is predicted of them on the average, and some of them. A prediction is asked for by
// a condition that is always true.
function useMembers(segment) {
  const models = useAnswer("/models");
  const [state, setState] = useState({});
  const outputs = models.data?.live && predicted(models.data.live);
  const where = outputs && [`segment = ${segment.id}`, ...outputs.map((one) => `(${one} is null or ${one} is not null)`)].join(" and ");
  useEffect(() => {
    if (where) call("POST", "/audiences/preview", { where }).then((data) => setState({ data }), (error) => setState({ error }));
  }, [where]);
  return { ...state, outputs: outputs ?? [] };
}

const USUAL = { churn: "churn_probability", conversion: "conversion_probability", ltv: "expected_ltv" };
const LABELS = { churn_probability: "segments.churn", conversion_probability: "customer.conversion", expected_ltv: "segments.value" };

// What the live model predicts, by the names that rules know.
const predicted = (live) => Object.entries(live.targets).filter(([, one]) => one.trained !== false).map(([name, one]) => one.output ?? USUAL[name]).filter(Boolean);
const labelOf = (output) => (LABELS[output] ? t(LABELS[output]) : words(output));
const shownAs = (output) => (output.endsWith("_probability") ? percent1 : output === "expected_ltv" ? money : decimal);

function One({ segment, segments, total }) {
  const members = useMembers(segment);
  const all = useMemo(() => setApart(segment, segments), [segment, segments]);
  const rows = all.slice(0, SHOWN);
  const draw = useMemo(() => beside(rows, { label: "label", ratio: "ratio", show: (row) => `${decimal(row.ratio)}×` }), [segment]);
  const means = members.data?.means ?? {};
  return html`
    <${Card} wide title=${segment.name} note=${segment.description}>
      <dl class="stats">
        <${Stat} label=${t("segments.size")} value=${whole(segment.size)} note=${`${t("segments.share")} ${percent1(total ? segment.size / total : 0)}`} />
        ${members.outputs.map((one) => html`<${Stat} label=${labelOf(one)} value=${members.data ? shownAs(one)(means[one]) : "…"} note=${t("segments.mean")} />`)}
      </dl>
    <//>
    <${Card} title=${t("segments.profile")} note=${t("segments.profile_note")}>
      ${rows.length
        ? html`<${Figure} title=${segment.name} file=${`segment-${segment.id}-profile`} rows=${all} draw=${draw} height=${rows.length * 28 + 34}
            columns=${[{ key: "name", label: t("segments.feature") }, { key: "here", label: t("segments.here"), number: true, show: (row) => decimal(row.here) }, { key: "all", label: t("segments.all"), number: true, show: (row) => decimal(row.all) }, { key: "ratio", label: t("segments.ratio"), number: true, show: (row) => `${decimal(row.ratio)}×` }]} />`
        : html`<${Empty} title=${t("segments.alike")} />`}
    <//>
    <${Card} title=${t("segments.examples")}>
      <${Answer} of=${members} height=${340}>${(data) =>
        data.examples.length
          ? html`<${Table} caption=${t("segments.examples")} rows=${data.examples} columns=${[
              { key: "customer_id", label: t("customer"), show: (row) => html`<a href=${link("customer", row.customer_id)}>${row.customer_id}</a>` },
              ...members.outputs.map((one) => ({ key: one, label: labelOf(one), number: true, show: (row) => shownAs(one)(row.values[one]) })),
            ]} />`
          : html`<${Empty} title=${t("segments.nobody")} />`}<//>
    <//>`;
}
