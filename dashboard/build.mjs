// Bundles src/ into functions/serve_dashboard/page/: `npm ci && npm run build` makes the committed files again, byte for byte.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const PAGE = new URL("../functions/serve_dashboard/page/", import.meta.url).pathname;
const HERE = new URL("./", import.meta.url).pathname;
const SOURCES = ["build.mjs", "package.json", "package-lock.json", "src"];

// Plot writes a <style> into every picture, which a strict content security policy forbids: style.css has the rules instead.
const withoutInlineStyles = {
  name: "without-inline-styles",
  setup(bundler) {
    bundler.onLoad({ filter: /@observablehq\/plot\/src\/(plot|legends\/ramp)\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const contents = text.replace(/svg\.append\("style"\)\.text\(\s*`[^`]*`\s*\)/, "svg");
      if (contents === text) throw new Error(`${path} writes no <style> any more: look at it again`);
      return { contents, loader: "js" };
    });
  },
};

// Nothing here is drawn on a map, and what projects maps is a tenth of the page.
const withoutMaps = {
  name: "without-maps",
  setup(bundler) {
    bundler.onLoad({ filter: /@observablehq\/plot\/src\/projection\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const contents = text.replace(/import \{([^}]*)\} from "d3";/, (_, names) => {
        const others = names.split(",").map((name) => name.trim()).filter((name) => name && name !== "geoTransform");
        return `import { geoTransform } from "d3"; const { ${others.join(", ")} } = {};`;
      });
      if (contents === text) throw new Error(`${path} imports no projections any more: look at it again`);
      return { contents, loader: "js" };
    });
  },
};

async function sources(path) {
  const full = join(HERE, path);
  const entries = await readdir(full, { withFileTypes: true }).catch(() => null);
  if (!entries) return [path];
  const names = entries.map((entry) => entry.name).sort();
  return (await Promise.all(names.map((name) => sources(`${path}/${name}`)))).flat();
}

// Of the sources, so that a test without node sees when they were not bundled anew (tests/dashboard/test_bundle.py).
async function hashOfSources() {
  const hash = createHash("sha256");
  for (const path of (await Promise.all(SOURCES.map(sources))).flat()) {
    hash.update(`${path}\n`).update(await readFile(join(HERE, path)));
  }
  return hash.digest("hex");
}

// Texts are the same in all languages: one that is missing would show its key.
async function checkTexts() {
  globalThis.document ??= { documentElement: {} };
  const { TEXTS } = await import("./src/texts.js");
  const [first, ...others] = Object.entries(TEXTS).map(([code, texts]) => [code, Object.keys(texts)]);
  for (const [code, keys] of others) {
    const lacking = [...first[1].filter((key) => !keys.includes(key)), ...keys.filter((key) => !first[1].includes(key))];
    if (lacking.length) throw new Error(`${first[0]} and ${code} differ in ${lacking.join(", ")}`);
  }
}

await checkTexts();
await rm(PAGE, { recursive: true, force: true });
await mkdir(PAGE, { recursive: true });
const { outputFiles } = await build({
  entryPoints: [join(HERE, "src/app.js")],
  outdir: PAGE,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  legalComments: "eof",
  charset: "utf8",
  write: false,
  plugins: [withoutInlineStyles, withoutMaps],
  // d3-sankey asks for older ones of these, which would come beside those of Plot.
  alias: { "d3-array": join(HERE, "node_modules/d3-array"), "d3-shape": join(HERE, "node_modules/d3-shape") },
});
const versions = {};
for (const file of outputFiles) {
  const name = file.path.slice(PAGE.length);
  versions[name] = createHash("sha256").update(file.contents).digest("hex").slice(0, 12);
  await writeFile(file.path, file.contents);
}
const html = (await readFile(join(HERE, "src/index.html"), "utf8"))
  .replace("app.js", `app.js?${versions["app.js"]}`)
  .replace("app.css", `app.css?${versions["app.css"]}`);
await writeFile(join(PAGE, "index.html"), html);
await writeFile(join(PAGE, "sources.sha256"), `${await hashOfSources()}\n`);
