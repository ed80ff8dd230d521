// The frame around the pages: where to go, whom to look up, in which language and light.
import "./style.css";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { snapshot } from "./api.js";
import { moment, setShop } from "./format.js";
import { html } from "./html.js";
import { Audiences } from "./pages/audiences.js";
import { Customer } from "./pages/customer.js";
import { Data } from "./pages/data.js";
import { Models } from "./pages/models.js";
import { Predictions } from "./pages/predictions.js";
import { Results } from "./pages/results.js";
import { Segments } from "./pages/segments.js";
import { Today } from "./pages/today.js";
import { Failure } from "./parts.js";
import { link, useRoute } from "./route.js";
import { signIn, signOut, who } from "./signin.js";
import { LANGUAGES, language, setLanguage, t } from "./texts.js";

const PAGES = { today: Today, segments: Segments, customer: Customer, audiences: Audiences, results: Results, predictions: Predictions, models: Models, data: Data };
const kept = (name) => {
  try {
    return localStorage.getItem(`tessera.${name}`);
  } catch {
    return null;
  }
};
const keep = (name, value) => {
  try {
    localStorage.setItem(`tessera.${name}`, value);
  } catch {
    // A browser that keeps nothing goes on without.
  }
};
const dark = matchMedia("(prefers-color-scheme: dark)");

function shine(theme) {
  document.documentElement.dataset.theme = theme === "dark" || (theme === "auto" && dark.matches) ? "dark" : "light";
}

function App({ config }) {
  const route = useRoute();
  const [theme, setTheme] = useState(kept("theme") ?? "auto");
  const [tongue, setTongue] = useState(language());
  const asked = route.query.get("lang");
  if (asked in LANGUAGES && asked !== language()) setLanguage(asked);
  useEffect(() => {
    const follow = () => shine(theme);
    follow();
    dark.addEventListener("change", follow);
    return () => dark.removeEventListener("change", follow);
  }, [theme]);
  const page = route.page in PAGES ? route.page : "today";
  useEffect(() => {
    document.title = `${t(page)} · Tessera`;
  }, [page, tongue]);
  const Page = PAGES[page];
  return html`
    <a class="skip" href="#content" onClick=${skip}>${t("skip")}</a>
    <div class="frame" key=${tongue}>
      <nav class="main" aria-label=${t("pages")}>
        <div class="brand"><${Logo} />Tessera</div>
        ${Object.keys(PAGES).map((name) => html`<a href=${link(name)} aria-current=${name === page ? "page" : undefined}>${t(name)}</a>`)}
      </nav>
      <div class="content">
        <header class="bar">
          <${Search} />
          <div class="tools">
            <select aria-label=${t("language")} value=${language()} onChange=${(event) => {
              setLanguage(event.target.value);
              keep("language", event.target.value);
              setTongue(event.target.value);
            }}>${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} selected=${code === language()}>${name}</option>`)}</select>
            <select aria-label=${t("theme")} value=${theme} onChange=${(event) => {
              setTheme(event.target.value);
              keep("theme", event.target.value);
            }}>${["auto", "light", "dark"].map((name) => html`<option value=${name} selected=${name === theme}>${t(`theme_${name}`)}</option>`)}</select>
            ${config.sign_in && html`<button type="button" title=${who()} onClick=${() => signOut(config.sign_in)}>${t("sign_out")}</button>`}
          </div>
        </header>
        ${snapshot && html`<div class="banner" role="status">${t("snapshot", { at: moment(snapshot.at) })}</div>`}
        <main id="content" tabindex="-1">
          <header><h1>${t(page)}</h1><p>${t(`${page}.lead`)}</p></header>
          <${Page} route=${route} config=${config} key=${page} />
        </main>
      </div>
    </div>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("content").focus();
}

function Search() {
  const [id, setId] = useState("");
  const go = (event) => {
    event.preventDefault();
    if (id.trim()) location.hash = link("customer", id.trim()).slice(1);
  };
  return html`
    <form role="search" onSubmit=${go}>
      <input type="search" placeholder=${t("search")} aria-label=${t("search")} value=${id} maxlength="128" onInput=${(event) => setId(event.target.value)} />
    </form>`;
}

const Logo = () => html`
  <svg viewBox="0 0 16 16" aria-hidden="true"><path fill="var(--c1)" d="M1 1h6v6H1z" /><path fill="var(--c2)" d="M9 1h6v6H9z" /><path fill="var(--c3)" d="M1 9h6v6H1z" /><path fill="var(--c4)" d="M9 9h6v6H9z" /></svg>`;

async function start() {
  const place = document.getElementById("app");
  setLanguage(kept("language") ?? navigator.language.slice(0, 2));
  shine(kept("theme") ?? "auto");
  try {
    const config = snapshot?.config ?? (await (await fetch("./dashboard/config.json")).json());
    setShop(config);
    if (await signIn(config.sign_in)) render(html`<${App} config=${config} />`, place);
  } catch (error) {
    render(html`<main><h1>Tessera</h1><${Failure} error=${{ status: 0, code: "sign_in", message: error.message }} reload=${() => location.reload()} /></main>`, place);
  }
}

start();
