// How good predictions are in validation, and whether they came true.
import { useMemo } from "preact/hooks";
import { useAnswer } from "../api.js";
import { calibration, lines } from "../charts.js";
import { Figure } from "../figure.js";
import { day, decimal, percent, percent1, whole, words } from "../format.js";
import { html } from "../html.js";
import { useReport } from "../insight.js";
import { Answer, Card, Choice, Empty, Stat, Table } from "../parts.js";
import { turn } from "../route.js";
import { t } from "../texts.js";

const FIGURES = { auc: ["auc", decimal], lift_at_10_percent: ["lift", decimal], brier: ["brier", decimal], base_rate: ["base", percent1], spearman: ["spearman", decimal], total_ratio: ["total", percent], mean_absolute_error: ["mae", decimal], qini: ["qini", decimal], effect: ["effect", percent1], rows: ["rows", whole] };

const SHOWN = 6;

export function Predictions({ route }) {
  const models = useAnswer("/models");
  return html`<${Answer} of=${models} height=${400}>${({ live, recommender }) => (live ? html`<${Live} live=${live} recommender=${recommender} route=${route} />` : html`<${Empty} title=${t("predictions.none")}>${t("predictions.none_do")}<//>`)}<//>`;
}

function Live({ live, recommender, route }) {
  const report = useReport("calibration");
  const names = Object.keys(live.targets);
  const name = names.includes(route.query.get("target")) ? route.query.get("target") : names[0];
  const target = live.targets[name];
  return html`
    <div class="grid">
      <${Card} wide title=${words(name)} note=${target.meaning} actions=${html`<${Choice} label=${t("models.targets")} value=${name} options=${names.map((one) => [one, words(one)])} onChange=${(value) => turn({ target: value })} />`}>
        ${target.trained === false
          ? html`<${Empty} title=${t("predictions.left_out", { why: target.reason ?? "" })} />`
          : html`<dl class="stats">${Object.entries(FIGURES).filter(([key]) => target.metrics?.[key] !== undefined).map(([key, [label, show]]) => html`<${Stat} label=${t(`predictions.${label}`)} value=${show(target.metrics[key])} />`)}</dl>
            <p class="note">${target.model}; ${t("predictions.horizon", { n: target.horizon_days })}</p>`}
      <//>
      <${CameTrue} report=${report?.[name]} days=${target.horizon_days ?? 30} />
      <${OverTime} target=${target} route=${route} />
      <${Thresholds} target=${target} />
      <${AsInTraining} target=${name} />
      ${recommender?.evaluation && html`<${Recommended} of=${recommender.evaluation} />`}
    </div>`;
}

function CameTrue({ report, days }) {
  const rows = report?.bins ?? [];
  const draw = useMemo(() => calibration(rows, { said: "said", came: "came_true" }), [report]);
  return html`
    <${Card} title=${t("predictions.came_true")} note=${rows.length ? t("predictions.came_true_note", { at: day(report.said_on) }) : null}>
      ${rows.length
        ? html`<${Figure} title=${t("predictions.came_true")} file="calibration" rows=${rows} draw=${draw} height=${280}
            columns=${[{ key: "said", label: t("predictions.said"), number: true, show: (row) => percent1(row.said) }, { key: "came_true", label: t("predictions.came"), number: true, show: (row) => percent1(row.came_true) }, { key: "customers", label: t("segments.customers"), number: true }]} />`
        : html`<${Empty} title=${t("predictions.not_yet")}>${t("predictions.not_yet_do", { n: days })}<//>`}
    <//>`;
}

