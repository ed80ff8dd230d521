// Reports that are made of each night's export; null where there is none yet, which is nobody's failure.
import { useAnswer } from "./api.js";
import { t } from "./texts.js";

const DAY_MS = 86_400_000;
export const FLOW_DAYS = 30;

export function useReport(name) {
  const { data } = useAnswer(`/reports/${name}`);
  return data ?? null;
}

// Moves of the last FLOW_DAYS before the report, summed over days and causes. Who had no segment before is new.
export function summed(report) {
  const since = report ? Date.parse(report.as_of) - FLOW_DAYS * DAY_MS : 0;
  const sums = new Map();
  for (const one of report?.days ?? []) {
    if (Date.parse(one.day) < since || one.to === null) continue;
    const from = one.from ?? t("segments.newcomers");
    const key = JSON.stringify([from, one.to]);
    sums.set(key, { from, to: one.to, value: (sums.get(key)?.value ?? 0) + one.customers });
  }
  return [...sums.values()].sort((a, b) => b.value - a.value);
}
