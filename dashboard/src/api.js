// The stack's own API, beside which this page is served; or, in a page that was saved, the answers saved with it.
import { useEffect, useState } from "preact/hooks";
import { token } from "./signin.js";

const saved = document.getElementById("snapshot");
export const snapshot = saved && JSON.parse(saved.textContent);
const answers = new Map();

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export async function call(method, path, body) {
  if (snapshot) return fromSnapshot(method, path, body);
  const headers = { "content-type": "application/json" };
  const bearer = await token();
  if (bearer) headers.authorization = bearer;
  let answer;
  try {
    answer = await fetch(`.${path}`, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Refused(0, "unreachable", "");
  }
  const content = await answer.json().catch(() => null);
  if (answer.ok) return content;
  const { code = "unknown", message = "" } = content?.error ?? {};
  throw new Refused(answer.status, code, message);
}

function fromSnapshot(method, path, body) {
  const key = `${method} ${path}${body ? ` ${JSON.stringify(body)}` : ""}`;
  const answer = snapshot.answers[key];
  if (answer) return Promise.resolve(answer);
  return Promise.reject(new Refused(0, method === "GET" ? "not_saved" : "snapshot", ""));
}

// What the API says to a GET, at once where it was asked before: {data, error, reload}.
export function useAnswer(path) {
  const [state, setState] = useState({ path, data: answers.get(path) });
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    if (!path) return undefined;
    let over = false;
    call("GET", path).then(
      (data) => {
        answers.set(path, data);
        if (!over) setState({ path, data });
      },
      (error) => !over && setState({ path, error }),
    );
    return () => {
      over = true;
    };
  }, [path, asked]);
  const current = state.path === path ? state : { data: answers.get(path) };
  return { data: current.data, error: current.error, reload: () => setAsked(asked + 1) };
}

export const person = (id) => `/customers/${encodeURIComponent(id)}`;