function OverTime({ target, route }) {
  const cutoffs = Object.entries(target.validation?.cutoffs ?? {}).map(([date, figures]) => ({ date, ...figures })).reverse();
  const possible = Object.keys(FIGURES).filter((key) => key !== "rows" && cutoffs.some((one) => one[key] !== undefined));
  const key = possible.includes(route.query.get("figure")) ? route.query.get("figure") : possible[0];
  const draw = useMemo(() => key && lines(cutoffs.map((one) => ({ ...one, name: t(`predictions.${FIGURES[key][0]}`) })), { series: "name", value: key, show: FIGURES[key][1], zero: false }), [target, key]);
  if (!key) return null;
  return html`
    <${Card} title=${t("predictions.over_time")} actions=${html`<${Choice} label=${t("predictions.measure")} value=${key} options=${possible.map((one) => [one, t(`predictions.${FIGURES[one][0]}`)])} onChange=${(value) => turn({ figure: value })} />`}>
      <${Figure} title=${t(`predictions.${FIGURES[key][0]}`)} file="validation" rows=${cutoffs} draw=${draw} height=${280}
        columns=${[{ key: "date", label: t("predictions.cutoff"), show: (row) => day(row.date) }, ...[...possible, "rows"].map((one) => ({ key: one, label: t(`predictions.${FIGURES[one][0]}`), number: true, show: (row) => FIGURES[one][1](row[one]) }))]} />
    <//>`;
}

function AsInTraining({ target }) {
  const report = useReport("drift");
  const rows = report?.measures.slice(0, Math.max(SHOWN, report.drifted.length)) ?? [];
  const own = report?.predictions.find((one) => one.target === target);
  return html`
    <${Card} title=${t("drift.title")} note=${report && t("drift.note", { at: day(report.as_of) })}>
      ${rows.length
        ? html`<p>${t(report.drifted.length ? "drift.drifted" : "drift.steady", { n: report.drifted.length })}</p>
            ${own && html`<dl class="stats"><${Stat} label=${t("drift.expected")} value=${decimal(own.expected.auc)} /><${Stat} label=${t("drift.real")} value=${decimal(own.came_true?.auc)} /></dl>`}
            <${Table} caption=${t("drift.title")} rows=${rows} columns=${[
              { key: "name", label: t("drift.measure"), show: (row) => words(row.name.replace("/", ": ")) },
              { key: "index", label: t("drift.index"), number: true, show: (row) => decimal(row.index) },
              { key: "natural", label: t("drift.natural"), number: true, show: (row) => decimal(row.natural) },
              { key: "is_drift", label: t("drift.moved"), show: (row) => t(row.is_drift ? "drift.yes" : "drift.no") },
            ]} />`
        : html`<${Empty} title=${t("drift.none")}>${t("drift.none_do")}<//>`}
    <//>`;
}

function Thresholds({ target }) {
  const rows = Object.entries(target.thresholds ?? {}).map(([name, one]) => ({ name, ...one }));
  if (!rows.length) return null;
  return html`
    <${Card} title=${t("customer.intent")}>
      <${Table} caption=${t("customer.intent")} rows=${rows} columns=${[
        { key: "name", label: t("customer.intent"), show: (row) => words(row.name) },
        { key: "value", label: ">", number: true, show: (row) => decimal(row.value) },
        { key: "share", label: t("segments.share"), number: true, show: (row) => percent1(row.share) },
        { key: "precision", label: t("predictions.precision"), number: true, show: (row) => percent(row.precision) },
        { key: "recall", label: t("predictions.recall"), number: true, show: (row) => percent(row.recall) },
      ]} />
    <//>`;
}

// How many of ten recommended products were bought on days that training did not see, beside what anybody could show.
function Recommended({ of }) {
  const figure = (values, show) => (values ? `${show(values[0])} (${show(values[1])}–${show(values[2])})` : "–");
  return ["all", "new"].filter((kind) => of[kind].customers).map((kind) => html`
    <${Card} title=${t(`predictions.recommended_${kind}`)} note=${t("predictions.recommended_note", { n: whole(of[kind].customers), from: day(of.from), to: day(of.to) })}>
      <${Table} caption=${t(`predictions.recommended_${kind}`)} rows=${Object.keys(of[kind].hit_at_10).map((name) => ({ name }))} columns=${[
        { key: "name", label: t("predictions.by") },
        { key: "hit", label: "hit@10", number: true, show: (row) => figure(of[kind].hit_at_10[row.name], percent1) },
        { key: "precision", label: "precision@10", number: true, show: (row) => figure(of[kind].precision_at_10[row.name], percent1) },
      ]} />
    <//>`);
}
