// Audiences: what there is, a builder with a live count, publishing, removing, and the history of versions.
import { useEffect, useRef, useState } from "preact/hooks";
import { call, useAnswer } from "../api.js";
import { decimal, moment, percent1, whole, words } from "../format.js";
import { html } from "../html.js";
import { Act, Answer, Badge, Card, Choice, Confirm, Empty, Failure, Table } from "../parts.js";
import { link, turn } from "../route.js";
import { OPERATORS, read, write } from "../rules.js";
import { t } from "../texts.js";

const WAIT_MS = 500;

export function Audiences({ route }) {
  const audiences = useAnswer("/audiences");
  return html`<${Answer} of=${audiences} height=${300}>${(data) => html`<${All} data=${data} reload=${audiences.reload} route=${route} />`}<//>`;
}

function All({ data, reload, route }) {
  const chosen = data.audiences.find((one) => one.key === route.name);
  const history = useAnswer("/audiences/versions");
  return html`
    <div class="grid">
      <${Card} wide title=${t("audiences")}>
        ${data.audiences.length
          ? html`<${Table} caption=${t("audiences")} rows=${data.audiences} columns=${[
              { key: "name", label: t("audiences.name"), show: (row) => html`<a href=${link("audiences", row.key)}>${row.name ?? row.key}</a>` },
              { key: "size", label: t("audiences.size"), number: true, show: (row) => whole(row.size) },
              { key: "where", label: t("audiences.rule"), show: (row) => html`<span class="rule">${row.where}</span>` },
              { key: "holdout", label: t("audiences.holdout"), number: true, show: (row) => percent1(row.holdout) },
              { key: "destinations", label: t("data.destinations"), show: (row) => row.destinations.map((one) => html`<${Badge}>${one}<//> `) },
              { key: "version", label: t("audiences.version"), number: true },
            ]} />`
          : html`<${Empty} title=${t("audiences.none")}>${t("audiences.none_do")}<//>`}
      <//>
      <${Editor} audience=${chosen} where=${chosen?.where ?? route.query.get("where") ?? ""} done=${() => { reload(); history.reload(); }} key=${chosen?.key ?? "new"} />
      ${chosen && html`<${Members} of=${chosen} />`}
      <${Card} wide=${!chosen} title=${t("audiences.history")}>
        <${Answer} of=${history} height=${160}>${({ versions }) =>
          versions.length
            ? html`<${Table} caption=${t("audiences.history")} rows=${versions} columns=${[
                { key: "version", label: t("audiences.version"), number: true },
                { key: "at", label: t("customer.when"), show: (row) => moment(row.at) },
                { key: "by", label: t("audiences.by") },
                { key: "why", label: t("customer.why") },
                { key: "changed", label: t("audiences.changed"), show: (row) => row.changed.map((one) => html`<${Badge} tone=${{ added: "good", removed: "bad" }[one.how]}>${one.key}: ${t(`audiences.${one.how}`)}<//> `) },
              ]} />`
            : html`<${Empty} title=${t("audiences.no_history")} />`}<//>
      <//>
    </div>`;
}

function Members({ of }) {
  const members = useAnswer(`/audiences/${encodeURIComponent(of.key)}/customers?limit=25`);
  return html`
    <${Card} title=${t("audiences.members")} note=${t("of_customers", { n: whole(of.size) })}>
      <${Answer} of=${members} height=${200}>${(data) =>
        data.customers.length
          ? html`<${Table} caption=${t("audiences.members")} rows=${data.customers} columns=${[{ key: "customer_id", label: t("customer"), show: (row) => html`<a href=${link("customer", row.customer_id)}>${row.customer_id}</a>` }]} />`
          : html`<${Empty} title="0" />`}<//>
    <//>`;
}

function Editor({ audience, where: given, done }) {
  const [where, setWhere] = useState(given);
  const [published, setPublished] = useState(null);
  const [failed, setFailed] = useState(null);
  const [removing, setRemoving] = useState(false);
  const form = useRef(null);
  const preview = usePreview(where);
  const edit = (text) => {
    setWhere(text);
    if (!audience) turn({ where: text });
  };
  const publish = async () => {
    const fields = new FormData(form.current);
    const text = (name) => String(fields.get(name) ?? "").trim();
    const definition = {
      where, name: text("name") || null, holdout: Number(text("holdout") || 0), action: text("action") || null,
      destinations: text("destinations").split(",").map((one) => one.trim()).filter(Boolean), why: text("why"),
    };
    if (audience?.offer) definition.offer = audience.offer;
    try {
      setFailed(null);
      const key = audience?.key ?? text("key");
      setPublished(await call("PUT", `/audiences/${encodeURIComponent(key)}`, definition));
      done();
    } catch (error) {
      setFailed(error);
    }
  };
  const remove = async () => {
    await call("DELETE", `/audiences/${encodeURIComponent(audience.key)}`);
    location.hash = link("audiences").slice(1);
    done();
  };
  return html`
    <${Card} wide title=${audience ? t("audiences.edit", { key: audience.key }) : t("audiences.new")} actions=${audience && html`<a href=${link("audiences")}>${t("audiences.cancel")}</a>`}>
      <div class="grid">
        <div class="half">
          <${Builder} where=${where} onChange=${edit} />
          <label class="full">${t("audiences.rule")}<textarea class="rule" spellcheck="false" maxlength="4000" value=${where} onInput=${(event) => edit(event.target.value)}></textarea></label>
          <form ref=${form} onSubmit=${(event) => event.preventDefault()} class="fields">
            ${!audience && html`<label>${t("audiences.key")}<input name="key" pattern="[a-z][a-z0-9_]*" maxlength="64" /></label>`}
            <label>${t("audiences.name")}<input name="name" maxlength="200" value=${audience?.name ?? ""} /></label>
            <label>${t("audiences.holdout")}<input name="holdout" type="number" min="0" max="1" step="0.01" value=${audience?.holdout ?? 0.1} /></label>
            <label>${t("audiences.action")}<input name="action" value=${audience?.action ?? ""} /></label>
            <label>${t("audiences.destinations")}<input name="destinations" value=${audience?.destinations.join(", ") ?? ""} /></label>
            <label>${t("audiences.why")}<input name="why" maxlength="200" /></label>
          </form>
          ${failed && html`<${Failure} error=${failed} />`}
          ${published && html`<p role="status"><${Badge} tone="good">✓<//> ${t("audiences.published", published)}</p>`}
          <div class="row">
            <${Act} right="publish" tone="first" onClick=${publish}>${t("audiences.publish")}<//>
            ${audience && html`<${Act} right="publish" tone="danger" onClick=${() => setRemoving(true)}>${t("audiences.remove", audience)}<//>`}
          </div>
        </div>
        <div class="half" aria-live="polite"><${Preview} of=${preview} /></div>
      </div>
      ${removing && html`<${Confirm} title=${t("audiences.remove", audience)} text=${t("audiences.remove_text", { n: whole(audience.size) })} go=${remove} onClose=${() => setRemoving(false)} />`}
    <//>`;
}

