// What comes in, what is refused and why, and what waits.
import { useMemo, useState } from "preact/hooks";
import { snapshot, useAnswer } from "../api.js";
import { bars, lines } from "../charts.js";
import { Figure } from "../figure.js";
import { ago, moment, short, whole } from "../format.js";
import { html } from "../html.js";
import { Act, Answer, Badge, Card, Choice, Empty, Stat, Table } from "../parts.js";
import { turn } from "../route.js";
import { t } from "../texts.js";

const KINDS = ["counted", "refused", "repeated", "late", "forgotten"];

export function Data({ route }) {
  const health = useAnswer("/health");
  const quarantine = useAnswer("/quarantine");
  return html`
    <${Answer} of=${health} height=${360}>${(data) => html`<${Intake} data=${data} />`}<//>
    <div class="grid"><${Quarantine} of=${quarantine} route=${route} /></div>`;
}

function Intake({ data }) {
  const rows = data.events.map((one) => ({ ...one, name: t(`data.${one.kind}`) }));
  const draw = useMemo(() => lines(rows, { series: "name", value: "count", show: short, x: "at" }), [data]);
  const total = (kind) => rows.filter((one) => one.kind === kind).reduce((sum, one) => sum + one.count, 0);
  return html`
    <dl class="stats">
      ${data.latest_event_at && html`<${Stat} label=${t("today.fresh")} words value=${ago(data.latest_event_at)} />`}
      ${rows.length > 0 && KINDS.map((kind) => html`<${Stat} label=${t(`data.${kind}`)} value=${whole(total(kind))} note=${t("data.day")} />`)}
    </dl>
    <div class="grid">
      <${Card} title=${rows.length ? null : t("data.events")}>
        ${rows.length
          ? html`<${Figure} title=${t("data.events")} file="events" rows=${rows} draw=${draw} height=${260}
              columns=${[{ key: "at", label: t("data.time"), show: (row) => `${moment(row.at)}` }, { key: "name", label: t("data.kind") }, { key: "count", label: t("customer.count"), number: true, show: (row) => whole(row.count) }]} />`
          : html`<${Empty} title=${t("data.no_events")}>${t("data.no_events_do")}<//>`}
      <//>
      <${Card} title=${t("data.queues")}>
        <${Table} caption=${t("data.queues")} rows=${data.queues} columns=${[
          { key: "name", label: t("data.queue"), show: (row) => t(`data.${row.name}`, {}, row.name) },
          { key: "waiting", label: t("data.waiting"), number: true, show: (row) => whole(row.waiting) },
          { key: "given_up", label: t("today.given_up"), number: true, show: (row) => html`<${Badge} tone=${row.given_up ? "bad" : "good"}>${whole(row.given_up)}<//>` },
        ]} />
      <//>
    </div>`;
}

function Quarantine({ of, route }) {
  const reasons = of.data?.reasons ?? [];
  const draw = useMemo(() => bars(reasons.slice(0, 10), { label: "reason", value: "lines" }), [of.data]);
  const chosen = route.query.get("reason") ?? "";
  return html`
    <${Card} wide title=${t("data.quarantine")} note=${of.data?.complete === false ? t("data.some", { n: of.data.examined }) : null}>
      <${Answer} of=${of} height=${240}>${() =>
        reasons.length
          ? html`<${Figure} title=${t("data.quarantine")} file="quarantine" rows=${reasons} draw=${draw} height=${Math.max(80, Math.min(10, reasons.length) * 34)}
                columns=${[{ key: "reason", label: t("data.reason") }, { key: "lines", label: t("data.lines"), number: true, show: (row) => whole(row.lines) }]} />
              <p><${Choice} label=${t("data.reason")} value=${chosen} options=${[["", t("data.all_reasons")], ...reasons.map((one) => [one.reason, one.reason])]} onChange=${(value) => turn({ reason: value })} /></p>
              <${Lines} reason=${chosen} />`
          : html`<${Empty} title=${t("data.none")} />`}<//>
    <//>`;
}

// The lines themselves may name anybody: operators alone see them, and only once they ask.
function Lines({ reason }) {
  const [asked, setAsked] = useState(Boolean(snapshot));
  const lines = useAnswer(asked ? "/quarantine/lines" : null);
  if (!asked) return html`<div class="row"><${Act} right="operate" onClick=${() => setAsked(true)}>${t("data.show_lines")}<//></div>`;
  return html`<${Answer} of=${lines} height=${160}>${(data) => html`
    <${Table} caption=${t("data.lines")} rows=${data.lines.filter((one) => !reason || one.group === reason)} columns=${[
      { key: "source", label: t("data.source") }, { key: "line", label: t("data.line"), number: true, show: (row) => row.line ?? "–" }, { key: "reason", label: t("data.reason") },
      { key: "original", label: t("data.original"), show: (row) => html`<pre>${row.original}</pre>` },
    ]} />`}<//>`;
}
