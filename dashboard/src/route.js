// Where the reader is: everything that a link has to restore stands in the address, behind its #.
import { useEffect, useState } from "preact/hooks";

export function read(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { page: parts[0] || "today", name: parts.slice(1).join("/"), query: new URLSearchParams(query) };
}

export function link(page, name, query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#/${page}${name ? `/${encodeURIComponent(name)}` : ""}${text && `?${text}`}`;
}

// Changes the view without a step of its own in the history of the browser.
export function turn(changes) {
  const { page, name, query } = read();
  history.replaceState(null, "", link(page, name, { ...Object.fromEntries(query), ...changes }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const follow = () => setRoute(read());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}
