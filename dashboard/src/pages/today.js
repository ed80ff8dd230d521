// What a marketer looks at in the morning: who moved, who matters now, what to do, and whether all is well.
import { useEffect, useMemo, useState } from "preact/hooks";
import { call, useAnswer } from "../api.js";
import { bars, flows } from "../charts.js";
import { Figure, colourOf } from "../figure.js";
import { ago, money, percent, whole } from "../format.js";
import { html } from "../html.js";
import { FLOW_DAYS, summed, useReport } from "../insight.js";
import { Answer, Badge, Card, Empty, Failure, Stat, Table, Waiting } from "../parts.js";
import { link } from "../route.js";
import { t } from "../texts.js";

export function Today() {
  const catalogue = useAnswer("/segments");
  const health = useAnswer("/health");
  const models = useAnswer("/models");
  const report = useReport("flows");
  const segments = catalogue.data?.segments ?? [];
  const total = segments.reduce((sum, one) => sum + one.size, 0);
  const largest = segments.toSorted((a, b) => b.size - a.size)[0];
  const troubles = health.data ? health.data.alarms.length + given(health.data) : 0;
  const live = models.data?.live;
  if (models.data && !live) return html`<${Empty} title=${t("today.no_model")}>${t("today.no_model_do")}<//>`;
  return html`
    <dl class="stats">
      <${Stat} label=${t("today.customers")} value=${catalogue.data ? whole(total) : "…"} />
      <${Stat} label=${t("today.biggest")} words value=${largest?.name ?? "…"} note=${largest && total ? percent(largest.size / total) : ""} />
      ${health.data?.latest_event_at && html`<${Stat} label=${t("today.fresh")} words value=${ago(health.data.latest_event_at)} />`}
      <${Stat} label=${t("today.health")} tone=${troubles ? "bad" : "good"} value=${health.data ? (troubles ? "!" : "✓") : "…"} note=${health.data && t(troubles ? "today.unwell" : "today.well")} />
    </dl>
    <div class="grid">
      <${Leaving} live=${live} failed=${models.error} />
      <${Moved} report=${report} segments=${segments} of=${catalogue} />
      <${Health} of=${health} live=${live} />
    </div>`;
}

const given = (health) => health.queues.reduce((sum, one) => sum + one.given_up, 0);

// Who is about to leave and worth keeping, by the thresholds that the live model was given.
function Leaving({ live, failed }) {
  const churn = live?.thresholds.likely_to_churn;
  const value = live?.thresholds.high_value;
  const where = churn && value ? `churn_probability > ${round(churn)} and expected_ltv > ${round(value)}` : null;
  const [found, setFound] = useState({});
  useEffect(() => {
    if (where) call("POST", "/audiences/preview", { where }).then((data) => setFound({ data }), (error) => setFound({ error }));
  }, [where]);
  if (failed) return html`<${Card} wide title=${t("today.leaving")}><${Failure} error=${failed} /><//>`;
  if (live && !where) return html`<${Card} wide title=${t("today.leaving")}><${Empty} title=${t("today.no_predictions")}>${t("today.no_predictions_do")}<//><//>`;
  const { data } = found;
  const todo = live?.actions.likely_to_churn;
  return html`
    <${Card} wide title=${t("today.leaving")} actions=${where && html`<a href=${link("audiences", "", { where })}>${t("today.make_audience")}</a>`}
      note=${where && t("today.leaving_note", { churn: percent(round(churn)), value: money(round(value)), est: data ? (data.estimated ? t("today.estimated", { n: whole(data.of) }) : t("today.counted")) : "" })}>
      ${found.error ? html`<${Failure} error=${found.error} />` : !data ? html`<${Waiting} height=${220} />` : html`
        <div class="grid">
          <div class="stat third"><dl class="bare"><dt>${t("today.leaving")}</dt><dd>${whole(data.size)}</dd></dl><p>${t("of_customers", { n: whole(data.of) })}</p>
            ${todo && html`<h3>${t("today.what")}</h3><p><strong>${todo.title}</strong></p><p>${todo.description}</p>${todo.incentive && html`<p><${Badge}>${todo.incentive}<//></p>`}`}
          </div>
          <div class="rest">${data.examples.length
            ? html`<${Table} caption=${t("today.leaving")} rows=${data.examples} columns=${[
                { key: "customer_id", label: t("customer"), show: (row) => html`<a href=${link("customer", row.customer_id)}>${row.customer_id}</a>` },
                { key: "churn", label: t("segments.churn"), number: true, show: (row) => percent(row.values.churn_probability) },
                { key: "value", label: t("segments.value"), number: true, show: (row) => money(row.values.expected_ltv) },
              ]} />`
            : html`<${Empty} title=${t("today.nobody")} />`}</div>
        </div>`}
    <//>`;
}

const round = (value) => Number(value.toPrecision(2));

function Moved({ report, segments, of }) {
  const moves = useMemo(() => summed(report), [report]);
  const draw = useMemo(() => flows(moves, {}), [report]);
  const sizes = segments.map((one, i) => ({ ...one, colour: colourOf(i) })).sort((a, b) => b.size - a.size);
  const drawSizes = useMemo(() => bars(sizes, { label: "name", value: "size", colour: (row) => row.colour }), [of.data]);
  return html`
    <${Card}>
      <${Answer} of=${of} height=${240}>${() => html`
        <${Figure} title=${t("segments.sizes")} file="segments" rows=${sizes} draw=${drawSizes} height=${Math.max(200, sizes.length * 36)}
          columns=${[{ key: "name", label: t("segments.name") }, { key: "size", label: t("segments.size"), number: true, show: (row) => whole(row.size) }]} />`}<//>
    <//>
    <${Card} title=${t("today.moved")} note=${moves.length ? t("today.moved_note", { n: FLOW_DAYS }) : null}>
      ${moves.length
        ? html`<${Figure} title=${t("segments.flows")} file="flows" rows=${moves} draw=${draw} height=${260}
            columns=${[{ key: "from", label: t("segments.from") }, { key: "to", label: t("segments.to") }, { key: "value", label: t("segments.customers"), number: true }]} />`
        : html`<${Empty} title=${t("today.no_moves")}>${t("today.no_moves_do")}<//>`}
    <//>`;
}

function Health({ of, live }) {
  return html`
    <${Card} wide title=${t("today.health")}>
      <${Answer} of=${of} height=${140}>${(data) => html`
        ${data.alarms.map((one) => html`<p><${Badge} tone="bad">${t("today.alarm")}<//> <strong>${one.name}</strong> ${one.description}</p>`)}
        <dl class="stats">
          <${Stat} label=${t("today.model")} words value=${live?.bundle_id ?? "–"} note=${live?.published_at && ago(live.published_at)} />
          <${Stat} label=${t("today.waiting")} value=${whole(data.queues.reduce((sum, one) => sum + one.waiting, 0))} />
          <${Stat} label=${t("today.given_up")} value=${whole(given(data))} tone=${given(data) ? "bad" : ""} />
        </dl>`}<//>
    <//>`;
}
