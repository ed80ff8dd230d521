// What decides, what did before, and the way back.
import { useState } from "preact/hooks";
import { call, useAnswer } from "../api.js";
import { ago, day, moment, whole, words } from "../format.js";
import { html } from "../html.js";
import { Act, Answer, Badge, Card, Confirm, Empty, Stat, Table } from "../parts.js";
import { t } from "../texts.js";

export function Models() {
  const models = useAnswer("/models");
  const [to, setTo] = useState(null);
  const [rolled, setRolled] = useState(null);
  return html`<${Answer} of=${models} height=${400}>${(data) => {
    if (!data.live) return html`<${Empty} title=${t("models.none")}>${t("models.none_do")}<//>`;
    const { live } = data;
    const rollBack = async () => {
      const answer = await call("POST", "/models/rollback", { to, from: live.bundle_id });
      setRolled(answer.bundle_id);
      models.reload();
    };
    return html`
      <div class="grid">
        <${Card} wide title=${t("models.live")} actions=${html`<${Badge} tone="good">${live.bundle_id}<//>`}>
          <dl class="stats">
            <${Stat} label=${t("models.when")} words value=${ago(live.published_at)} note=${moment(live.published_at)} />
            <${Stat} label=${t("models.trained")} words value=${day(live.as_of)} />
            <${Stat} label=${t("models.customers")} value=${whole(live.events?.customers)} note=${`${whole(live.events?.rows)} ${t("models.events")}`} />
            <${Stat} label=${t("models.algorithm")} words value=${live.algorithm ?? "–"} />
            <${Stat} label=${t("models.gate")} value=${live.forced ? "!" : "✓"} tone=${live.forced ? "warn" : "good"} note=${live.forced ? t("models.forced", { why: live.forced }) : t("models.passed")} />
          </dl>
          <p class="note">${t("models.gate_text")}</p>
          <${Table} caption=${t("models.targets")} rows=${Object.entries(live.targets).map(([name, one]) => ({ name, ...one }))} columns=${[
            { key: "name", label: t("models.targets"), show: (row) => words(row.name) }, { key: "model", label: t("today.model"), show: (row) => row.model ?? row.reason ?? "–" }, { key: "meaning", label: t("models.meaning") },
          ]} />
        <//>
        <${Card} wide title=${t("models.history")}>
          ${rolled && html`<p role="status"><${Badge} tone="good">✓<//> ${t("models.rolled", { to: rolled })}</p>`}
          <${Table} caption=${t("models.history")} rows=${data.published} columns=${[
            { key: "bundle_id", label: t("models.bundle"), show: (row) => html`${row.bundle_id} ${row.bundle_id === live.bundle_id && row.is_latest && html`<${Badge} tone="good">${t("models.live")}<//>`}` },
            { key: "published_at", label: t("models.when"), show: (row) => moment(row.published_at) },
            { key: "note", label: t("models.note"), show: (row) => (row.rolled_back_from ? t("models.rolled_from", { from: row.rolled_back_from }) : row.forced ? t("models.forced", { why: row.forced }) : "") },
            { key: "go", label: t("models.roll_back_title"), show: (row) => row.can_be_live && row.bundle_id !== live.bundle_id && html`<${Act} right="operate" onClick=${() => setTo(row.bundle_id)}>${t("models.roll_back")}<//>` },
          ]} />
        <//>
        <${Card} title=${t("models.challenger")}><${Empty} title=${t("models.no_challenger")}>${t("models.no_challenger_do")}<//><//>
        ${to && html`<${Confirm} title=${t("models.roll_back_title")} text=${t("models.roll_back_text", { to, from: live.bundle_id })} word=${to} go=${rollBack} onClose=${() => setTo(null)} />`}
      </div>`;
  }}<//>`;
}