// How many a rule holds of, asked for once nobody has typed for a moment.
function usePreview(where) {
  const [state, setState] = useState({});
  useEffect(() => {
    if (!where.trim()) {
      setState({});
      return undefined;
    }
    let over = false;
    const timer = setTimeout(() => {
      call("POST", "/audiences/preview", { where }).then((data) => !over && setState({ data }), (error) => !over && setState({ error }));
    }, WAIT_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [where]);
  return state;
}

function Preview({ of: { data, error } }) {
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Empty} title=${t("audiences.typing")} />`;
  const asked = [...new Set(data.examples.flatMap((one) => Object.keys(one.values)))];
  const show = (value) => (typeof value === "number" ? decimal(value) : (value ?? "–"));
  return html`
    <p class="count">${t(data.estimated ? "audiences.about" : "audiences.count", { n: whole(data.size), of: whole(data.of) })} <${Badge}>${percent1(data.share)}<//></p>
    ${data.examples.length > 0 && html`<${Table} caption=${t("audiences.examples")} rows=${data.examples} columns=${[
      { key: "customer_id", label: t("customer"), show: (row) => html`<a href=${link("customer", row.customer_id)}>${row.customer_id}</a>` },
      ...asked.map((name) => ({ key: name, label: words(name), number: true, show: (row) => show(row.values[name]) })),
    ]} />`}`;
}

function Builder({ where, onChange }) {
  const models = useAnswer("/models");
  const rule = read(where);
  if (!rule) return html`<p class="note">${t("audiences.by_hand")}</p>`;
  const rows = rule.rows.length ? rule.rows : [{ field: "", operator: ">", value: "" }];
  const change = (i, part) => onChange(write({ ...rule, rows: rows.map((row, j) => (i === j ? { ...row, ...part } : row)) }));
  const known = Object.keys(models.data?.features ?? {});
  const own = Object.values(models.data?.live?.targets ?? {}).map((one) => one.output).filter(Boolean);
  const add = () => onChange(write({ ...rule, rows: [...rule.rows, { field: "churn_probability", operator: ">", value: "0.5" }] }));
  return html`
    <fieldset class="conditions">
      <legend>${t("audiences.builder")}</legend>
      <datalist id="fields">${[...new Set(["churn_probability", "conversion_probability", "expected_ltv", ...own, "segment", "intent", "margin", ...known])].map((name) => html`<option value=${name}>${models.data?.features?.[name]?.meaning ?? ""}</option>`)}</datalist>
      ${rule.rows.length > 1 && html`<${Choice} label=${t("audiences.match")} value=${rule.joined} options=${[["and", t("audiences.all_of")], ["or", t("audiences.any_of")]]} onChange=${(joined) => onChange(write({ ...rule, joined }))} />`}
      ${rule.rows.map((row, i) => html`
        <div class="row" key=${i}>
          <input list="fields" aria-label=${t("audiences.field")} value=${row.field} onChange=${(event) => /^[A-Za-z_][\w.]*$/.test(event.target.value) && change(i, { field: event.target.value })} />
          <select aria-label=${t("audiences.operator")} value=${row.operator} onChange=${(event) => change(i, { operator: event.target.value })}>${OPERATORS.map((one) => html`<option selected=${one === row.operator}>${one}</option>`)}</select>
          ${!row.operator.startsWith("is") && html`<input aria-label=${t("audiences.value")} value=${row.value} onChange=${(event) => change(i, { value: event.target.value })} />`}
          <button type="button" aria-label=${t("audiences.remove_condition")} onClick=${() => onChange(write({ ...rule, rows: rows.filter((_, j) => j !== i) }))}>×</button>
        </div>`)}
      <div><button type="button" onClick=${add}>+ ${t("audiences.add")}</button></div>
    </fieldset>`;
}
