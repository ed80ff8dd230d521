// What the nightly report says over time; null where there is none yet, which is nobody's failure.
import { useAnswer } from "./api.js";

export function useReport(name) {
  const { data, error } = useAnswer(`/reports/${name}`);
  return { report: data ?? null, waiting: !data && !error };
}
